package radmfa_test

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// tap is a NAS that sends datagrams as a test says, and keeps what comes back.
type tap struct {
	w    *world
	conn *radiustest.Conn
}

func (w *world) tap(address string) *tap {
	conn, err := w.network.Listen(address)
	require.NoError(w.t, err)
	w.t.Cleanup(func() { _ = conn.Close() })
	return &tap{w, conn}
}

func (t *tap) send(datagram []byte) {
	server, err := w2addr(serverAddr)
	require.NoError(t.w.t, err)
	_, err = t.conn.WriteToUDPAddrPort(datagram, server)
	require.NoError(t.w.t, err)
}

// receive returns what has come until now.
func (t *tap) receive() [][]byte {
	var replies [][]byte
	require.NoError(t.w.t, t.conn.SetReadDeadline(time.Now().Add(time.Millisecond)))
	b := make([]byte, 4096)
	for {
		n, _, err := t.conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return replies
		}
		replies = append(replies, append([]byte(nil), b[:n]...))
	}
}

// answer is the datagram that answers a challenge.
func (w *world) answer(challenge *radiustest.Reply, answer string) []byte {
	request, err := w.nas.NewRequest("jdoe", answer, rfc2865.State_Get(challenge.Packet))
	require.NoError(w.t, err)
	require.NoError(w.t, rfc2869.MessageAuthenticator_Set(request, make([]byte, 16)))
	b, err := request.Encode()
	require.NoError(w.t, err)
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(b)
	copy(b[len(b)-16:], mac.Sum(nil))
	return b
}

// answering sends the answer to a challenge. What it returns waits for the reply.
func (w *world) answering(challenge *radiustest.Reply, answer string) (wait func() *radiustest.Reply) {
	var reply *radiustest.Reply
	var err error
	var wg sync.WaitGroup
	wg.Go(func() { reply, err = w.nas.Answer(w.t.Context(), challenge, answer) })
	return func() *radiustest.Reply {
		w.t.Helper()
		wg.Wait()
		require.NoError(w.t, err)
		return reply
	}
}

func TestASlowPushIsOnePushHoweverOftenTheNASAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(42*time.Second, duotest.Approve))
		w.start()
		datagram := w.answer(w.login("jdoe", password), "push")
		nas := w.tap(nasIP + ":40000")

		nas.send(datagram)
		for range 10 { // the last is 50 s after the first, so after the reply
			time.Sleep(5 * time.Second)
			nas.send(datagram)
		}
		time.Sleep(12 * time.Second) // 20 s after the reply
		nas.send(datagram)
		synctest.Wait()

		replies := nas.receive()
		require.Len(t, replies, 1+2+1, "the reply, two retransmissions after it, and the late one")
		for _, reply := range replies {
			assert.Equal(t, replies[0], reply, "byte for byte")
		}
		assert.Equal(t, byte(radius.CodeAccessAccept), replies[0][0])
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestTheSameAnswerUnderANewIdentifierIsJoined(t *testing.T) {
	for name, owner := range map[string]duotest.Answer{"approved": duotest.Approve, "denied": duotest.Deny} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.answers(duotest.After(42*time.Second, owner))
				w.start()
				asked := w.login("jdoe", password)

				replies := make([]*radiustest.Reply, 10)
				var wg sync.WaitGroup
				for i := range replies { // the later ones after the decision
					wg.Go(func() {
						time.Sleep(time.Duration(i) * 7 * time.Second)
						var err error
						replies[i], err = w.newNAS(nasIP).Answer(t.Context(), asked, "push")
						assert.NoError(t, err)
					})
				}
				wg.Wait()
				for _, reply := range replies {
					assert.Equal(t, replies[0].String(), reply.String())
				}
				assert.Equal(t, name == "approved", replies[0].Accepted())
				assert.Equal(t, 1, w.service.Count(pathAuth))
			})
		})
	}
}

func TestADecisionIsRepeatedFor30Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		asked := w.login("jdoe", password)
		again := func(answer string) string {
			reply, err := w.nas.Answer(t.Context(), asked, answer)
			require.NoError(t, err)
			return reply.String()
		}
		const expired = "Access-Reject: This login has expired. Please log in again."
		assert.Equal(t, "Access-Accept: Success. Logging you in...", again("push"))
		assert.Equal(t, expired, again("phone"), "another answer")
		time.Sleep(29 * time.Second)
		assert.Equal(t, "Access-Accept: Success. Logging you in...", again("push"))
		time.Sleep(2 * time.Second)
		assert.Equal(t, expired, again("push"))
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestATypingErrorIsAnsweredTheSameTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		asked := w.login("jdoe", password)
		first, err := w.nas.Answer(t.Context(), asked, "oops")
		require.NoError(t, err)
		second, err := w.nas.Answer(t.Context(), asked, "oops")
		require.NoError(t, err)
		assert.Equal(t, rfc2865.State_Get(first.Packet), rfc2865.State_Get(second.Packet))
		last, err := w.nas.Answer(t.Context(), second, "push")
		require.NoError(t, err)
		assert.True(t, last.Accepted())
	})
}

