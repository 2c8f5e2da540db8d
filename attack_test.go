package radmfa_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
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

const pathPreauth = "/auth/v2/preauth"

// directory is a first factor that knows jdoe under several spellings.
type directory struct{ groups []string }

func (d directory) Authenticate(_ context.Context, r *primary.Request) (*primary.Result, error) {
	if r.Password != password || !strings.Contains(strings.ToLower(r.Username), "jdoe") {
		return nil, &primary.Rejection{Reason: "wrong"}
	}
	return &primary.Result{Username: "jdoe", Groups: d.groups}, nil
}

// silent sends a first request and reports whether there is no reply.
func (w *world) silent(nas *radiustest.NAS, name, password string) bool {
	quick := *nas
	quick.Exchanger.Interval, quick.Exchanger.Tries = time.Second, 1
	_, err := quick.Login(w.t.Context(), name, password)
	return err != nil
}

func TestOnePersonHasOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Primary = directory{}
		w.service.Unknown = &duotest.User{Preauth: duo.PreauthAllow} // lets strangers in
		w.start()
		for _, spelling := range []string{"JDOE", `EXAMPLE\jdoe`, "jdoe@example.com"} {
			assert.True(t, w.login(spelling, password).Challenged(), spelling)
			assert.Equal(t, "jdoe", w.lastEvent().Username)
		}
		assert.Equal(t, "preauth jdoe, preauth jdoe, preauth jdoe", w.asked())
	})
}

func TestRefusedNamesAreAskedOfNobody(t *testing.T) {
	for name, typed := range map[string]string{
		"NUL": "jdoe\x00", "control": "jdoe\x1b[2J", "C1": "jdoe\u0085x", "bidi": "\u202eeodj", "long": strings.Repeat("j", 254),
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				asked := false
				w.server.Primary = primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) {
					asked = true
					return nil, nil
				})
				reply := w.server.Login(t.Context(), radmfa.Request{Username: typed, Password: password})
				assert.Equal(t, radmfa.ResultRejected, reply.Result)
				assert.False(t, asked)
				assert.Zero(t, w.service.Count(pathPreauth))
			})
		})
	}
}

// foreign is a second factor that is not Duo.
type foreign struct {
	err  error
	text string
}

func (f foreign) Preauth(context.Context, *duo.PreauthRequest) (*duo.PreauthResponse, error) {
	if f.err != nil {
		return nil, f.err
	}
	return &duo.PreauthResponse{Result: duo.PreauthAuth, Prompt: &duo.Prompt{Text: f.text}}, nil
}

func (f foreign) Auth(_ context.Context, r *duo.AuthRequest) (*duo.AuthResponse, error) {
	if r.Passcode == "123456" {
		return &duo.AuthResponse{Result: duo.ResultAllow}, nil
	}
	return &duo.AuthResponse{Result: duo.ResultDeny, Status: duo.StatusDeny}, nil
}

func TestOnlyAnOutageOfTheServiceOpens(t *testing.T) {
	for name, test := range map[string]struct {
		err  error
		open bool
	}{
		"deadline of a data base": {context.DeadlineExceeded, false},
		"own want":                {errors.New("too many open files"), false},
		"cancelled":               {context.Canceled, false},
		"unavailable":             {radmfa.Unavailable(errors.New("connection refused")), true},
		"wrapped":                 {fmt.Errorf("mfa: %w", radmfa.Unavailable(errors.New("connection refused"))), true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.SecondFactor = foreign{err: test.err}
				w.start()
				assert.Equal(t, test.open, w.login("jdoe", password).Accepted())
				assert.Equal(t, test.open, w.lastEvent().FailedOpen)
			})
		})
	}
}

func TestAForeignFactorIsNotCalledDuo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.SecondFactor = foreign{}
		w.start()
		assert.Equal(t, "Two-factor login for jdoe\n\nEnter a passcode.\n\nPasscode: ", w.login("jdoe", password).Message())
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.SecondFactor = foreign{text: "Code of your token: "}
		w.start()
		assert.Equal(t, "Code of your token: ", w.login("jdoe", password).Message())
		assert.True(t, w.login("jdoe", password, "123456").Accepted())
	})
}

func TestTheFallbackIsAskedInAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Fallback = foreign{text: "Code of your app: "}
		w.start()
		w.service.Break(pathPreauth, duotest.Fault{Times: -1, Refuse: true})
		asked := w.login("jdoe", password)
		assert.Equal(t, "Code of your app: ", asked.Message())
		w.service.Repair() // the answer belongs to the fall-back all the same
		reply, err := w.nas.Answer(t.Context(), asked, "999999")
		require.NoError(t, err)
		assert.True(t, reply.Rejected())
		w.service.Break(pathPreauth, duotest.Fault{Times: -1, Refuse: true})
		assert.True(t, w.login("jdoe", password, "123456").Accepted())
		var stages []string
		for _, e := range w.seen() {
			stages = append(stages, fmt.Sprint(e.Stage, " ", e.Result, " ", e.Fallback))
		}
		assert.Equal(t, []string{
			"primary accepted false", "preauth failed false", "preauth challenged true", "login challenged true",
			"auth accepted true", "login accepted true",
		}, stages[len(stages)-6:])
	})
}

// A stranger who knows the password asks while the owner looks at the push.
func TestAnApprovalLetsInOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Auto = &radmfa.Auto{}
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		w.start()
		var owner *radiustest.Reply
		var wg sync.WaitGroup
		wg.Go(func() { owner = w.login("jdoe", password) })
		time.Sleep(5 * time.Second)
		assert.True(t, w.silent(w.newNAS(nasIP), "jdoe", password), "cannot be told from the owner")
		wg.Wait()
		assert.True(t, owner.Accepted())
		assert.Equal(t, 1, w.service.Count(pathAuth))
		w.answers(duotest.Deny)
		assert.True(t, w.login("jdoe", password).Rejected(), "the approval is used up")
	})
}

func TestAPasscodeLetsInOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Auto = &radmfa.Auto{}
		w.nas.Attributes = station("198.51.100.7")
		w.start()
		w.login("jdoe", password+",sms")
		once := password + "," + w.service.SMS("jdoe")[0]
		assert.True(t, w.login("jdoe", once).Accepted())
		assert.False(t, w.login("jdoe", once).Accepted())
	})
}

func TestARejectedAttemptIsRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Auto = &radmfa.Auto{}
		w.answers(duotest.Deny)
		w.nas.Attributes = station("198.51.100.7")
		w.start()
		for range 3 {
			assert.True(t, w.login("jdoe", password).Rejected())
			time.Sleep(time.Second)
		}
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestCHAPWithoutChallengeIsOneProof(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Auto = &radmfa.Auto{}
		w.first(nil, nil)
		w.server.Primary = primary.None{}
		w.answers(duotest.After(20*time.Second, duotest.Approve))
		w.start()
		send := func() (*radius.Packet, error) {
			request, err := w.nas.NewRequest("jdoe", "", nil)
			require.NoError(t, err)
			request.Del(rfc2865.UserPassword_Type)
			request.Add(rfc2865.CHAPPassword_Type, make([]byte, 17))
			request.Add(rfc2865.CallingStationID_Type, []byte("198.51.100.7"))
			return w.newNAS(nasIP).Exchanger.Exchange(t.Context(), request, serverAddr)
		}
		var wg sync.WaitGroup
		for range 2 { // the same hash under another Authenticator is of another password
			wg.Go(func() { _, _ = send() })
		}
		wg.Wait()
		assert.Equal(t, 2, w.service.Count(pathAuth))
	})
}

func TestLimitsHoldByDefault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(30*time.Second, duotest.Deny))
		w.start()
		var wg sync.WaitGroup
		for range 500 {
			wg.Go(func() { w.login("jdoe", password, "push") })
		}
		wg.Wait()
		assert.Equal(t, 3, w.service.Count(pathAuth))
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.jdoe().Passcodes = []string{"424242"}
		w.start()
		var last *radiustest.Reply
		for i := range 778 {
			last = w.login("jdoe", password, fmt.Sprintf("%06d", i))
		}
		assert.Equal(t, "Access-Reject: Too many wrong passcodes. Please use another factor, or try again later.", last.String())
		assert.Equal(t, 10, w.service.Count(pathAuth))
		assert.True(t, w.login("jdoe", password, "push").Accepted(), "another factor is not locked")
		time.Sleep(15 * time.Minute)
		assert.True(t, w.login("jdoe", password, "424242").Accepted())
	})
}

func TestASuccessDoesNotCountAsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 30 {
			w.jdoe().Passcodes = append(w.jdoe().Passcodes, fmt.Sprintf("%06d", i))
		}
		w.start()
		for i := range 30 {
			require.True(t, w.login("jdoe", password, fmt.Sprintf("%06d", i)).Accepted(), i)
		}
	})
}

func TestEverySMSBatchIsAnAttempt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Dialogue.SMSAsksAgain = true
		w.start()
		reply := w.login("jdoe", password, "sms", "sms", "sms")
		assert.True(t, reply.Rejected())
	})
}

// Without a first factor, whoever can forge a source address must not send
// pushes.
func TestNothingWithoutACredential(t *testing.T) {
	for name, change := range map[string]func(*radius.Packet){
		"nothing":             func(p *radius.Packet) { p.Del(rfc2865.UserPassword_Type) },
		"no octets":           func(p *radius.Packet) { p.Set(rfc2865.UserPassword_Type, nil) },
		"seems to be empty":   func(p *radius.Packet) { p.Set(rfc2865.UserPassword_Type, leadingNUL(p)) },
		"other vendors' data": func(p *radius.Packet) { p.Del(rfc2865.UserPassword_Type); p.Add(26, []byte{0, 0, 1, 55, 99, 3, 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.Primary = primary.None{}
				w.server.Auto = &radmfa.Auto{Only: true}
				w.start()
				request, err := w.nas.NewRequest("jdoe", "", nil)
				require.NoError(t, err)
				change(request)
				datagram, err := request.Encode() // unsigned
				require.NoError(t, err)
				nas := w.tap(nasIP + ":40000")
				nas.send(datagram)
				synctest.Wait()
				replies := nas.receive()
				require.Len(t, replies, 1)
				assert.Equal(t, byte(radius.CodeAccessReject), replies[0][0])
				assert.Zero(t, w.service.Count(pathPreauth))
			})
		})
	}
}

// leadingNUL is a User-Password that decrypts to a NUL and noise.
func leadingNUL(p *radius.Packet) radius.Attribute {
	hidden := bytes.Clone(p.Get(rfc2865.UserPassword_Type))
	hidden[15] ^= 1
	return hidden
}

func TestOneUserCannotFillTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.Users["alice"] = &duotest.User{}
		w.server.Store = &challenge.MemoryStore{MaxSessions: 100}
		w.start()
		asked := w.login("alice", password)
		for range 200 {
			require.True(t, w.login("jdoe", password).Challenged())
		}
		reply, err := w.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.True(t, reply.Accepted(), "alice's challenge is still there")
		assert.True(t, w.login("alice", password, "push").Accepted())
	})
}

func TestARepeatedFirstStepReplacesItsChallenge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nas.Attributes = station("198.51.100.7")
		w.start()
		first := w.login("jdoe", password)
		second := w.login("jdoe", password)
		reply, err := w.nas.Answer(t.Context(), first, "push")
		require.NoError(t, err)
		assert.Equal(t, expiredText, reply.String())
		reply, err = w.nas.Answer(t.Context(), second, "push")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
	})
}

func TestAFullStoreAnswersNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Primary = anyoneWith(password)
		w.service.Unknown = &duotest.User{}
		w.server.Store = &challenge.MemoryStore{MaxSessions: 5}
		w.start()
		for i := range 5 {
			require.True(t, w.login(name(i), password).Challenged())
		}
		assert.True(t, w.silent(w.nas, "late", password), "the NAS asks again, or elsewhere")
		assert.Equal(t, radmfa.ResultIgnored, w.lastEvent().Result)
		assert.ErrorIs(t, w.lastEvent().Err, challenge.ErrFull)
		time.Sleep(5 * time.Minute)
		assert.True(t, w.login("late", password, "push").Accepted())
	})
}

// slowToDecide is a Store that takes a decision only after a while.
type slowToDecide struct {
	challenge.Store
	mu    sync.Mutex
	fails int
}

func (s *slowToDecide) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fails++; s.fails > 2 && s.fails < 8 { // after claim and note
		return errBroken
	}
	return s.Store.CompareAndSwap(ctx, id, old, new, ttl)
}

func TestADecisionSlowToStoreIsNotLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Store = &slowToDecide{Store: &challenge.MemoryStore{}}
		w.answers(duotest.After(10*time.Second, duotest.Approve))
		w.start()
		asked := w.login("jdoe", password)
		var wg sync.WaitGroup
		for i := range 4 { // the last when the first has its reply
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 4 * time.Second)
				reply, err := w.newNAS(nasIP).Answer(t.Context(), asked, "push")
				if assert.NoError(t, err) {
					assert.True(t, reply.Accepted(), i)
				}
			})
		}
		wg.Wait()
		assert.Equal(t, 1, w.service.Count(pathAuth))
	})
}

func TestAUserWithManyDevicesLogsIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		for i := range 400 {
			w.jdoe().Devices = append(w.jdoe().Devices, duotest.Device{Number: strings.Repeat("9", 300) + fmt.Sprint(i)})
		}
		w.start()
		assert.True(t, w.login("jdoe", password, "push").Accepted())
	})
}

func TestTextsOfTheFirstFactorAreEscaped(t *testing.T) {
	const evil = "<script>alert(1)</script>"
	message := radius.Attributes{{Type: rfc2865.ReplyMessage_Type, Attribute: []byte(evil)}}
	for name, err := range map[string]error{
		"accept": nil, "reject": &primary.Rejection{Attributes: message},
		"challenge": &primary.Challenge{State: []byte("x"), Message: "PIN?", Attributes: message},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.Prompt = prompt.HTML{}
				w.jdoe().Preauth = duo.PreauthAllow
				w.first(&primary.Result{Attributes: message}, err)
				w.start()
				text := w.login("jdoe", password).Message()
				assert.Contains(t, text, "&lt;script&gt;")
				assert.NotContains(t, text, "<script>")
			})
		})
	}
}

// readable is a Store that notes everything it is given.
type readable struct {
	challenge.Store
	mu   sync.Mutex
	seen bytes.Buffer
}

func (s *readable) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	s.mu.Lock()
	s.seen.WriteString(id)
	s.seen.Write(session)
	s.mu.Unlock()
	return s.Store.Put(ctx, id, session, ttl)
}

func (s *readable) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	s.mu.Lock()
	s.seen.WriteString(id)
	s.seen.Write(new)
	s.mu.Unlock()
	return s.Store.CompareAndSwap(ctx, id, old, new, ttl)
}

func TestAReaderOfTheStoreLearnsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		store := &readable{Store: &challenge.MemoryStore{}}
		w.server.Store, w.server.ClusterKey = store, "a secret of the cluster"
		w.server.Remember = radmfa.Remember{For: time.Hour, Store: store}
		w.nas.Attributes = station("198.51.100.7")
		w.jdoe().Passcodes = []string{"246813"}
		w.first(&primary.Result{Attributes: radius.Attributes{{Type: rfc2865.Class_Type, Attribute: []byte("class of staff")}}}, nil)
		w.start()
		asked := w.login("jdoe", password, "oops")
		state := rfc2865.State_GetString(asked.Packet)
		_, err := w.nas.Answer(t.Context(), asked, "246813")
		require.NoError(t, err)
		kept := store.seen.String()
		require.NotEmpty(t, kept)
		for _, hidden := range []string{"jdoe", "class of staff", "DPJDOE1", "XXX-XXX", "246813", "198.51.100.7", state, "Success"} {
			assert.NotContains(t, kept, hidden)
		}
	})
}

// forger is a Store whose content anybody can write.
type forger struct {
	challenge.Store
	change func([]byte) []byte
}

func (s *forger) Get(ctx context.Context, id string) ([]byte, error) {
	session, err := s.Store.Get(ctx, id)
	return s.change(session), err
}

func TestAWriterOfTheStoreForgesNothing(t *testing.T) {
	for name, change := range map[string]func([]byte) []byte{
		"a bit":           func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"another version": func(b []byte) []byte { b[0]++; return b },
		"nothing":         func([]byte) []byte { return nil },
		"plain text":      func([]byte) []byte { return []byte("\x01\x01\x04") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.Store = &forger{Store: &challenge.MemoryStore{}, change: change}
				w.start()
				assert.Equal(t, expiredText, w.login("jdoe", password, "push").String())
				assert.Zero(t, w.service.Count(pathAuth))
			})
		})
	}
}

