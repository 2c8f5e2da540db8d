package radmfa_test

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// gate lets two nodes call the Store one call at a time, in an order that a
// schedule says: bit n is whose call is next when both wait.
type gate struct {
	mu      sync.Mutex
	open    bool
	waiting [2][]chan struct{}
}

func (g *gate) pass(node int) {
	mine := make(chan struct{})
	g.mu.Lock()
	open := g.open
	g.waiting[node] = append(g.waiting[node], mine)
	g.mu.Unlock()
	if !open {
		<-mine
	}
}

// next opens the gate for one call, and reports whether there was one, and a
// choice.
func (g *gate) next(prefer int) (call, choice bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	choice = len(g.waiting[0]) > 0 && len(g.waiting[1]) > 0
	for _, node := range []int{prefer, 1 - prefer} {
		if list := g.waiting[node]; len(list) > 0 {
			g.waiting[node] = list[1:]
			close(list[0])
			return true, choice
		}
	}
	return false, false
}

// leave opens the gate for good.
func (g *gate) leave() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open = true
	for _, list := range g.waiting {
		for _, c := range list {
			close(c)
		}
	}
}

// run follows the schedule until done.
func (g *gate) run(schedule uint, done <-chan struct{}) {
	for {
		synctest.Wait()
		select {
		case <-done:
			g.leave()
			return
		default:
		}
		call, choice := g.next(int(schedule & 1))
		if choice {
			schedule >>= 1
		}
		if !call {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// The model: a NAS sends the same answer to both nodes at once. Whatever order
// their calls to the Store take, and whether one node dies at one of them or the
// reply to one is lost, there is one push at most, and no reply is wrong.
func TestAllInterleavingsOfTwoNodes(t *testing.T) {
	choices, steps := 7, 8
	if testing.Short() {
		choices, steps = 4, 5
	}
	for schedule := range uint(1) << choices {
		for step := range steps + 1 {
			for _, fault := range []string{"dies", "dies after", "loses the reply"} {
				if step == 0 && fault != "dies" {
					continue // no fault at all
				}
				name := fmt.Sprintf("%b, %s at %d", schedule, fault, step)
				synctest.Test(t, func(t *testing.T) { interleave(t, name, schedule, step, fault) })
			}
		}
	}
}

func interleave(t *testing.T, name string, schedule uint, step int, fault string) {
	one, two, p := twoNodes(t)
	q := &plug{Store: two.server.Store, pulled: make(chan struct{})}
	two.server.Store = q
	one.answers(duotest.After(2*time.Second, duotest.Approve))
	one.start()
	two.start()
	asked := two.login("jdoe", password)
	g := &gate{}
	p.before, q.before = func() { g.pass(0) }, func() { g.pass(1) }
	switch fault {
	case "dies":
		p.dieAt = step
	case "dies after":
		p.doneAt = step
	default:
		p.loseAt = step
	}
	done := make(chan struct{})
	var replies [2]*radiustest.Reply
	var all sync.WaitGroup
	all.Go(func() { replies[0] = asks(t, one, p, asked, "push") })
	all.Go(func() {
		nas := two.newNAS(nasIP)
		nas.Exchanger.Interval, nas.Exchanger.Tries = 20*time.Second, 1
		replies[1], _ = nas.Answer(t.Context(), asked, "push")
	})
	go func() {
		all.Wait()
		time.Sleep(5 * time.Second)
		close(done)
	}()
	g.run(schedule, done)
	pushes := one.service.Count(pathAuth)
	assert.LessOrEqual(t, pushes, 1, name)
	for i, reply := range replies {
		switch {
		case reply == nil:
			assert.True(t, i == 0 && p.dead(), "%s: node %d: no reply", name, i)
		case reply.Accepted():
			assert.Equal(t, 1, pushes, name)
		default:
			assert.NotZero(t, step, "%s: %s", name, reply)
		}
	}
}
