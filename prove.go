package radmfa

import (
	"context"
	"errors"

	"github.com/radmfa/radmfa/duo"
)

// prove starts the factor that the user chose. One that waits for a person goes
// on with approval; others are decided here.
func (l *login) prove() step {
	ses := l.ses
	request := l.authRequest()
	if l.choice.Kind == duo.FactorPush && ses.announced != "" {
		if !l.started.Before(ses.codeExpires) {
			return l.renewCode()
		}
		request.TxID = ses.announced
	}
	if refused := l.overLimit(); refused != undecided {
		return refused
	}
	span := l.startStage(StageAuth)
	span.factor = l.choice.Kind
	async, ok := l.factor().(AsyncSecondFactor)
	if !ok || !waitsForPerson(l.choice.Kind) {
		response, err := l.factor().Auth(l.ctx, request)
		return l.conclude(&span, response, err)
	}
	txID, err := async.AuthAsync(l.ctx, request)
	var failure *duo.Error
	if request.TxID != "" && errors.As(err, &failure) && failure.Code == duo.CodeInvalidParameter {
		span.end(ResultRejected, "the verification code has expired", nil)
		l.endPush()
		return l.renewCode()
	}
	if err != nil {
		return l.conclude(&span, nil, err)
	}
	ses.txID, ses.factor = txID, l.choice.Kind
	l.note()
	return atApproval
}

// waitsForPerson reports whether a factor ends only when a person has answered.
func waitsForPerson(f duo.Factor) bool { return f != duo.FactorPasscode && f != duo.FactorSMS }

// approval waits for the person who was asked in the transaction. It may have
// been started by an earlier request, or by a node that is gone.
func (l *login) approval() step {
	ses := l.ses
	span := l.startStage(StageAuth)
	span.factor, span.txID = ses.factor, ses.txID
	async, ok := l.factor().(AsyncSecondFactor)
	if !ok {
		return l.conclude(&span, nil, errors.New("radmfa: this SecondFactor cannot wait for a transaction that is under way"))
	}
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	code := ""
	response, err := async.Wait(ctx, ses.txID, func(state *duo.AuthStatusResponse) {
		span.progress(state)
		if state.VerificationCode != "" && ses.at != atApproval && l.server.Auto == nil { // else it cannot be shown
			code = state.VerificationCode
			cancel()
		}
	})
	if code != "" {
		span.end(ResultChallenged, "the service demands a verified push", nil)
		return l.showCode(code)
	}
	return l.conclude(&span, response, err)
}

// showCode asks the user to type the code on the phone, and to answer with
// anything once that is done.
func (l *login) showCode(code string) step {
	l.ses.menu = nil
	l.ask(atApproval, l.message(l.texts.Text("login.enter-code", code)))
	l.decision.factor = l.ses.factor
	return decided
}

// renewCode asks again, with a new code in place of one that has expired.
func (l *login) renewCode() step {
	if l.lastAttempt() {
		return l.reject(CauseTimeout, textTooManyTries, "too many verification codes have expired")
	}
	l.ses.announced, l.notice = "", textNewCode
	return atPreauth
}

// conclude decides by what the service said, or did not say.
func (l *login) conclude(span *span, response *duo.AuthResponse, err error) step {
	if response != nil {
		l.endPush()
		l.countPasscode(span.factor, response)
		span.said(response.Status, response.StatusMessage)
	}
	next := decided
	switch {
	case errors.Is(err, context.DeadlineExceeded) && l.ctx.Err() != nil:
		span.end(ResultRejected, "nobody confirmed the login in time", nil)
		l.reject(CauseTimeout, textNotInTime, "nobody confirmed the login in time")
	case err != nil:
		// A factor may have been started: no fail mode lets anybody in from here.
		span.end(ResultFailed, "", err)
		l.reject(CauseServiceFailed, textNoSecondFactor, "the service did not answer")
		l.decision.err = err
	case response.Allowed():
		span.end(ResultAccepted, "", nil)
		l.remember()
		next = l.accept(CauseProved, response.StatusMessage, "")
	case span.factor == duo.FactorSMS && l.server.Dialogue.SMSAsksAgain && l.server.Auto == nil:
		span.end(ResultChallenged, "", nil)
		if l.lastAttempt() {
			l.reject(CauseOverLimit, textTooManyTries, "too many batches of passcodes were asked for")
		} else {
			l.showMenu(response.StatusMessage)
			l.because(CauseSent, "passcodes were sent, and one of them is asked for")
		}
	default:
		cause, reason := denial(span.factor, response.Status)
		span.end(ResultRejected, reason, nil)
		l.reject(cause, response.StatusMessage, reason)
	}
	l.quote(span)
	return next
}

func (l *login) authRequest() *duo.AuthRequest {
	p := &l.ses.policy
	return &duo.AuthRequest{
		Username:        l.ses.serviceName(),
		Factor:          l.choice.Factor,
		Device:          l.choice.Device,
		Passcode:        l.choice.Passcode,
		Prompt:          l.choice.Prompt,
		IPAddr:          p.ClientIP,
		Hostname:        p.Hostname,
		Type:            p.Type,
		DisplayUsername: p.DisplayUsername,
		PushInfo:        l.pushInfo(),
	}
}
