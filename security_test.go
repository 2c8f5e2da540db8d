package radmfa_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func w2addr(s string) (netip.AddrPort, error) { return netip.ParseAddrPort(s) }

// anyoneWith is a first factor that takes everybody with this password.
func anyoneWith(password radius.Secret) primary.Authenticator {
	return primary.AuthenticatorFunc(func(ctx context.Context, r *primary.Request) (*primary.Result, error) {
		return primarytest.Users{r.Username: password}.Authenticate(ctx, r)
	})
}

const expiredText = "Access-Reject: This login has expired. Please log in again."

func TestAStateIsGoodForOneNASAndOneUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.Users["alice"] = &duotest.User{}
		w.start()
		asked := w.login("jdoe", password)

		// Another NAS, which we trust as well.
		stolen, err := w.newNAS("192.0.2.8").Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.Equal(t, expiredText, stolen.String())

		// Another user of the same NAS, with a challenge of her own.
		alices := w.login("alice", password)
		mixed := *alices
		mixed.Packet = asked.Packet
		reply, err := w.nas.Answer(t.Context(), &mixed, "push")
		require.NoError(t, err)
		assert.Equal(t, expiredText, reply.String())
		assert.Zero(t, w.service.Count(pathAuth))

		// Neither of them has spoilt it.
		reply, err = w.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.True(t, reply.Accepted())
	})
}

func TestAGuessedOrExpiredStateIsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		asked := w.login("jdoe", password)
		state := rfc2865.State_GetString(asked.Packet)
		assert.GreaterOrEqual(t, len(state), 26, "130 bits")
		assert.Regexp(t, `^[!-~]+$`, state, "printable: some NASes cut it at a NUL")

		guessed := *asked
		guessed.Packet = &radius.Packet{Code: asked.Code}
		require.NoError(t, rfc2865.State_SetString(guessed.Packet, strings.Repeat("A", len(state))))
		reply, err := w.nas.Answer(t.Context(), &guessed, "push")
		require.NoError(t, err)
		assert.Equal(t, expiredText, reply.String())

		time.Sleep(5*time.Minute + time.Second)
		reply, err = w.nas.Answer(t.Context(), asked, "push")
		require.NoError(t, err)
		assert.Equal(t, expiredText, reply.String())
		assert.Zero(t, w.service.Count(pathAuth))
	})
}

func TestHostileTextsAreHarmless(t *testing.T) {
	const evil = "\x1b[2J\x07<script>alert(1)</script>\u0085\u202eevil"
	for name, renderer := range map[string]prompt.Renderer{
		"console": prompt.Console{Split: true}, "html": prompt.HTML{Split: true}, "short": prompt.Short{},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.Prompt = renderer
				w.service.Users["jdoe"] = &duotest.User{Devices: []duotest.Device{{Number: evil}}}
				w.service.Users["deny"] = &duotest.User{Preauth: duo.PreauthDeny, Message: evil}
				w.server.Primary = anyoneWith(password)
				w.service.Unknown = &duotest.User{}
				w.start()
				assert.True(t, w.login("evil"+evil, password).Rejected())
				for _, user := range []string{"jdoe", "deny"} {
					text := w.login(user, password).Message()
					require.NotEmpty(t, text)
					assert.NotContains(t, text, "\x1b")
					assert.NotContains(t, text, "\x07")
					assert.NotContains(t, text, "\u0085")
					assert.NotContains(t, text, "\u202e")
					if name == "html" {
						assert.NotContains(t, text, "<script>")
					}
				}
				assert.NotContains(t, w.log.String(), "\x1b")
				for _, e := range w.seen() {
					assert.NotContains(t, e.Username+e.Message+e.Reason, "\x1b")
				}
			})
		})
	}
}

