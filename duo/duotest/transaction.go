package duotest

import (
	"context"
	"fmt"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// Transaction is a second factor that was begun.
type Transaction struct {
	ID       string
	Username string
	Factor   duo.Factor // what was done for FactorAuto and FactorPrompt
	Device   string     // id; empty for passcodes
	Async    bool
	Begun    time.Time
	Result   duo.Result // duo.ResultWaiting until it is decided
	Status   duo.Status // the last one
}

// Transactions returns what was begun so far, the first one first.
func (s *Service) Transactions() []Transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Transaction
	for _, t := range s.transactions {
		if t.Factor != "" { // else preauth has only given out a verification code
			list = append(list, t.Transaction)
		}
	}
	return list
}

type transaction struct {
	Transaction
	user    *User
	message string
	token   string // trusted_device_token
	code    string // of a verified push
	push    Push
	answer  Answer
	news    []map[string]any // states that auth_status has not told yet
	turn    chan struct{}    // held by who asks the owner of the phone
}

// begin adds a transaction. The caller holds s.mu.
func (s *Service) begin(t *transaction) *transaction {
	t.ID = s.nextID()
	t.Begun = time.Now()
	t.Result = duo.ResultWaiting
	t.turn = make(chan struct{}, 1)
	s.transactions = append(s.transactions, t)
	return t
}

// nextID makes up the id of a transaction. The caller holds s.mu.
func (s *Service) nextID() string {
	s.serial++
	return fmt.Sprintf("00000000-0000-4000-8000-%012d", s.serial)
}

// nextCode makes up a verification code; the first is 376. The caller holds
// s.mu.
func (s *Service) nextCode() string {
	s.codes++
	return fmt.Sprintf("%03d", (375+s.codes)%1000)
}

// transaction finds one by id. The caller holds s.mu.
func (s *Service) transaction(id string) *transaction {
	for _, t := range s.transactions {
		if t.ID == id {
			return t
		}
	}
	return nil
}

// tell adds a state that auth_status is to report before the result.
func (t *transaction) tell(status duo.Status, message string) {
	t.Status = status
	t.news = append(t.news, map[string]any{
		"result": duo.ResultWaiting, "status": status, "status_msg": message,
	})
}

// finish decides a transaction. The caller holds s.mu.
func (s *Service) finish(t *transaction, status duo.Status) {
	t.Status, t.Result = status, duo.ResultDeny
	switch status {
	case duo.StatusAllow, duo.StatusBypass:
		t.Result = duo.ResultAllow
		t.message = "Success. Logging you in..."
		if t.user.Remember {
			t.token = "trusted-" + t.ID
			s.of(t.Username).tokens[t.token] = true
		}
	case duo.StatusSent:
		t.message = "New SMS passcodes sent."
	case duo.StatusTimeout:
		t.message = "Login timed out."
	case duo.StatusLockedOut:
		t.message = "Account locked out."
	case duo.StatusDeny:
		t.message = "Login request denied."
		if t.Factor == duo.FactorPasscode {
			t.message = "Incorrect passcode. Please try again."
		}
	default:
		t.message = "Login request denied."
	}
}

// decide asks the owner of the phone, unless that is done. It leaves the
// transaction undecided when ctx ends before.
func (s *Service) decide(ctx context.Context, t *transaction) {
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return
	}
	if s.result(t) != nil {
		return
	}
	expires := t.push.Sent.Add(pushLifetime)
	asking, cancel := context.WithDeadline(ctx, expires)
	defer cancel()
	status := t.answer(asking, t.push)
	if status == "" {
		<-asking.Done()
		if time.Now().Before(expires) {
			return
		}
		status = duo.StatusTimeout
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finish(t, status)
}

// result is the answer of a decided transaction, or nil.
func (s *Service) result(t *transaction) map[string]any {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.Result == duo.ResultWaiting {
		return nil
	}
	answer := map[string]any{"result": t.Result, "status": t.Status, "status_msg": t.message}
	if t.token != "" {
		answer["trusted_device_token"] = t.token
	}
	return answer
}
