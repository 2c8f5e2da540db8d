package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/redistest"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// pair is two programs that share a Redis.
type pair struct {
	*lab
	redis   *redistest.Server
	ports   [2]int
	nodes   [2]*proxy
	configs [2]string
}

func newPair(t *testing.T, users map[string]*duotest.User, more ...string) *pair {
	redis := redistest.Start(t)
	p := newPairAt(t, "redis://"+redis.Addr, users, more...)
	p.redis = redis
	return p
}

func newPairAt(t *testing.T, url string, users map[string]*duotest.User, more ...string) *pair {
	p := &pair{lab: newLab(t, users)}
	for n := range p.ports {
		p.ports[n] = freePort(t)
		section := fmt.Sprintf("redis_url=%s\ncluster_key=0123456789abcdef0123456789abcdef\nnode_name=node%d\n", url, n+1)
		p.configs[n] = mainSection + section + strings.Join(more, "\n") +
			p.section("radius_server_challenge", p.ports[n], "client=duo_only_client", "max_pushes_per_minute=0") + "\n[duo_only_client]\n"
		p.start(n)
	}
	return p
}

func (p *pair) start(n int) { p.nodes[n] = p.run(p.configs[n]) }

// answer sends an answer to a node; nil: no reply.
func (p *pair) answer(n int, asked *radiustest.Reply, tries int) *radiustest.Reply {
	device := nas(p.ports[n])
	device.Exchanger.Interval, device.Exchanger.Tries = 500*time.Millisecond, tries
	reply, err := device.Answer(context.Background(), asked, "push")
	if err != nil {
		return nil
	}
	return reply
}

const loginAgain = "Access-Reject: This login has expired. Please log in again."

// How much the tests of two nodes do. The long run is
//
//	go test -run 'Kill9|Rolling' ./examples/authproxy -kills 20 -rate 300 -lasts 1m
var (
	kills = flag.Int("kills", 4, "how often a node is killed, in the middle of 10 logins")
	rate  = flag.Int("rate", 100, "logins a second during a rolling restart")
	lasts = flag.Duration("lasts", 12*time.Second, "how long they come")
)

