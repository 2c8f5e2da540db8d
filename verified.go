package radmfa

import (
	"context"
	"errors"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// transact does one transaction with the service. It returns early, with the code
// only, when the user has to be shown a verification code before there can be a
// response.
func (l *login) transact(stage *stageEvent, request *duo.AuthRequest) (*duo.AuthResponse, string, error) {
	async, ok := l.SecondFactor.(AsyncSecondFactor)
	if !ok || stage.Factor == duo.FactorPasscode || stage.Factor == duo.FactorSMS {
		response, err := l.SecondFactor.Auth(l.ctx, request) // nobody is waited for, or it cannot be told
		return response, "", err
	}
	txid, err := async.AuthAsync(l.ctx, request)
	if err != nil {
		return nil, "", err
	}
	stage.TxID = txid
	ctx, cancel := context.WithCancel(l.ctx)
	defer cancel()
	code := ""
	response, err := async.Wait(ctx, txid, func(state *duo.AuthStatusResponse) {
		stage.progress(state)
		if state.VerificationCode != "" && l.Auto == nil { // else it cannot be shown
			code = state.VerificationCode
			cancel()
		}
	})
	if code != "" {
		return nil, code, nil
	}
	return response, "", err
}

// showCode asks the user to type the code on the phone, and to answer with
// anything once that is done.
func (l *login) showCode(ses *session, txid, code string) decision {
	next := &session{Kind: kindCode, TxID: txid, Attributes: ses.Attributes, Pushed: ses.Pushed}
	d := l.challenge(next, l.message("Enter "+code+" in Duo Mobile, then press Enter: "))
	d.Factor = duo.FactorPush
	return d
}

// resume waits for the end of the transaction whose code the user has seen.
func (l *login) resume(ses *session) decision {
	stage := l.begin(StageAuth)
	stage.Factor, stage.TxID = duo.FactorPush, ses.TxID
	async, ok := l.SecondFactor.(AsyncSecondFactor)
	if !ok {
		return l.conclude(ses, stage, nil, errors.New("radmfa: this SecondFactor cannot wait for the transaction of another"))
	}
	response, err := async.Wait(l.ctx, ses.TxID, stage.progress)
	return l.conclude(ses, stage, response, err)
}

// renewCode asks again, with a new code in place of one that has expired.
func (l *login) renewCode(ses *session) decision {
	if l.lastAttempt(ses) {
		return l.reject(textTooManyTries, "too many verification codes have expired")
	}
	return l.preauth(&session{Attempts: ses.Attempts, Attributes: ses.Attributes, Pushed: ses.Pushed}, textNewCode)
}

// codeLife is how long a code is good for when the service does not say.
const codeLife = time.Minute

// codeExpires is the end of the code of a preauth.
func codeExpires(p *duo.PreauthResponse) time.Time {
	if p.Expiration.IsZero() {
		return time.Now().Add(codeLife)
	}
	return p.Expiration
}