func TestRequestsThatCannotBeServedAreRejected(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*radius.Packet)
		reason string
	}{
		"no name":           {func(p *radius.Packet) { p.Del(rfc2865.UserName_Type) }, "no User-Name"},
		"empty name":        {func(p *radius.Packet) { p.Set(rfc2865.UserName_Type, nil) }, "no User-Name"},
		"name not UTF-8":    {func(p *radius.Packet) { p.Set(rfc2865.UserName_Type, []byte("j\xff")) }, "User-Name is not UTF-8"},
		"EAP":               {func(p *radius.Packet) { p.Add(rfc2869.EAPMessage_Type, []byte{2, 1, 0, 4}) }, "EAP"},
		"no password":       {func(p *radius.Packet) { p.Del(rfc2865.UserPassword_Type) }, "neither a password nor a State"},
		"password of no 16": {func(p *radius.Packet) { p.Set(rfc2865.UserPassword_Type, []byte("short")) }, "cannot be decoded"},
		"other secret": {func(p *radius.Packet) {
			other := *p
			other.Secret = []byte("another secret")
			other.Attributes = nil
			_ = rfc2865.UserPassword_SetString(&other, password)
			p.Set(rfc2865.UserPassword_Type, other.Get(rfc2865.UserPassword_Type))
		}, "not UTF-8"},
		"CHAP": {func(p *radius.Packet) {
			p.Del(rfc2865.UserPassword_Type)
			p.Add(rfc2865.CHAPPassword_Type, make([]byte, 17))
		}, "first factor is wrong"},
		"unknown State": {func(p *radius.Packet) { _ = rfc2865.State_SetString(p, "nobody knows me") }, "unknown or has expired"},
		"zero-length attributes everywhere": {func(p *radius.Packet) {
			for i := range radius.Type(256) {
				if i > 0 && i != rfc2865.UserName_Type && i != rfc2869.EAPMessage_Type && i != rfc2869.MessageAuthenticator_Type {
					p.Set(i, nil)
				}
			}
		}, "first factor is wrong"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.start()
				request, err := w.nas.NewRequest("jdoe", password, nil)
				require.NoError(t, err)
				request.Authenticator = [16]byte{1, 2, 3} // makes "other secret" repeatable
				require.NoError(t, rfc2865.UserPassword_SetString(request, password))
				c.change(request)
				reply, err := w.nas.Exchanger.Exchange(t.Context(), request, serverAddr)
				require.NoError(t, err)
				assert.Equal(t, radius.CodeAccessReject, reply.Code)
				assert.Contains(t, w.lastEvent().Reason, c.reason)
				assert.Zero(t, w.service.Count("/auth/v2/preauth"))
			})
		})
	}
}

func TestPasswordsInAnotherEncoding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Encoding = charmap.Windows1252
		w.server.Primary = primarytest.Users{"zoé": "pässwörd €"}
		w.service.Users = map[string]*duotest.User{"zoé": {}}
		w.start()
		encoded, err := charmap.Windows1252.NewEncoder().String("pässwörd €")
		require.NoError(t, err)
		assert.True(t, w.login("zo\xe9", encoded, "push").Accepted())
		assert.True(t, w.login("zoé", encoded, "push").Accepted(), "a name in UTF-8")
		assert.True(t, w.login("zoé", "pässwörd €").Rejected(), "a password in UTF-8")
	})
}

// The hint about the shared secret is what an operator needs most.
func TestAWrongSharedSecretIsToldInTheLog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		request, err := w.nas.NewRequest("jdoe", password, nil)
		require.NoError(t, err)
		request.Secret = []byte("another secret")
		require.NoError(t, rfc2865.UserPassword_SetString(request, "a password of more than one block"))
		datagram, err := request.Encode() // without Message-Authenticator, as most NASes
		require.NoError(t, err)
		nas := w.tap(nasIP + ":40000")
		nas.send(datagram)
		synctest.Wait()
		replies := nas.receive()
		require.Len(t, replies, 1)
		assert.Equal(t, byte(radius.CodeAccessReject), replies[0][0])
		assert.Contains(t, w.log.String(), "the shared secret of the NAS probably differs")
	})
}

func TestNoSecretReachesLogOrEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.jdoe().Passcodes = []string{"246813579"}
		w.start()
		asked := w.login("jdoe", password)
		state := rfc2865.State_GetString(asked.Packet)
		for _, answer := range []string{"246813579", "246813570"} {
			_, err := w.nas.Answer(t.Context(), asked, answer)
			require.NoError(t, err)
		}
		w.login("jdoe", password+" wrong")
		w.login("jdoe", password, "password in the wrong field")
		w.service.Break("", duotest.Fault{Code: 40103, Message: "Invalid signature in request credentials"}, duotest.Fault{Refuse: true})
		w.login("jdoe", password)
		w.login("jdoe", password)

		var out bytes.Buffer
		out.WriteString(w.log.String())
		for _, e := range w.seen() {
			fmt.Fprintf(&out, "%v %+v %#v\n", e, e, e)
			encoded, err := json.Marshal(e)
			require.NoError(t, err)
			out.Write(encoded)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("event", "event", e)
		}
		require.Contains(t, out.String(), "jdoe")
		for _, hidden := range []string{
			password, "horse", "246813579", "246813570", "wrong field", state, secret, duotest.DefaultSecretKey,
		} {
			assert.NotContains(t, out.String(), hidden)
		}
	})
}

func TestTheServerPrintsNoSecret(t *testing.T) {
	w := newWorld(t)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		printed := fmt.Sprintf(verb, w.server) + fmt.Sprintf(verb, w.server.SecondFactor) + fmt.Sprintf(verb, w.server.Clients)
		for _, hidden := range []string{secret, password, duotest.DefaultSecretKey} {
			assert.NotContains(t, printed, hidden, verb)
		}
	}
}

// brokenStore fails one of its methods.
type brokenStore struct {
	challenge.Store
	put, get, swap bool
}

func (s *brokenStore) Put(ctx context.Context, id string, session []byte, ttl time.Duration) error {
	if s.put {
		return errBroken
	}
	return s.Store.Put(ctx, id, session, ttl)
}

func (s *brokenStore) Get(ctx context.Context, id string) ([]byte, error) {
	if s.get {
		return nil, errBroken
	}
	return s.Store.Get(ctx, id)
}

func (s *brokenStore) CompareAndSwap(ctx context.Context, id string, old, new []byte, ttl time.Duration) error {
	if s.swap {
		return errBroken
	}
	return s.Store.CompareAndSwap(ctx, id, old, new, ttl)
}

func TestABrokenStoreRejectsAndTells(t *testing.T) {
	for name, store := range map[string]*brokenStore{
		"put": {put: true}, "get": {get: true}, "swap": {swap: true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store.Store = &challenge.MemoryStore{}
				w := newWorld(t)
				w.server.Store = store
				w.start()
				var reply *radiustest.Reply
				if name == "put" {
					reply = w.login("jdoe", password)
				} else {
					reply = w.login("jdoe", password, "push")
				}
				assert.True(t, reply.Rejected())
				assert.ErrorIs(t, w.lastEvent().Err, errBroken)
				assert.Contains(t, w.log.String(), "level=ERROR")
				assert.Zero(t, w.service.Count(pathAuth), "no push without a session")
			})
		})
	}
}

func TestAReplyTooLongForOnePacketIsRejectedAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		var attributes radius.Attributes
		for range 17 {
			attributes.Add(rfc2865.Class_Type, bytes.Repeat([]byte{'x'}, 253))
		}
		w.first(&primary.Result{Attributes: attributes}, nil)
		w.start()
		assert.True(t, w.login("jdoe", password, "push").Rejected())
		assert.ErrorIs(t, w.lastEvent().Err, radius.ErrTooLong)
	})
}

func TestAPanicOfAFirstFactorRejects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Primary = primary.AuthenticatorFunc(func(context.Context, *primary.Request) (*primary.Result, error) { panic("oops") })
		w.start()
		assert.True(t, w.login("jdoe", password).Rejected())
		assert.Contains(t, w.log.String(), "panicked")
	})
}

func TestAServerThatIsNotCompleteSaysWhatIsMissing(t *testing.T) {
	network := &radiustest.Network{}
	conn, err := network.Listen(serverAddr)
	require.NoError(t, err)
	err = new(radmfa.Server).Serve(conn)
	assert.ErrorContains(t, err, "Server.Primary is nil")
	assert.ErrorContains(t, err, "Server.SecondFactor is nil")
	assert.ErrorContains(t, err, "Server.Clients is nil")
}
