package duotest

import (
	"context"
	"net/url"
	"time"

	"github.com/radmfa/radmfa/duo"
)

func (s *Service) auth(ctx context.Context, c *Call) (any, *failure) {
	name, user, fail := s.find(c)
	if fail != nil {
		return nil, fail
	}
	t, fail := s.start(name, user, c)
	if fail != nil {
		return nil, fail
	}
	if c.Params.Get("async") == "1" {
		return map[string]any{"txid": t.ID}, nil
	}
	s.decide(ctx, t)
	if answer := s.result(t); answer != nil {
		return answer, nil
	}
	return nil, new(failure)
}

func (s *Service) authStatus(ctx context.Context, c *Call) (any, *failure) {
	t, news := s.news(c.Params.Get("txid"))
	switch {
	case t == nil:
		return nil, invalid("txid")
	case news != nil:
		return news, nil
	}
	poll, cancel := context.WithCancel(ctx)
	if s.LongPoll > 0 {
		poll, cancel = context.WithTimeout(ctx, s.LongPoll)
	}
	defer cancel()
	s.decide(poll, t)
	switch answer := s.result(t); {
	case answer != nil:
		return answer, nil
	case ctx.Err() != nil:
		return nil, new(failure)
	}
	return nil, invalid("")
}

// news is a transaction that was begun and a state of it that was not told yet,
// which may be nil.
func (s *Service) news(txid string) (*transaction, map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.transaction(txid)
	if t == nil || t.Factor == "" {
		return nil, nil
	}
	if len(t.news) == 0 {
		return t, nil
	}
	news := t.news[0]
	t.news = t.news[1:]
	return t, news
}

// start begins a transaction, and ends it where no person has to be asked.
func (s *Service) start(name string, user *User, c *Call) (*transaction, *failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	result := user.preauth()
	if result == duo.PreauthEnroll {
		return nil, invalid("username")
	}
	ch := choice{factor: duo.Factor(c.Params.Get("factor"))}
	if result == duo.PreauthAuth {
		var fail *failure
		if ch, fail = choose(name, user, c.Params); fail != nil {
			return nil, fail
		}
	}
	t, fail := s.open(name, user, c)
	if fail != nil {
		return nil, fail
	}
	t.Factor, t.Async = ch.factor, c.Params.Get("async") == "1"
	if ch.device != nil {
		t.Device = ch.device.ID
	}
	switch {
	case result == duo.PreauthAllow:
		s.finish(t, duo.StatusBypass)
	case result == duo.PreauthDeny:
		s.finish(t, duo.StatusDeny)
	case ch.factor == duo.FactorPasscode:
		s.finish(t, s.try(name, user, ch.passcode))
	case ch.factor == duo.FactorSMS:
		s.of(name).sendSMS()
		s.finish(t, duo.StatusSent)
	case ch.factor == duo.FactorPush && user.Verified == CodeInPreauth && t.code == "" && s.of(name).codeAsked:
		s.finish(t, duo.StatusDeny)
	default:
		s.ring(t, ch.device, c)
	}
	return t, nil
}

// open returns the transaction whose txid came with preauth, or a new one. The
// caller holds s.mu.
func (s *Service) open(name string, user *User, c *Call) (*transaction, *failure) {
	txid := c.Params.Get("txid")
	if txid == "" {
		return s.begin(&transaction{Transaction: Transaction{Username: name}, user: user}), nil
	}
	t := s.transaction(txid)
	if t == nil || t.Username != name || t.Factor != "" || time.Since(t.Begun) > pushLifetime {
		return nil, invalid("txid")
	}
	return t, nil
}

// ring begins a push or call. The caller holds s.mu.
func (s *Service) ring(t *transaction, d *Device, c *Call) {
	t.answer = d.Answer
	t.push = Push{
		TxID:            t.ID,
		Username:        t.Username,
		Factor:          t.Factor,
		Device:          d.ID,
		Number:          d.Number,
		Type:            c.Params.Get("type"),
		DisplayUsername: c.Params.Get("display_username"),
		IPAddr:          c.Params.Get("ipaddr"),
		Sent:            time.Now(),
	}
	if t.push.Type == "" {
		t.push.Type = "Login"
	}
	if t.push.DisplayUsername == "" {
		t.push.DisplayUsername = t.Username
	}
	t.push.Info, _ = url.ParseQuery(c.Params.Get("pushinfo"))
	if t.Factor == duo.FactorPhone {
		t.tell(duo.StatusCalling, "Dialing "+d.Number+"...")
		t.tell(duo.StatusAnswered, "Answered. Press any key on your phone to log in.")
		return
	}
	t.tell(duo.StatusPushed, "Pushed a login request to your device...")
	if t.user.Verified == CodeInStatus {
		t.code = s.nextCode()
		t.news[0]["verification_code"] = t.code
		if !t.Async {
			t.answer = Ignore // nobody can know the code
		}
	}
	t.push.Code = t.code
}