// kill -9 catches each of ten logins at a random moment, again and again: the
// other node ends it, with the right answer or with "log in again", and there is
// one push.
func TestAPushSurvivesKill9(t *testing.T) {
	t.Parallel()
	const each, answersAfter = 10, 400 * time.Millisecond
	kills := *kills
	if testing.Short() || raceDetector {
		kills = min(kills, 2)
	}
	users := map[string]*duotest.User{}
	for n := range kills * each {
		users[fmt.Sprintf("user%d", n)] = &duotest.User{Devices: []duotest.Device{{Answer: duotest.After(answersAfter, duotest.Approve)}}}
	}
	p := newPair(t, users)
	var mu sync.Mutex
	accepted, slowest := 0, time.Duration(0)
	for kill := range kills {
		var all sync.WaitGroup
		dead := make(chan struct{})
		before := p.service.Count("/auth/v2/auth")
		again := 0
		for n := range each {
			all.Go(func() {
				asked, err := nas(p.ports[1]).Login(t.Context(), fmt.Sprintf("user%d", kill*each+n), userPass)
				if !assert.NoError(t, err) {
					return
				}
				time.Sleep(time.Duration(rand.Int64N(int64(answersAfter + 100*time.Millisecond))))
				begin := time.Now()
				first := p.answer(0, asked, 1)
				<-dead
				reply := p.answer(1, asked, 60)
				if !assert.NotNil(t, reply) {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				if reply.Accepted() {
					accepted++
					slowest = max(slowest, time.Since(begin)-answersAfter)
				} else if assert.Equal(t, loginAgain, reply.String()) {
					again++
				}
				if first != nil {
					assert.Equal(t, first.String(), reply.String(), "both say the same")
				}
			})
		}
		time.Sleep(answersAfter + 50*time.Millisecond)
		require.NoError(t, p.nodes[0].cmd.Process.Kill())
		p.nodes[0].ends(5 * time.Second)
		close(dead)
		all.Wait()
		pushes := p.service.Count("/auth/v2/auth") - before
		assert.LessOrEqual(t, pushes, each)
		assert.GreaterOrEqual(t, pushes, each-again)
		p.start(0)
	}
	assert.Less(t, slowest, 6*time.Second, "from the answer, so with the time to notice that the first node is silent")
	t.Logf("%d kills of %d logins each: %d accepted, at most %s after the approval; the others are told to log in again",
		kills, each, accepted, slowest.Round(time.Millisecond))
}

func TestSIGTERMHandsOverToTheOtherNode(t *testing.T) {
	p := newPair(t, map[string]*duotest.User{"jdoe": {Devices: []duotest.Device{{Answer: duotest.After(3*time.Second, duotest.Approve)}}}})
	asked, err := nas(p.ports[0]).Login(t.Context(), "jdoe", userPass)
	require.NoError(t, err)
	first := make(chan *radiustest.Reply, 1)
	go func() { first <- p.answer(0, asked, 1) }()
	p.nodes[0].logged("started")
	require.Eventually(t, func() bool { return p.service.Count("/auth/v2/auth") == 1 }, 5*time.Second, 10*time.Millisecond)
	p.nodes[0].signal(syscall.SIGTERM)
	assert.Equal(t, exitOK, p.nodes[0].ends(2*time.Second))
	assert.Nil(t, <-first)
	reply := p.answer(1, asked, 60)
	require.NotNil(t, reply)
	assert.True(t, reply.Accepted(), reply)
	assert.Equal(t, 1, p.service.Count("/auth/v2/auth"))
}

func TestALoginWithoutRedisFailsAndComesBack(t *testing.T) {
	web := fmt.Sprintf("127.0.0.1:%d", freePort(t))
	p := newPair(t, map[string]*duotest.User{"jdoe": {}})
	p.nodes[1].signal(syscall.SIGTERM)
	p.nodes[1].ends(5 * time.Second)
	p.configs[1] = mainSection + "metrics_address=" + web + "\n" + p.configs[1][len(mainSection):]
	p.start(1)
	get := func(path string) string {
		r, err := http.Get("http://" + web + path)
		require.NoError(t, err)
		defer func() { _ = r.Body.Close() }()
		body, err := io.ReadAll(r.Body)
		require.NoError(t, err)
		return string(body)
	}
	device := nas(p.ports[1])
	assert.True(t, p.nodes[1].login(device, "jdoe", userPass, "push").Accepted())
	assert.Contains(t, get("/healthz"), `"redis":"up"`)
	p.redis.Kill()
	reply := p.nodes[1].login(device, "jdoe", userPass)
	assert.False(t, reply.Accepted())
	assert.Contains(t, reply.String(), "Access-Reject: ")
	assert.Contains(t, get("/healthz"), `"redis":"down"`)
	assert.Contains(t, get("/metrics"), `authproxy_redis_up{section="radius_server_challenge"} 0`)
	require.NoError(t, p.redis.Restart())
	assert.Eventually(t, func() bool {
		reply, err := device.Login(t.Context(), "jdoe", userPass, "push")
		return err == nil && reply.Accepted()
	}, 10*time.Second, 100*time.Millisecond)
}

// Both nodes are restarted one after the other while users log in. The device
// asks its second server when the first is silent, with the same request.
func TestARollingRestartLosesNoLogin(t *testing.T) {
	rate, lasts := *rate, *lasts
	if testing.Short() || raceDetector {
		rate, lasts = min(rate, 20), min(lasts, 6*time.Second)
	}
	users := map[string]*duotest.User{}
	total := int(lasts.Seconds()) * rate
	for n := range total {
		users[fmt.Sprintf("user%d", n)] = &duotest.User{Devices: []duotest.Device{{Answer: duotest.After(200*time.Millisecond, duotest.Approve)}}}
	}
	p := newPair(t, users)
	var accepted, lost, other atomic.Int64
	var all sync.WaitGroup
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	all.Go(func() {
		for n := range p.nodes {
			time.Sleep(lasts / 4)
			p.nodes[n].signal(syscall.SIGTERM)
			p.nodes[n].ends(3 * time.Second)
			p.start(n)
		}
	})
	for n := range total {
		<-ticker.C
		all.Go(func() {
			switch reply := p.failingOver(n%2, fmt.Sprintf("user%d", n)); {
			case reply == nil:
				lost.Add(1)
			case reply.Accepted():
				accepted.Add(1)
			default:
				other.Add(1)
				t.Log(reply)
			}
		})
	}
	all.Wait()
	t.Logf("%d logins at %d a second: %d accepted, %d without a reply, %d rejected", total, rate, accepted.Load(), lost.Load(), other.Load())
	assert.EqualValues(t, total, accepted.Load())
	assert.LessOrEqual(t, p.service.Count("/auth/v2/auth"), total, "no second push")
}

// failingOver logs in at one node, and asks the other when that is silent.
func (p *pair) failingOver(n int, user string) *radiustest.Reply {
	var asked *radiustest.Reply
	for try := 0; asked == nil && try < 10; try++ {
		device := nas(p.ports[(n+try)%2])
		device.Exchanger.Interval, device.Exchanger.Tries = time.Second, 1
		asked, _ = device.Login(context.Background(), user, userPass)
	}
	for try := 0; asked != nil && try < 10; try++ {
		if reply := p.answer((n+try)%2, asked, 4); reply != nil {
			return reply
		}
	}
	return nil
}

// Redis hangs for some seconds, and then loses all it had, in the middle of
// logins: nobody is let in who did not approve, and no answer pushes twice.
func TestRedisHangsAndLosesItsData(t *testing.T) {
	t.Parallel()
	const logins = 60
	p := newPair(t, everySecondDenies(logins))
	p.inTheMiddle(t, logins, 200*time.Millisecond, func() {
		time.Sleep(2 * time.Second)
		p.redis.Pause()
		time.Sleep(5 * time.Second)
		p.redis.Resume()
		time.Sleep(2 * time.Second)
		p.redis.Kill()
		assert.NoError(t, p.redis.Restart())
	})
}

// The primary of a Sentinel group is killed in the middle of logins, and its
// replica takes over.
func TestSentinelFailsOverInTheMiddle(t *testing.T) {
	t.Parallel()
	logins, pause := 500, 20*time.Millisecond
	if testing.Short() || raceDetector {
		logins, pause = 100, 100*time.Millisecond
	}
	group := redistest.StartGroup(t)
	p := newPairAt(t, "redis://"+strings.Join(group.Sentinels, ",")+"?master="+redistest.Master, everySecondDenies(logins))
	p.inTheMiddle(t, logins, pause, func() {
		time.Sleep(time.Duration(logins) * pause / 3)
		group.Primary.Kill()
	})
}

// everySecondDenies are users of whom user0 approves, user1 denies, and so on.
func everySecondDenies(n int) map[string]*duotest.User {
	users := map[string]*duotest.User{}
	for n := range n {
		answer := duotest.Approve
		if n%2 == 1 {
			answer = duotest.Deny
		}
		users[fmt.Sprintf("user%d", n)] = &duotest.User{Devices: []duotest.Device{{Answer: duotest.After(200*time.Millisecond, answer)}}}
	}
	return users
}

// inTheMiddle begins a login after each pause, while something happens. Nobody may
// be let in who did not approve, and no answer may push twice.
func (p *pair) inTheMiddle(t *testing.T, logins int, pause time.Duration, happens func()) {
	var accepted, other atomic.Int64
	var all sync.WaitGroup
	for n := range logins {
		all.Go(func() {
			time.Sleep(time.Duration(n) * pause)
			reply := p.failingOver(n%2, fmt.Sprintf("user%d", n))
			if reply == nil || !reply.Accepted() {
				other.Add(1)
				return
			}
			accepted.Add(1)
			assert.Zero(t, n%2, "user%d denied", n)
		})
	}
	happens()
	all.Wait()
	t.Logf("%d logins, half of them approved: %d accepted, %d not", logins, accepted.Load(), other.Load())
	assert.LessOrEqual(t, p.service.Count("/auth/v2/auth"), logins)
	assert.NotZero(t, accepted.Load())
}