// The policy of the first request binds the answer.
func TestThePolicyBindsTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Primary = directory{groups: []string{"no passcodes"}}
		w.jdoe().Passcodes = []string{"123456"}
		w.server.Policy = func(_ context.Context, l *radmfa.Login, p *radmfa.Policy) error {
			if len(l.Groups) > 0 && l.Groups[0] == "no passcodes" {
				p.Factors = []duo.Factor{duo.FactorPush}
				p.Type = "VPN"
				p.Attributes.Add(rfc2865.FilterID_Type, []byte("restricted"))
			}
			return nil
		}
		w.start()
		reply := w.login("jdoe", password, "123456")
		assert.True(t, reply.Challenged())
		assert.Contains(t, reply.Message(), "Select one of the following options:\n\n1. Duo Push to")
		reply, err := w.nas.Answer(t.Context(), reply, "phone")
		require.NoError(t, err)
		assert.True(t, reply.Challenged())
		reply, err = w.nas.Answer(t.Context(), reply, "1")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
		assert.Equal(t, "restricted", rfc2865.FilterID_GetString(reply.Packet))
		assert.Equal(t, "VPN", w.service.Calls()[1].Params.Get("type"))
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Policy = func(context.Context, *radmfa.Login, *radmfa.Policy) error { return errBroken }
		w.start()
		assert.True(t, w.login("jdoe", password).Rejected())
		assert.ErrorIs(t, w.lastEvent().Err, errBroken)
	})
}

func TestTheAddressOfTheFirstRequestStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Remember.For = time.Hour
		w.nas.Attributes = station("198.51.100.7")
		w.start()
		asked := w.login("jdoe", password)
		bare := w.newNAS(nasIP) // leaves it out of the answer
		reply, err := bare.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		require.True(t, reply.Accepted())
		assert.Equal(t, "198.51.100.7", w.service.Calls()[1].Params.Get("ipaddr"))
		assert.True(t, w.login("jdoe", password).Accepted(), "it is remembered")
	})
}

func TestWhoIsNotRemembered(t *testing.T) {
	remember := func(t *testing.T, change func(*world)) *world {
		w := newWorld(t)
		w.service.Users["alice"] = &duotest.User{}
		w.server.Remember.For = time.Hour
		w.nas.Attributes = station("198.51.100.7")
		change(w)
		w.start()
		require.True(t, w.login("jdoe", password, "push").Accepted())
		return w
	}
	synctest.Test(t, func(t *testing.T) {
		w := remember(t, func(w *world) { w.nas.Attributes = station(nasIP) })
		assert.True(t, w.login("jdoe", password).Challenged(), "the NAS's own address")
	})
	synctest.Test(t, func(t *testing.T) {
		w := remember(t, func(*world) {})
		assert.True(t, w.login("jdoe", password).Accepted())
		assert.True(t, w.login("alice", password, "push").Accepted())
		assert.True(t, w.login("jdoe", password).Challenged(), "two accounts share the address")
		assert.True(t, w.login("alice", password).Challenged())
	})
	synctest.Test(t, func(t *testing.T) { // another application with the same Store
		store := &challenge.MemoryStore{}
		shared := func(w *world) { w.server.Remember.Store, w.server.ClusterKey = store, "a secret of the cluster" }
		remember(t, shared)
		other := newWorld(t)
		shared(other)
		other.server.Remember.For = time.Hour
		other.service.IntegrationKey = "DIOTHERAPPLICATION00"
		other.server.SecondFactor = other.service.Client()
		other.nas.Attributes = station("198.51.100.7")
		other.start()
		assert.True(t, other.login("jdoe", password).Challenged())
	})
}

// A device may ask from several addresses; another device with the same secret is
// not it.
func TestAStateBelongsToADevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		client := func(address, device string) radius.Client {
			return radius.Client{Prefix: netip.MustParsePrefix(address), Secret: secret, Device: device}
		}
		clients, err := radius.NewClients(client("192.0.2.7/32", "pair"), client("192.0.2.8/32", "pair"),
			client("192.0.2.9/32", ""), client("198.51.100.0/24", ""))
		require.NoError(t, err)
		w.server.Clients = clients
		w.start()
		for _, c := range []struct {
			from, to string
			ok       bool
		}{
			{"192.0.2.7", "192.0.2.8", true}, {"198.51.100.1", "198.51.100.2", true},
			{"192.0.2.7", "192.0.2.9", false}, {"198.51.100.1", "192.0.2.7", false},
		} {
			asked, err := w.newNAS(c.from).Login(t.Context(), "jdoe", password)
			require.NoError(t, err)
			reply, err := w.newNAS(c.to).Answer(t.Context(), asked, "push")
			require.NoError(t, err)
			assert.Equal(t, c.ok, reply.Accepted(), c)
		}
	})
}
