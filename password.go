package radmfa

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"strconv"
	"strings"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// mayChange reports whether a password that must be changed can be, in a login
// like this one.
func (l *login) mayChange(rejection *primary.Rejection, password radius.Secret) bool {
	_, ok := l.server.Primary.(primary.PasswordChanger)
	return ok && rejection.MustChange != nil && password != "" && l.server.Auto == nil && l.server.keepsPasswords()
}

// keepsPasswords reports whether a session may hold a password: who reads both
// the Store and the network must not learn it, so the State alone does not seal it.
func (s *Server) keepsPasswords() bool {
	_, local := s.Store.(*challenge.MemoryStore)
	return s.Store == nil || local || s.ClusterKey != ""
}

// mustChange reports whether the password must be changed before the user is let
// in.
func (ses *session) mustChange() bool { return ses.oldPassword != "" }

// askPassword asks for a new password, once the second factor has been proved.
func (l *login) askPassword() step {
	l.ses.newPassword, l.ses.menu = "", nil
	if l.notice == "" {
		return l.askHidden(atNewPassword, l.texts.Text("password.ask"))
	}
	return l.askHidden(atNewPassword, l.notice+"\n"+l.texts.Text("password.ask-again"))
}

// newPassword reads the new password, and asks for it once more.
func (l *login) newPassword() step {
	if l.request.Password == "" {
		return l.askPasswordAgain(l.texts.Text("password.too-short"))
	}
	l.ses.newPassword = l.request.Password
	return l.askHidden(atRepeatPassword, l.texts.Text("password.repeat"))
}

// repeatPassword reads the new password once more.
func (l *login) repeatPassword() step {
	if subtle.ConstantTimeCompare([]byte(l.request.Password), []byte(l.ses.newPassword)) != 1 {
		return l.askPasswordAgain(l.texts.Text("password.differs"))
	}
	return atChangePassword
}

// changePassword has the first factor change the password. Nobody is let in
// unless that is done.
func (l *login) changePassword() step {
	ses := l.ses
	changer, ok := l.server.Primary.(primary.PasswordChanger)
	if !ok { // of a Server that is configured otherwise
		return l.reject(CausePasswordNotChanged, textNotChanged, "the first factor cannot change passwords")
	}
	span := l.startStage(StagePassword)
	err := changer.ChangePassword(l.ctx, &primary.Request{
		Username: ses.typed, Password: ses.oldPassword, State: ses.changeState, Packet: l.request.Packet,
	}, ses.newPassword)
	var rejection *primary.Rejection
	switch {
	case err == nil:
		span.end(ResultAccepted, "", nil)
		ses.oldPassword, ses.newPassword, ses.changeState = "", "", nil
		return l.accept(CausePasswordChanged, textChanged, "the password was changed")
	case errors.As(err, &rejection) && rejection.MustChange != nil:
		span.end(ResultRejected, rejection.Reason, nil)
		return l.askPasswordAgain(l.demands(rejection))
	case errors.As(err, &rejection):
		span.end(ResultRejected, rejection.Reason, nil)
		return l.reject(CausePasswordNotChanged, cmp.Or(rejection.Message, textNotChanged), "the password cannot be changed: "+rejection.Reason)
	default:
		span.end(ResultFailed, "", err)
		l.reject(CausePasswordNotChanged, textUnsure, "it is not known whether the password was changed")
		l.decision.err = err
		return decided
	}
}

// askPasswordAgain asks for another new password, unless the user has used up the
// attempts.
func (l *login) askPasswordAgain(notice string) step {
	if l.lastAttempt() {
		return l.reject(CausePasswordNotChanged, textTooManyTries, "too many new passwords that differ or are refused")
	}
	l.notice = notice
	return atAskPassword
}

// demands says why a new password is refused, and what it must be like.
func (l *login) demands(rejection *primary.Rejection) string {
	m, texts := rejection.MustChange, l.texts
	lines := []string{texts.Translate(cmp.Or(rejection.Message, textRefused))}
	if m.MinLength > 0 {
		lines = append(lines, texts.Text("password.length", strconv.Itoa(m.MinLength)))
	}
	if m.Complex {
		lines = append(lines, texts.Text("password.complex"))
	}
	if m.History > 0 {
		lines = append(lines, texts.Text("password.history", strconv.Itoa(m.History)))
	}
	return strings.Join(lines, "\n")
}

// askHidden asks for what the NAS should not show while it is typed (RFC 2869
// section 5.10).
func (l *login) askHidden(at step, text string) step {
	l.ask(at, l.message(text))
	if d := &l.decision; d.Result == ResultChallenged {
		d.Attributes.Add(rfc2869.Prompt_Type, layeh.NewInteger(uint32(rfc2869.Prompt_Value_NoEcho)))
	}
	return decided
}
