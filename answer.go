package radmfa

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

// verify decides what an answer to a challenge leads to. It runs once for each
// challenge.
func (l *login) verify(ses *session) decision {
	switch ses.Kind {
	case kindPrimary:
		l.appended = string(ses.Appended)
		return l.firstFactor(ses.PrimaryState)
	case kindMenu:
		choice, err := ses.Menu.Parse(string(l.password))
		if err != nil {
			return l.again(ses)
		}
		return l.secondFactor(ses, choice)
	case kindCode:
		return l.resume(ses)
	default:
		return l.reject(textEnrollFirst, "the user must enroll first")
	}
}

// again asks once more after an answer that leads nowhere.
func (l *login) again(ses *session) decision {
	if l.lastAttempt(ses) {
		return l.reject(textTooManyTries, "too many answers that are no option and no passcode")
	}
	return l.ask(ses, textNoOption)
}

// lastAttempt counts an attempt, and reports whether there may be no other.
func (l *login) lastAttempt(ses *session) bool {
	ses.Attempts++
	return ses.Attempts >= orDefault(l.MaxAttempts, defaultMaxAttempts)
}

// ask shows the menu of ses again, below a line that says why.
func (l *login) ask(ses *session, notice string) decision {
	m := *ses.Menu
	m.Notice = notice
	next := *ses
	next.Menu, next.Answer = &m, nil
	return l.challenge(&next, l.render(&m))
}

// secondFactor asks the service for what the user has chosen.
func (l *login) secondFactor(ses *session, choice prompt.Selection) decision {
	request := l.authRequest(choice)
	if choice.Kind == duo.FactorPush && ses.TxID != "" {
		if !time.Now().Before(ses.CodeExpires) {
			return l.renewCode(ses)
		}
		request.TxID = ses.TxID
	}
	if choice.Kind != duo.FactorPasscode {
		var ok bool
		if ses.Pushed, ok = l.pushes.admit(l.PushLimit, request.Username); !ok {
			return l.reject(textTooManyPushes, fmt.Sprintf("over the limit on pushes: %+v", l.PushLimit))
		}
	}
	stage := l.begin(StageAuth)
	stage.Factor = choice.Kind
	response, code, err := l.transact(stage, request)
	var refused *duo.Error
	switch {
	case code != "":
		stage.end(ResultChallenged, "the service demands a verified push", nil)
		return l.showCode(ses, stage.TxID, code)
	case request.TxID != "" && errors.As(err, &refused) && refused.Code == duo.CodeInvalidParameter:
		stage.end(ResultRejected, "the verification code has expired", nil)
		l.pushes.end(request.Username, ses.Pushed)
		return l.renewCode(ses)
	default:
		return l.conclude(ses, stage, response, err)
	}
}

// conclude makes a decision of what the service said, or did not say.
func (l *login) conclude(ses *session, stage *stageEvent, response *duo.AuthResponse, err error) decision {
	if response != nil {
		l.pushes.end(l.serviceName(), ses.Pushed)
	}
	var d decision
	switch {
	case errors.Is(err, context.DeadlineExceeded) && l.ctx.Err() != nil:
		stage.end(ResultRejected, "nobody confirmed the login in time", nil)
		d = l.reject(textNotInTime, "nobody confirmed the login in time")
	case err != nil:
		// A factor may have been started: no fail mode lets anybody in from here.
		stage.end(ResultFailed, "", err)
		d = l.reject(textNoSecondFactor, "the service did not answer")
	case response.Allowed():
		stage.end(ResultAccepted, string(response.Status), nil)
		l.remember()
		d = l.accept(response.StatusMessage, "", ses.Attributes)
	case stage.Factor == duo.FactorSMS && l.SMSAsksAgain && l.Auto == nil:
		stage.end(ResultChallenged, string(response.Status), nil)
		d = l.ask(ses, response.StatusMessage)
	default:
		stage.end(ResultRejected, string(response.Status), nil)
		reason := "the second factor is denied"
		if response.Status == duo.StatusSent {
			reason = "passcodes were sent, which is no login"
		}
		d = l.reject(response.StatusMessage, reason)
	}
	d.Factor = stage.Factor
	return d
}

func (l *login) authRequest(choice prompt.Selection) *duo.AuthRequest {
	d := l.describe()
	return &duo.AuthRequest{
		Username:        l.serviceName(),
		Factor:          choice.Factor,
		Device:          choice.Device,
		Passcode:        choice.Passcode,
		Prompt:          choice.Prompt,
		IPAddr:          l.clientIP,
		Hostname:        d.Hostname,
		Type:            d.Type,
		DisplayUsername: d.DisplayUsername,
		PushInfo:        d.PushInfo,
	}
}

func (l *login) serviceName() string {
	if l.ServiceName != nil {
		return l.ServiceName(l.username)
	}
	return l.username
}
