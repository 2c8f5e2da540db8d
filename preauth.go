package radmfa

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

// preauth asks the service what the account has.
func (l *login) preauth() step {
	ses := l.ses
	if l.ctx.Err() != nil { // which says nothing about the service
		return l.reject(CauseFirstFactorFailed, textNoFirstFactor, "the time was up before the service could be asked")
	}
	ask := l.server.Auto == nil
	span := l.startStage(StagePreauth)
	response, err := l.factor().Preauth(l.ctx, &duo.PreauthRequest{
		Username:     ses.serviceName(),
		IPAddr:       ses.policy.ClientIP,
		Hostname:     ses.policy.Hostname,
		TextPrompt:   ask && !l.server.Dialogue.NoTextPrompt && ses.policy.Factors == nil,
		VerifiedPush: ask && !l.server.Dialogue.NoVerifiedPush,
	})
	if err != nil {
		span.end(ResultFailed, "", err)
		return l.unavailable(err, time.Since(span.started))
	}
	switch response.Result {
	case duo.PreauthAuth:
		span.end(ResultChallenged, "", nil)
		if !ses.mustChange() && l.remembered() {
			return l.accept(CauseRemembered, "", "the second factor is remembered")
		}
		return l.menu(response)
	case duo.PreauthAllow:
		span.said(duo.StatusBypass, response.StatusMessage)
		span.end(ResultAccepted, "", nil)
		next := l.accept(CauseBypass, response.StatusMessage, "bypass: the service asks this user for no second factor")
		l.quote(&span)
		return next
	case duo.PreauthDeny:
		span.said(duo.StatusDeny, response.StatusMessage)
		span.end(ResultRejected, "", nil)
		l.reject(CauseServiceDenies, response.StatusMessage, "the service denies this user")
		return l.quote(&span)
	case duo.PreauthEnroll:
		span.said("", response.StatusMessage)
		span.end(ResultChallenged, "enrollment", nil)
		l.enroll(response)
		return l.quote(&span)
	default:
		err := fmt.Errorf("radmfa: the service answers preauth with %q, which this version does not know", response.Result)
		span.end(ResultFailed, "", err)
		return l.fail(CauseServiceFailed, "unknown answer of the service", err)
	}
}

// minServiceTime is how long Preauth must have run before hitting the deadline
// of the request counts as an outage: a first factor may have used the time up.
const minServiceTime = 5 * time.Second

// unavailable ends a login whose preauth failed, or goes on with the Fallback.
// It is the only door for fail open: an outage of the service, seen by this
// login, before anything was started.
func (l *login) unavailable(err error, waited time.Duration) step {
	ses := l.ses
	switch {
	case l.ctx.Err() != nil && waited < minServiceTime:
		return l.reject(CauseServiceFailed, textNoSecondFactor, "the time was up before the service could answer")
	case !isUnavailable(err) || !ses.pushed.IsZero() || ses.fallback:
		l.reject(CauseServiceFailed, textNoSecondFactor, "the service cannot be asked")
		l.decision.err = err
		return decided
	case l.server.Fallback != nil:
		ses.fallback = true
		return atPreauth
	case ses.policy.FailMode == FailOpen && ses.mustChange():
		return l.reject(CauseOutage, textMustChange, "the service cannot be contacted, and no password is changed without the second factor")
	case ses.policy.FailMode == FailOpen:
		l.accept(CauseFailedOpen, "", "the service cannot be contacted, and the fail mode is open: let in without it")
		l.decision.failedOpen = true
		return decided
	default:
		return l.reject(CauseOutage, textNoSecondFactor, "the service cannot be contacted, and the fail mode is closed: nobody is let in without it")
	}
}

// isUnavailable reports whether an error says that the service cannot be
// contacted, as *duo.Error and Unavailable do.
func isUnavailable(err error) bool {
	var e interface{ Unavailable() bool }
	return errors.As(err, &e) && e.Unavailable()
}

// factor returns the second factor of this login.
func (l *login) factor() SecondFactor {
	if l.ses.fallback {
		return l.server.Fallback
	}
	return l.server.SecondFactor
}

// enroll tells the user where to enroll.
func (l *login) enroll(p *duo.PreauthResponse) step {
	text := l.enrollText(p)
	if l.server.Dialogue.EnrollReject || l.server.Auto != nil {
		return l.reject(CauseNotEnrolled, text, "the user must enroll first")
	}
	l.ask(atEnroll, l.message(text))
	l.because(CauseNotEnrolled, "the user must enroll first")
	return decided
}

// enrollText is what a user who must enroll is told: the service's text, and the
// address where the text does not contain it.
func (l *login) enrollText(p *duo.PreauthResponse) string {
	switch {
	case p.EnrollPortalURL == "" && p.StatusMessage == "":
		return textEnrollFirst
	case p.EnrollPortalURL == "" || strings.Contains(p.StatusMessage, p.EnrollPortalURL):
		return p.StatusMessage
	case p.StatusMessage == "":
		return l.texts.Text("login.enroll-at", p.EnrollPortalURL)
	default:
		return p.StatusMessage + "\n" + p.EnrollPortalURL
	}
}

// menu asks the user which factor to use, or with Auto chooses at once.
func (l *login) menu(p *duo.PreauthResponse) step {
	ses := l.ses
	m := prompt.New(ses.name(), p.Devices)
	m.Product = product(l.factor())
	m.Notice, m.VerificationCode = l.notice, p.VerificationCode
	if p.Prompt != nil {
		m.Text, m.Factors = p.Prompt.Text, p.Prompt.Factors
	}
	ses.policy.restrict(m)
	ses.menu, ses.announced, ses.txID = m, p.TxID, ""
	if p.TxID != "" {
		ses.codeExpires = codeExpires(p)
	}
	switch {
	case len(m.Choices) == 0 && m.NoPasscode:
		return l.reject(CauseNoFactor, textNoFactor, "the policy permits none of the user's factors")
	case l.server.Auto != nil:
		return atChoose
	default:
		return l.ask(atChoose, l.render(m))
	}
}

// product returns what menus call a second factor.
func product(f SecondFactor) string {
	if named, ok := f.(interface{ Product() string }); ok {
		return named.Product()
	}
	return ""
}

// codeLife is how long a code is good for when the service does not say.
const codeLife = time.Minute

// codeExpires is when the verification code of a preauth expires.
func codeExpires(p *duo.PreauthResponse) time.Time {
	if p.Expiration.IsZero() {
		return time.Now().Add(codeLife)
	}
	return p.Expiration
}