func TestAnotherAnswerWhileOneIsCheckedIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(10*time.Second, duotest.Approve))
		w.start()
		asked := w.login("jdoe", password)
		reply := w.answering(asked, "push")
		time.Sleep(5 * time.Second)
		other, err := w.nas.Answer(t.Context(), asked, "phone")
		require.NoError(t, err)
		assert.True(t, other.Rejected())
		assert.True(t, reply().Accepted())
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestTwoServersWithOneStoreShareTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &challenge.MemoryStore{}
		w := newWorld(t)
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		w.server.Store = store
		w.start()

		second := newWorld(t)
		second.network = &radiustest.Network{}
		second.nas = second.newNAS(nasIP)
		second.server.Store = store
		second.server.SecondFactor = w.server.SecondFactor
		second.start()

		asked := w.login("jdoe", password)
		var wg sync.WaitGroup
		for _, nas := range []*radiustest.NAS{w.nas, second.nas} {
			wg.Go(func() {
				reply, err := nas.Answer(t.Context(), asked, "1")
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

// Every datagram, either way, has its chance to get lost, doubled or overtaken.
func TestEachOf1000LoginsEndsRightOnABadNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const logins = 1000
		w := newWorld(t)
		w.network.Loss, w.network.Duplicate = 0.3, 0.3
		w.network.MinDelay, w.network.MaxDelay = time.Millisecond, 300*time.Millisecond
		users := make(map[string]*duotest.User, logins)
		for i := range logins {
			owner := duotest.Approve
			if i%3 == 0 {
				owner = duotest.Deny
			}
			wait := time.Duration(i%20) * time.Second
			users[name(i)] = &duotest.User{Devices: []duotest.Device{{Answer: duotest.After(wait, owner)}}}
		}
		w.service.Users = users
		w.server.Primary = anyoneWith(password)
		w.start()

		var wg sync.WaitGroup
		for i := range logins {
			wg.Go(func() {
				reply, err := w.nas.Login(t.Context(), name(i), password, "push")
				if assert.NoError(t, err) {
					assert.Equal(t, i%3 != 0, reply.Accepted(), name(i))
				}
			})
		}
		wg.Wait()
		assert.Equal(t, logins, w.service.Count(pathAuth))
		for _, c := range w.service.Calls() {
			if c.Path == pathAuth {
				assert.Equal(t, string(duo.FactorPush), c.Params.Get("factor"))
			}
		}
	})
}

func name(i int) string { return fmt.Sprintf("user%d", i) }

func TestShutdownWaitsForThePush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(42*time.Second, duotest.Approve))
		w.start()
		asked := w.login("jdoe", password)
		reply := w.answering(asked, "push")
		time.Sleep(5 * time.Second)
		begin := time.Now()
		assert.NoError(t, w.server.Shutdown(t.Context()))
		assert.Equal(t, 37*time.Second, time.Since(begin))
		assert.True(t, reply().Accepted())
	})
}

func TestShutdownRejectsWhatIsNotDecidedWhenItsTimeIsUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(42*time.Second, duotest.Approve))
		w.start()
		asked := w.login("jdoe", password)
		reply := w.answering(asked, "push")
		time.Sleep(5 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		assert.ErrorIs(t, w.server.Shutdown(ctx), context.DeadlineExceeded)
		assert.True(t, reply().Rejected())
	})
}

// station makes a NAS say which attempt of the user it is.
func station(address string) radius.Attributes {
	return radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(address)}}
}

func TestAFirstRequestSentAnewIsOnePush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Auto = &radmfa.Auto{}
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		w.start()
		var wg sync.WaitGroup
		for i := range 6 { // as some NASes do: each from another port, with another Authenticator
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 3 * time.Second)
				nas := w.newNAS(nasIP)
				nas.Attributes = station("198.51.100.7")
				reply, err := nas.Login(t.Context(), "jdoe", password)
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestRequestsThatDifferAreNotJoined(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Auto = &radmfa.Auto{}
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		w.start()
		var wg sync.WaitGroup
		for _, address := range []string{"198.51.100.7", "198.51.100.8"} {
			wg.Go(func() {
				nas := w.newNAS(nasIP)
				nas.Attributes = station(address)
				reply, err := nas.Login(t.Context(), "jdoe", password)
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted())
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 2, w.service.Count(pathAuth))
	})
}
