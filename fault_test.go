package radmfa_test

import (
	"context"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// panics is a second factor that panics some time after it was asked.
type panics struct{ radmfa.SecondFactor }

func (panics) Auth(context.Context, *duo.AuthRequest) (*duo.AuthResponse, error) {
	time.Sleep(5 * time.Second)
	panic("oops")
}

func TestAPanicEndsTheLoginForEveryRequestThatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.SecondFactor = panics{w.service.Client()}
		w.start()
		asked := w.login("jdoe", password)
		begin := time.Now()
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				reply, err := w.newNAS(nasIP).Answer(t.Context(), asked, "push")
				if assert.NoError(t, err) {
					assert.True(t, reply.Rejected())
				}
			})
		}
		wg.Wait()
		assert.Less(t, time.Since(begin), 6*time.Second)
		failed, repeated := 0, 0
		for _, e := range w.seen() {
			switch {
			case e.Stage != radmfa.StageLogin:
			case e.Repeated:
				repeated++
			case e.Result == radmfa.ResultFailed:
				failed++
			}
		}
		assert.Equal(t, 1, failed, "the request that panicked has its event")
		assert.Equal(t, 2, repeated)
	})
}

func TestAFirstFactorThatTakesAllTheTimeIsNoReasonToLetAnybodyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nas.Exchanger.Interval = time.Hour
		w.server.Primary = primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) {
			time.Sleep(61 * time.Second)
			return nil, nil
		})
		w.start()
		assert.True(t, w.login("jdoe", password).Rejected())
		assert.False(t, w.lastEvent().FailedOpen)
	})
}

func TestAnAnswerIsSentHoweverLittleRoomTheRequestLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix(nasIP + "/32"), Secret: secret, Proxy: true})
		require.NoError(t, err)
		w.server.Clients = clients
		w.start()
		request, err := w.nas.NewRequest("jdoe", password, nil)
		require.NoError(t, err)
		for range 16 {
			request.Add(rfc2865.ProxyState_Type, make([]byte, 247))
		}
		datagram, err := request.Encode()
		require.NoError(t, err)
		nas := w.tap(nasIP + ":40000")
		nas.send(datagram)
		synctest.Wait()
		replies := nas.receive()
		require.Len(t, replies, 1)
		assert.Equal(t, byte(radius.CodeAccessReject), replies[0][0])
		assert.ErrorIs(t, w.lastEvent().Err, radius.ErrTooLong)
		assert.Empty(t, w.lastEvent().Message, "there is no room for it")
	})
}

// The request that is joined tells the same as the one that did the work.
func TestARepeatedDecisionKeepsWhatTheOperatorMustKnow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Primary = asksForPIN("4711")
		w.service.Break("/auth/v2/preauth", duotest.Fault{Times: -1, Refuse: true})
		w.start()
		asked := w.login("jdoe", password)
		for range 2 {
			reply, err := w.nas.Answer(t.Context(), asked, "4711")
			require.NoError(t, err)
			assert.True(t, reply.Accepted())
			assert.True(t, w.lastEvent().FailedOpen)
			assert.Contains(t, w.lastEvent().Reason, "the fail mode is open")
		}
		assert.True(t, w.lastEvent().Repeated)
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		asked := w.login("jdoe", password)
		for range 2 {
			_, err := w.nas.Answer(t.Context(), asked, "phone")
			require.NoError(t, err)
			assert.Equal(t, duo.FactorPhone, w.lastEvent().Factor)
		}
	})
}

// losesDecisions is a Store that breaks when a push has been approved.
type losesDecisions struct {
	challenge.Store
	swaps int
}

func (s *losesDecisions) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	if s.swaps++; s.swaps > 1 {
		return errBroken
	}
	return s.Store.CompareAndSwap(ctx, id, old, new, ttl)
}

func TestAStoreThatBreaksAfterTheApprovalKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Store = &losesDecisions{Store: &challenge.MemoryStore{}}
		w.start()
		assert.True(t, w.login("jdoe", password, "push").Accepted())
		assert.Contains(t, w.log.String(), "a decision cannot be stored")
	})
}

func TestAnEnrollmentWithoutTextIsAChallengeWithOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.SecondFactor = mustEnroll{}
		w.start()
		reply := w.login("jdoe", password)
		assert.True(t, reply.Challenged())
		assert.NotEmpty(t, reply.Message())
	})
}

type mustEnroll struct{ radmfa.SecondFactor }

func (mustEnroll) Preauth(context.Context, *duo.PreauthRequest) (*duo.PreauthResponse, error) {
	return &duo.PreauthResponse{Result: duo.PreauthEnroll}, nil
}

// late goes on with a transaction for a moment after it is cancelled.
type late struct{ *duo.Client }

func (late) Wait(ctx context.Context, _ string, progress func(*duo.AuthStatusResponse)) (*duo.AuthResponse, error) {
	progress(&duo.AuthStatusResponse{VerificationCode: "376"})
	progress(&duo.AuthStatusResponse{})
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestACodeIsShownWhateverElseTheServiceSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.SecondFactor = late{w.service.Client()}
		w.start()
		reply := w.login("jdoe", password, "push")
		assert.Equal(t, "Access-Challenge: Enter 376 in Duo Mobile, then press Enter: ", reply.String())
		assert.Equal(t, duo.FactorPush, w.lastEvent().Factor)
	})
}

func TestAPushThatNobodyAnsweredStaysOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Limits.Outstanding = 1
		w.server.AuthTimeout = 10 * time.Second // the push lasts 60
		w.nas.Exchanger.Interval = time.Minute
		w.answers(duotest.Ignore)
		w.start()
		for range 3 {
			assert.True(t, w.login("jdoe", password, "push").Rejected())
		}
		assert.Equal(t, 1, w.service.Count(pathAuth))
		time.Sleep(time.Minute)
		assert.True(t, w.login("jdoe", password, "push").Rejected())
		assert.Equal(t, 2, w.service.Count(pathAuth))
	})
}

func TestAPushWhoseCodeIsShownIsOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Limits.Outstanding = 1
		w.verifies(duotest.CodeInStatus)
		w.start()
		shown := w.login("jdoe", password, "push")
		assert.True(t, shown.Challenged())
		assert.True(t, w.login("jdoe", password, "push").Rejected(), "the first waits for its code")
		reply, err := w.nas.Answer(t.Context(), shown, "")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.True(t, w.login("jdoe", password, "push").Challenged(), "the first has ended")
	})
}

func TestPushesAreCountedWhateverTheFormOfTheName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Limits.PerMinute = 1
		w.server.Primary = anyoneWith(password)
		w.service.Unknown = &duotest.User{}
		w.start()
		var last *radiustest.Reply
		for _, name := range []string{"jdoe", "JDOE", `EXAMPLE\jdoe`, "jdoe@example.com", "jdoe "} {
			last = w.login(name, password, "push")
		}
		assert.True(t, last.Rejected())
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestNoFailModeLetsInOnceAFactorHasBeenStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Dialogue.SMSAsksAgain = true
		w.verifies(duotest.CodeInPreauth)
		w.start()
		asked := w.login("jdoe", password, "sms")
		require.True(t, asked.Challenged())
		time.Sleep(61 * time.Second) // the code expires, so that preauth is asked again
		w.service.Break("/auth/v2/preauth", duotest.Fault{Times: -1, Refuse: true})
		reply, err := w.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.True(t, reply.Rejected())
	})
}

func TestAnAddressThatIsNobodysIsNotRemembered(t *testing.T) {
	for _, station := range []string{"0.0.0.0", "127.0.0.2[1500]", "::", "::1"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.server.Remember.For = time.Hour
			w.nas.Attributes = radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(station)}}
			w.start()
			assert.True(t, w.login("jdoe", password, "push").Accepted())
			assert.True(t, w.login("jdoe", password).Challenged(), station)
		})
	}
}

// Each request of a login may go to another server.
func TestAVerifiedPushGoesOnAtAnotherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, second := newWorld(t), newWorld(t)
		w.verifies(duotest.CodeInStatus)
		w.server.Store = &challenge.MemoryStore{}
		second.server.Store = w.server.Store
		second.server.SecondFactor = w.service.Client()
		w.start()
		second.start()
		shown := w.login("jdoe", password, "push")
		require.True(t, shown.Challenged())
		reply, err := second.nas.Answer(t.Context(), shown, "")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

// blinks is a Store that cannot be read for a moment while a push is out.
type blinks struct {
	challenge.Store
	from, to time.Time
}

func (s *blinks) Get(ctx context.Context, id string) ([]byte, error) {
	if now := time.Now(); now.After(s.from) && now.Before(s.to) {
		return nil, errBroken
	}
	return s.Store.Get(ctx, id)
}

func TestARequestThatWaitsForItsTwinBearsAStoreThatBlinks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		now := time.Now()
		w.server.Store = &blinks{&challenge.MemoryStore{}, now.Add(10 * time.Second), now.Add(12 * time.Second)}
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		w.start()
		asked := w.login("jdoe", password)
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				reply, err := w.newNAS(nasIP).Answer(t.Context(), asked, "push")
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

// What the service is not given the time for says nothing of the service: not to
// the FailMode, and not to the breaker, by which others would be let in.
func TestAFirstFactorThatLeavesNoTimeLetsNobodyIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		slow := true
		w.server.Primary = primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) {
			if slow {
				time.Sleep(59900 * time.Millisecond)
			}
			return nil, nil
		})
		w.nas.Exchanger.Tries = 40
		w.service.Break("/auth/v2/preauth", duotest.Fault{Times: -1, Delay: 300 * time.Millisecond})
		w.start()
		for range 4 {
			reply := w.login("jdoe", password)
			assert.True(t, reply.Rejected(), reply)
			assert.Contains(t, w.lastEvent().Reason, "the time was up")
		}
		slow = false
		assert.True(t, w.login("jdoe", password).Challenged())
	})
}

// panickyRenderer breaks down.
type panickyRenderer struct{}

func (panickyRenderer) Render(*prompt.Menu) []string { panic("oops") }
func (panickyRenderer) Message(string) []string      { panic("oops") }

func TestARendererThatPanicsRejectsAndTells(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Prompt = panickyRenderer{}
		w.start()
		assert.True(t, w.login("jdoe", password).Rejected())
		assert.Equal(t, radmfa.StageLogin, w.lastEvent().Stage)
		assert.Equal(t, radmfa.ResultFailed, w.lastEvent().Result)
	})
}
