package radmfa

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// first answers a request that begins a login: the first factor, then preauth.
func (l *login) first() decision {
	if l.Auto != nil {
		return l.joints.join(l, l.auto)
	}
	return l.firstFactor(nil)
}

// firstFactor asks the first factor. State is that of its own challenge, when
// the user has answered one.
func (l *login) firstFactor(state []byte) decision {
	begin := l.begin(StagePrimary)
	result, err := l.Primary.Authenticate(l.ctx, &primary.Request{
		Username: l.username, Password: l.password, State: state, Packet: l.packet,
	})
	var asks *primary.Challenge
	switch {
	case err == nil:
		begin.end(ResultAccepted, "", nil)
	case errors.As(err, &asks):
		begin.end(ResultChallenged, "", nil)
		return l.passOn(asks)
	case errors.Is(err, primary.ErrRejected):
		return l.rejected(begin, err)
	default:
		begin.end(ResultFailed, "", err)
		return l.reject(textNoFirstFactor, "the first factor cannot be asked")
	}
	var attributes radius.Attributes
	if result != nil {
		attributes = result.Attributes
	}
	if l.Exempt != nil && l.Exempt(l.username) {
		return l.accept("", "exempt from the second factor", attributes)
	}
	return l.preauth(&session{Attributes: attributes}, "")
}

// rejected is the end of a login whose first factor is wrong.
func (l *login) rejected(e *stageEvent, err error) decision {
	var rejection *primary.Rejection
	if !errors.As(err, &rejection) {
		rejection = &primary.Rejection{Reason: err.Error()}
	}
	reason := rejection.Reason
	if l.password == "" && l.hashed() {
		reason = strings.TrimPrefix(reason+"; the NAS uses CHAP or MS-CHAP, and only a RADIUS server can check that: set the NAS to PAP", "; ")
	}
	e.end(ResultRejected, reason, nil)
	d := l.reject(rejection.Message, strings.TrimSuffix("the first factor is wrong: "+reason, ": "))
	d.wrongPassword = true
	d.Attributes = rejection.Attributes
	return d
}

// passOn takes a question of the first factor to the user.
func (l *login) passOn(asks *primary.Challenge) decision {
	ses := &session{Kind: kindPrimary, PrimaryState: asks.State, Appended: []byte(l.appended)}
	d := l.challenge(ses, l.message(asks.Message))
	if d.Code == radius.CodeAccessChallenge {
		d.Attributes = asks.Attributes
	}
	return d
}

// preauth asks the service what is to be done with the user. What ses holds, the
// attributes for the final Access-Accept among it, goes on into the challenge.
func (l *login) preauth(ses *session, notice string) decision {
	if l.ctx.Err() != nil { // which says nothing of the service, whatever the FailMode
		return l.reject(textNoFirstFactor, "the time was up before the service could be asked")
	}
	stage := l.begin(StagePreauth)
	p, err := l.SecondFactor.Preauth(l.ctx, &duo.PreauthRequest{
		Username:     l.serviceName(),
		IPAddr:       l.clientIP,
		Hostname:     l.describe().Hostname,
		TextPrompt:   !l.NoTextPrompt && l.Auto == nil,
		VerifiedPush: !l.NoVerifiedPush && l.Auto == nil,
	})
	if err != nil {
		stage.end(ResultFailed, "", err)
		return l.unavailable(err, ses, time.Since(stage.Time))
	}
	switch p.Result {
	case duo.PreauthAuth:
		stage.end(ResultChallenged, "", nil)
		if l.remembered() {
			return l.accept("", "the second factor is remembered", ses.Attributes)
		}
		return l.menu(p, ses, notice)
	case duo.PreauthAllow:
		stage.end(ResultAccepted, "", nil)
		return l.accept(p.StatusMessage, "bypass", ses.Attributes)
	case duo.PreauthDeny:
		stage.end(ResultRejected, "", nil)
		return l.reject(p.StatusMessage, "the service denies this user")
	case duo.PreauthEnroll:
		stage.end(ResultChallenged, "enrollment", nil)
		return l.enroll(p)
	default:
		err := fmt.Errorf("radmfa: the service answers preauth with %q, which this version does not know", p.Result)
		stage.end(ResultFailed, "", err)
		return l.reject(textNoSecondFactor, "unknown answer of the service")
	}
}

// patience is how long the service must have had before it is taken for out of
// reach because the time for the request is up: a first factor may have used that.
const patience = 5 * time.Second

// unavailable ends a login whose preauth failed. It is the only place where the
// FailMode counts, and only for a service that cannot be contacted before a factor
// has been started: anything else is no reason to let anybody in.
func (l *login) unavailable(err error, ses *session, waited time.Duration) decision {
	if l.ctx.Err() != nil && waited < patience {
		return l.reject(textNoSecondFactor, "the time was up before the service could answer")
	}
	if l.FailMode == FailSafe && duo.IsUnavailable(err) && ses.Pushed.IsZero() {
		d := l.accept("", "the service cannot be contacted and the fail mode is safe", ses.Attributes)
		d.FailedOpen = true
		return d
	}
	return l.reject(textNoSecondFactor, "the service cannot be asked")
}

// enroll tells the user where to enroll.
func (l *login) enroll(p *duo.PreauthResponse) decision {
	message := enrollText(p)
	if l.EnrollReject || l.Auto != nil {
		return l.reject(message, "the user must enroll first")
	}
	return l.challenge(&session{Kind: kindEnroll}, l.message(message))
}

// menu asks the user which factor to use.
func (l *login) menu(p *duo.PreauthResponse, ses *session, notice string) decision {
	m := prompt.New(l.username, p.Devices)
	m.Notice, m.VerificationCode = notice, p.VerificationCode
	if p.Prompt != nil {
		m.Text, m.Factors = p.Prompt.Text, p.Prompt.Factors
	}
	ses.Kind, ses.Menu, ses.TxID = kindMenu, m, p.TxID
	if p.TxID != "" {
		ses.CodeExpires = codeExpires(p)
	}
	if l.Auto != nil {
		return l.choose(m, ses)
	}
	return l.challenge(ses, l.render(m))
}
