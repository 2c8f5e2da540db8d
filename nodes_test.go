package radmfa_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// plug is a node's connection to the Store. It can be pulled, after a number of
// calls or by the test.
type plug struct {
	challenge.Store
	mu     sync.Mutex
	calls  int
	dieAt  int // the call that no longer gets through; 0: none
	doneAt int // the call that gets through, but whose result does not; 0: none
	loseAt int // likewise, of a node that lives on
	before func()
	pulled chan struct{}
	once   sync.Once
}

func (p *plug) pull() { p.once.Do(func() { close(p.pulled) }) }

func (p *plug) dead() bool {
	select {
	case <-p.pulled:
		return true
	default:
		return false
	}
}

// step counts a call, and does it unless the node is dead.
func (p *plug) step(call func() error) error {
	if p.before != nil {
		p.before()
	}
	p.mu.Lock()
	p.calls++
	n := p.calls
	p.mu.Unlock()
	if n == p.dieAt {
		p.pull()
	}
	if p.dead() {
		return errBroken
	}
	err := call()
	if n == p.doneAt {
		p.pull()
		return errBroken
	}
	if n == p.loseAt {
		return errBroken
	}
	return err
}

func (p *plug) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	return p.step(func() error { return p.Store.Put(ctx, id, session, ttl) })
}

func (p *plug) Get(ctx context.Context, id string) (session []byte, err error) {
	err = p.step(func() (err error) { session, err = p.Store.Get(ctx, id); return err })
	return session, err
}

func (p *plug) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	return p.step(func() error { return p.Store.CompareAndSwap(ctx, id, old, new, ttl) })
}

func (p *plug) Add(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	return p.step(func() error { return p.Store.(challenge.Shared).Add(ctx, id, session, ttl) })
}

func (p *plug) Acquire(ctx context.Context, id, permit string, limit int, ttl time.Duration) (ok bool, err error) {
	err = p.step(func() (err error) {
		ok, err = p.Store.(challenge.Shared).Acquire(ctx, id, permit, limit, ttl)
		return err
	})
	return ok, err
}

func (p *plug) Release(ctx context.Context, id, permit string) error {
	return p.step(func() error { return p.Store.(challenge.Shared).Release(ctx, id, permit) })
}

// mortal is a second factor whose node may die: then no call gets through.
type mortal struct {
	*duo.Client
	plug *plug
}

func (m mortal) AuthAsync(ctx context.Context, r *duo.AuthRequest) (string, error) {
	if m.plug.dead() {
		return "", errBroken
	}
	return m.Client.AuthAsync(ctx, r)
}

func (m mortal) Wait(ctx context.Context, txid string, progress func(*duo.AuthStatusResponse)) (*duo.AuthResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-m.plug.pulled:
			cancel()
		case <-ctx.Done():
		}
	}()
	return m.Client.Wait(ctx, txid, progress)
}

// twoNodes returns two servers with one Store, of which the first may die.
func twoNodes(t *testing.T) (one, two *world, p *plug) {
	store := &challenge.MemoryStore{}
	one, two = newWorld(t), newWorld(t)
	p = &plug{Store: store, pulled: make(chan struct{})}
	one.server.Store, one.server.SecondFactor = p, mortal{one.service.Client(), p}
	two.server.Store, two.server.SecondFactor = store, one.service.Client()
	one.server.ClusterKey, two.server.ClusterKey = "a secret of the cluster", "a secret of the cluster"
	two.service = one.service
	return one, two, p
}

// asks sends an answer to a node, as often as a NAS does, until there is a reply
// or none comes. A dead node's replies do not get through.
func asks(t *testing.T, w *world, p *plug, asked *radiustest.Reply, answer string) *radiustest.Reply {
	nas := w.newNAS(nasIP)
	nas.Exchanger.Interval, nas.Exchanger.Tries = 10*time.Second, 1
	reply, err := nas.Answer(t.Context(), asked, answer)
	if err != nil || p != nil && p.dead() {
		return nil
	}
	return reply
}

func TestAPushSurvivesTheNodeThatSentIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, p := twoNodes(t)
		one.answers(duotest.After(20*time.Second, duotest.Approve))
		one.start()
		two.start()
		asked := one.login("jdoe", password)
		begin := time.Now()
		go func() {
			time.Sleep(5 * time.Second)
			p.pull()
		}()
		require.Nil(t, asks(t, one, p, asked, "push"))
		reply, err := two.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.LessOrEqual(t, time.Since(begin), 25*time.Second)
		assert.Equal(t, 1, one.service.Count(pathAuth))
	})
}

// Whatever call to the Store a node dies at, before or after it took effect, the
// other node's reply is the right one or "log in again", and there is one push.
func TestANodeDiesAtEachStep(t *testing.T) {
	for _, owner := range []duotest.Answer{duotest.Approve, duotest.Deny} {
		for step := range 12 {
			for _, done := range []bool{false, true} {
				t.Run(fmt.Sprint(step, done), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { dieAt(t, owner, step, done) })
				})
			}
		}
	}
}

