package radius_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// challenging asks each user for an answer, and takes up to 20 s for each step.
func challenging(calls *atomic.Int32) radius.HandlerFunc {
	return func(w radius.ResponseWriter, r *radius.Request) {
		calls.Add(1)
		time.Sleep(rand.N(20 * time.Second))
		name := rfc2865.UserName_GetString(r.Packet)
		if rfc2865.State_Get(r.Packet) == nil {
			p := message(radius.CodeAccessChallenge, "Answer, "+name)
			_ = rfc2865.State_SetString(p, "state of "+name)
			_ = w.Write(p)
			return
		}
		if rfc2865.State_GetString(r.Packet) != "state of "+name || rfc2865.UserPassword_GetString(r.Packet) != "answer of "+name {
			_ = w.Write(message(radius.CodeAccessReject, "Denied"))
			return
		}
		accept(w, r)
	}
}

func TestAThousandLoginsAtOnceOverABadNetworkGetTheirAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const logins = 1000
		var calls atomic.Int32
		l := start(t, &radius.Server{Handler: challenging(&calls)},
			&radiustest.Network{Loss: 0.3, Duplicate: 0.3, MaxDelay: 400 * time.Millisecond, Seed: 1})
		nas := l.nas()
		var wg sync.WaitGroup
		for i := range logins {
			wg.Go(func() {
				name := fmt.Sprint("user", i)
				reply, err := nas.Login(t.Context(), name, "password", "answer of "+name)
				if assert.NoError(t, err) {
					assert.Equal(t, "Access-Accept: Welcome "+name, reply.String())
				}
			})
		}
		wg.Wait()
		stats := l.server.Stats()
		assert.EqualValues(t, 2*logins, calls.Load(), "each step is handled once")
		assert.EqualValues(t, 2*logins, stats.Handled)
		assert.NotZero(t, stats.Joined)
		assert.NotZero(t, stats.Repeated)
		assert.Zero(t, stats.InFlight)
	})
}

func TestEachDatagramIsHandledJoinedAnsweredOrDropped(t *testing.T) {
	for seed := range uint64(5) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			var dropped, written atomic.Uint64
			l := start(t, &radius.Server{
				MaxInFlight: 5, AnswerMemory: 1000,
				OnDrop: func(radius.Drop) { dropped.Add(1) },
				Handler: radius.HandlerFunc(func(w radius.ResponseWriter, r *radius.Request) {
					switch time.Sleep(rand.N(20 * time.Second)); rand.IntN(5) {
					case 0: // no reply
					case 1:
						written.Add(1)
						panic("oops")
					default:
						written.Add(1)
						accept(w, r)
					}
				})}, new(radiustest.Network))
			peers := []*peer{l.peer(nasAddr), l.peer("198.51.100.8:9"), l.peer("203.0.113.1:9")}
			datagrams := stormOf(t, random)
			const sent = 3000
			for range sent {
				peers[random.IntN(len(peers))].send(datagrams[random.IntN(len(datagrams))])
				time.Sleep(time.Duration(random.IntN(200)) * time.Millisecond)
			}
			time.Sleep(time.Minute)

			stats := l.server.Stats()
			sum := uint64(0)
			for reason := radius.DropUnknownClient; reason <= radius.DropTooManyInFlight; reason++ {
				if reason != radius.DropNoLongerSigned { // which takes ten minutes
					assert.NotZero(t, stats.Dropped[reason], reason)
				}
				sum += stats.Dropped[reason]
			}
			assert.Equal(t, dropped.Load(), sum)
			assert.EqualValues(t, sent, sum+stats.Handled+stats.Joined+stats.Repeated+stats.Statuses)
			for _, n := range []uint64{stats.Handled, stats.Joined, stats.Repeated, stats.Statuses, stats.Forgotten} {
				assert.NotZero(t, n)
			}
			assert.Zero(t, stats.InFlight)

			received := 0
			for _, p := range peers {
				received += len(p.received())
			}
			assert.EqualValues(t, written.Load()+stats.Repeated+stats.Statuses, received)
		})
	}
}

// stormOf returns datagrams of every kind.
func stormOf(t *testing.T, random *rand.Rand) (list [][]byte) {
	for i := range 60 {
		request := newRequest(t, fmt.Sprint("user", i), identified(byte(i%8)))
		status := sign(statusServer(t))
		forged := sign(request)
		forged[len(forged)-1]++
		garbage := make([]byte, random.IntN(60))
		for i := range garbage {
			garbage[i] = byte(random.Uint32())
		}
		list = append(list, request, sign(request), forged, garbage, status,
			[]byte("\x04\x01\x00\x14authenticator---"), newRequest(t, "nemo", with(eapMessageType, "eap")),
			newRequest(t, "nemo", with(proxyStateType, strings.Repeat("x", 200))))
	}
	return list
}

// What is remembered stays within the limits, whoever sends.
func TestAFloodFromKnownAndUnknownSendersIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{
			MaxInFlight: 100, AnswerMemory: 10_000,
			Clients: clients(t, radius.Client{Prefix: netip.MustParsePrefix("198.51.100.0/24"), Secret: secret,
				MessageAuthenticator: radius.MessageAuthenticatorOptional}),
			Handler: acceptAfter(time.Second)}, new(radiustest.Network))
		known, unknown := l.peer(nasAddr), l.peer("203.0.113.1:9")
		var requests [][]byte
		for i := range 5000 {
			requests = append(requests, newRequest(t, "nemo"))
			unknown.send(requests[i])
			known.send(requests[i])
			require.LessOrEqual(t, l.server.Stats().InFlight, 100)
			if i%50 == 0 {
				time.Sleep(time.Second)
			}
		}
		time.Sleep(time.Second)
		stats := l.server.Stats()
		assert.EqualValues(t, 5000, stats.Dropped[radius.DropUnknownClient])
		assert.EqualValues(t, 5000, stats.Handled+stats.Dropped[radius.DropTooManyInFlight])
		for _, request := range requests {
			known.send(request)
		}
		assert.LessOrEqual(t, l.server.Stats().Repeated, uint64(10_000/128))
	})
}
