package radmfa

import (
	"errors"
	"strings"

	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// firstFactor verifies the password. It makes the account: from here on nothing
// else identifies the user.
func (l *login) firstFactor() step {
	ses := l.ses
	if l.server.Auto != nil && ses.primaryState == nil && l.readings == nil {
		l.readings = l.server.Auto.readings(l.request.Password)
	}
	password := l.request.Password // or the answer to the first factor's challenge
	if l.readings != nil {
		password, ses.appended = l.readings[0].password, l.readings[0].factor
		l.readings = l.readings[1:]
	}
	span := l.startStage(StagePrimary)
	result, err := l.server.Primary.Authenticate(l.ctx, &primary.Request{
		Username: ses.typed, Password: password, State: ses.primaryState, Packet: l.request.Packet,
	})
	if err == nil {
		return l.authenticated(&span, result, "")
	}
	var asks *primary.Challenge
	switch {
	case errors.As(err, &asks):
		span.end(ResultChallenged, "", nil)
		return l.relayChallenge(asks)
	case errors.Is(err, primary.ErrRejected):
		return l.refused(&span, password, err)
	default:
		span.end(ResultFailed, "", err)
		l.reject(CauseFirstFactorFailed, textNoFirstFactor, "the first factor cannot be asked")
		l.decision.err = err
		return decided
	}
}

// authenticated makes the account of a right first factor.
func (l *login) authenticated(span *span, result *primary.Result, reason string) step {
	ses := l.ses
	ses.primaryState, ses.account = nil, ses.typed
	if result != nil {
		ses.attributes, l.groups = result.Attributes, result.Groups
		if result.Username != "" {
			ses.account = result.Username
		}
	}
	if problem := names.Check(ses.account); problem != nil {
		span.end(ResultFailed, "", problem)
		return l.fail(CauseFirstFactorFailed, "the first factor names an account that is refused", problem)
	}
	span.end(ResultAccepted, reason, nil)
	return atPolicy
}

// refused rejects a login whose first factor is wrong, unless there is another
// way to read what was typed, or the password is right and can be changed.
func (l *login) refused(span *span, password radius.Secret, err error) step {
	var rejection *primary.Rejection
	if !errors.As(err, &rejection) {
		rejection = &primary.Rejection{Reason: err.Error()}
	}
	if l.ses.primaryState == nil && l.mayChange(rejection, password) {
		l.ses.oldPassword, l.ses.changeState = password, rejection.MustChange.State
		return l.authenticated(span, rejection.MustChange.Result, rejection.Reason)
	}
	reason := rejection.Reason
	if password == "" && l.request.hashed() {
		reason = strings.TrimPrefix(reason+"; the NAS uses CHAP or MS-CHAP, which only a RADIUS server can verify: set the NAS to PAP", "; ")
	}
	if rejection.MustChange != nil && !l.server.keepsPasswords() {
		reason += "; a password can be changed in the login only if the Server has a ClusterKey, to keep it under"
	}
	span.end(ResultRejected, reason, nil)
	if len(l.readings) > 0 {
		return atFirstFactor
	}
	return l.decide(ResultRejected, CauseFirstFactor, rejection.Message,
		strings.TrimSuffix("the first factor is wrong: "+reason, ": "), rejection.Attributes)
}

// relayChallenge forwards the first factor's own challenge to the user.
func (l *login) relayChallenge(asks *primary.Challenge) step {
	l.ses.primaryState = asks.State
	l.ask(atFirstFactor, l.message(asks.Message))
	if d := &l.decision; d.Result == ResultChallenged {
		d.Attributes, d.Messages = l.ownMessages(asks.Attributes, d.Messages)
	}
	return decided
}
