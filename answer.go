package radmfa

import (
	"context"
	"errors"

	"github.com/radmfa/radmfa/duo"
)

// verify decides what an answer to a challenge leads to. It runs once for each
// challenge.
func (l *login) verify(ses *session) decision {
	switch ses.Kind {
	case kindPrimary:
		return l.firstFactor(ses.PrimaryState)
	case kindMenu:
		return l.secondFactor(ses)
	default:
		return l.reject(textEnrollFirst, "the user must enroll first")
	}
}

// secondFactor finds out what the user has chosen and asks the service.
func (l *login) secondFactor(ses *session) decision {
	choice, err := ses.Menu.Parse(string(l.password))
	if err != nil {
		return l.again(ses)
	}
	stage := l.begin(StageAuth)
	stage.Factor = choice.Kind
	response, err := l.SecondFactor.Auth(l.ctx, &duo.AuthRequest{
		Username: l.username,
		Factor:   choice.Factor,
		Device:   choice.Device,
		Passcode: choice.Passcode,
		Prompt:   choice.Prompt,
		IPAddr:   l.clientIP,
	})
	var d decision
	switch {
	case err != nil:
		// A factor may have been started: no fail mode lets anybody in from here.
		stage.end(ResultFailed, "", err)
		d = l.undecided(err)
	case response.Allowed():
		stage.end(ResultAccepted, string(response.Status), nil)
		d = l.accept(response.StatusMessage, "", ses.Attributes)
	case choice.Kind == duo.FactorSMS && l.SMSAsksAgain:
		stage.end(ResultChallenged, string(response.Status), nil)
		d = l.ask(ses, response.StatusMessage)
	default:
		stage.end(ResultRejected, string(response.Status), nil)
		d = l.reject(response.StatusMessage, "the second factor is denied")
	}
	d.factor = choice.Kind
	return d
}

// undecided ends a login whose second factor got no answer.
func (l *login) undecided(err error) decision {
	if errors.Is(err, context.DeadlineExceeded) && l.ctx.Err() != nil {
		return l.reject(textNotInTime, "nobody confirmed the login in time")
	}
	return l.reject(textNoSecondFactor, "the service did not answer")
}

// again asks once more after a typing error.
func (l *login) again(ses *session) decision {
	ses.Attempts++
	if ses.Attempts >= orDefault(l.MaxAttempts, defaultMaxAttempts) {
		return l.reject(textTooManyTries, "too many answers that are no option and no passcode")
	}
	return l.ask(ses, textNoOption)
}

// ask shows the menu of ses again, below a line that says why.
func (l *login) ask(ses *session, notice string) decision {
	m := *ses.Menu
	m.Notice = notice
	return l.menu(&m, ses.Attempts, ses.Attributes)
}