func dieAt(t *testing.T, owner duotest.Answer, step int, done bool) {
	one, two, p := twoNodes(t)
	one.answers(duotest.After(6*time.Second, owner))
	one.start()
	two.start()
	asked := two.login("jdoe", password)
	if done {
		p.doneAt = step + 1
	} else {
		p.dieAt = step + 1
	}
	first := asks(t, one, p, asked, "push")
	reply, err := two.nas.Answer(t.Context(), asked, "push")
	require.NoError(t, err)
	got := reply.String()
	right := map[bool]string{true: "Access-Accept: Success. Logging you in...", false: "Access-Reject: Login request denied."}[owner(t.Context(), duotest.Push{}) == duo.StatusAllow]
	assert.Contains(t, []string{right, expiredText}, got)
	assert.LessOrEqual(t, one.service.Count(pathAuth), 1, "what was started is not started again")
	if first != nil && first.Accepted() {
		assert.Equal(t, first.String(), got, "the same to both")
	}
	p.pull()
	if right == got {
		assert.Equal(t, 1, one.service.Count(pathAuth))
	}
}

func TestASlowNodeIsNotTakenForDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, p := twoNodes(t)
		one.answers(duotest.After(40*time.Second, duotest.Approve))
		one.start()
		two.start()
		asked := one.login("jdoe", password)
		var wg sync.WaitGroup
		for _, w := range []*world{one, two} {
			wg.Go(func() {
				reply, err := w.nas.Answer(t.Context(), asked, "push")
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted())
				}
			})
		}
		wg.Wait()
		p.pull()
		assert.Equal(t, 1, one.service.Count(pathAuth))
	})
}

// A node that stops gives its lease up, so that the other is asked in vain for
// no moment.
func TestShutdownHandsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, p := twoNodes(t)
		one.answers(duotest.After(20*time.Second, duotest.Approve))
		one.start()
		two.start()
		asked := one.login("jdoe", password)
		go func() {
			time.Sleep(5 * time.Second)
			begin := time.Now()
			assert.NoError(t, one.server.Shutdown(t.Context()))
			assert.Less(t, time.Since(begin), 2*time.Second)
		}()
		require.Nil(t, asks(t, one, p, asked, "push"), "no reply, no rejection")
		reply, err := two.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.Equal(t, 1, one.service.Count(pathAuth))
	})
}

// A first request is left to the other node as well.
func TestShutdownLeavesAFirstRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, _ := twoNodes(t)
		one.start()
		two.start()
		one.service.Break("/auth/v2/preauth", duotest.Fault{Delay: 3 * time.Second})
		go func() {
			time.Sleep(time.Second)
			assert.NoError(t, one.server.Shutdown(t.Context()))
		}()
		nas := one.newNAS(nasIP)
		nas.Exchanger.Interval, nas.Exchanger.Tries = 10*time.Second, 1
		reply, err := nas.Login(t.Context(), "jdoe", password)
		assert.Error(t, err, "no reply, no rejection: %v", reply)
		assert.True(t, two.login("jdoe", password).Challenged())
	})
}

func TestAnAutomaticLoginAtTwoNodesIsOnePush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, _ := twoNodes(t)
		one.answers(duotest.After(20*time.Second, duotest.Approve))
		one.server.Auto, two.server.Auto = &radmfa.Auto{}, &radmfa.Auto{}
		one.start()
		two.start()
		var wg sync.WaitGroup
		for i, w := range []*world{one, two, one, two} {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 3 * time.Second)
				nas := w.newNAS(nasIP)
				nas.Attributes = station("198.51.100.7")
				reply, err := nas.Login(t.Context(), "jdoe", password)
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted(), i)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, one.service.Count(pathAuth))

		two.nas.Attributes = station("198.51.100.7")
		assert.True(t, two.login("jdoe", password).Accepted())
		assert.Equal(t, 2, one.service.Count(pathAuth), "the approval lets in nobody else")
	})
}

func TestAnAutomaticPushSurvivesItsNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one, two, p := twoNodes(t)
		one.answers(duotest.After(20*time.Second, duotest.Approve))
		one.server.Auto, two.server.Auto = &radmfa.Auto{}, &radmfa.Auto{}
		one.start()
		two.start()
		go func() {
			nas := one.newNAS(nasIP)
			nas.Attributes = station("198.51.100.7")
			_, _ = nas.Login(t.Context(), "jdoe", password)
		}()
		time.Sleep(5 * time.Second)
		p.pull()
		two.nas.Attributes = station("198.51.100.7")
		assert.True(t, two.login("jdoe", password).Accepted())
		assert.Equal(t, 1, one.service.Count(pathAuth))
	})
}
