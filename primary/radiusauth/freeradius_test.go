package radiusauth_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2868"
	"layeh.com/radius/rfc3079"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
)

// asksFreeRADIUS returns an Authenticator of running servers.
func asksFreeRADIUS(servers ...*freeradiustest.Server) *radiusauth.Authenticator {
	a := asks(nil)
	a.DialContext = nil
	a.PassThroughAll = true
	for _, s := range servers {
		a.Servers = append(a.Servers, radiusauth.Server{Address: s.Addr, Secret: s.Secret})
	}
	return a
}

// blackHole returns the address of a port that takes everything and says
// nothing.
func blackHole(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn.LocalAddr().String()
}

func TestFreeRADIUSKeepsTheContract(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	unreachable := asksFreeRADIUS()
	unreachable.Servers = []radiusauth.Server{{Address: blackHole(t)}, {Address: blackHole(t)}}
	primarytest.TestAuthenticator(t, primarytest.Subject{
		Authenticator: asksFreeRADIUS(server),
		Username:      "jdoe",
		Password:      "jdoe-pw",
		Unreachable:   unreachable,
	})
}

// hexLines prints attributes as freeradiustest does.
func hexLines(attributes radius.Attributes) string {
	var lines []string
	for _, a := range attributes {
		lines = append(lines, fmt.Sprint(int(a.Type), " ", hex.EncodeToString(a.Attribute)))
	}
	return strings.Join(lines, "\n")
}

func TestFreeRADIUSUsers(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	cp1252 := asksFreeRADIUS(server)
	cp1252.Encoding = charmap.Windows1252

	for name, tt := range map[string]struct {
		ask                *radiusauth.Authenticator
		username, password string
		message            string // wanted, when it is rejected
	}{
		"jdoe":                {a, "jdoe", "jdoe-pw", ""},
		"jdoe, wrong":         {a, "jdoe", "no", "wrong user name or password"},
		"nobody":              {a, "nobody", "no", "wrong user name or password"},
		"bob":                 {a, "bob", "bob-pw", "bob is not allowed"},
		"twomsg":              {a, "twomsg", "twomsg-pw", "first\nsecond"},
		"zoe":                 {a, "zoe", freeradiustest.ZoePassword, ""},
		"zoe, wrong charset":  {cp1252, "zoe", freeradiustest.ZoePassword, "wrong user name or password"},
		"zoe1252":             {cp1252, "zoe1252", freeradiustest.ZoePassword, ""},
		"longpw":              {a, "longpw", strings.Repeat("x", 100), ""},
		"longpw, one too few": {a, "longpw", strings.Repeat("x", 99), "wrong user name or password"},
		"slow":                {a, "slow", "slow-pw", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			result, err := tt.ask.Authenticate(t.Context(), &primary.Request{
				Username: tt.username, Password: radius.Secret(tt.password),
			})
			if tt.message != "" {
				assert.Equal(t, tt.message, requireRejection(t, err).Message)
				return
			}
			require.NoError(t, err)
			assert.Empty(t, hexLines(result.Attributes))
		})
	}
}

func TestFreeRADIUSAttributesPassThrough(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	result, err := a.Authenticate(t.Context(), &primary.Request{Username: "alice", Password: "alice-pw"})
	require.NoError(t, err)
	want := strings.Split(freeradiustest.AliceAttributes, "\n")
	assert.Equal(t, want, strings.Split(hexLines(result.Attributes), "\n"))

	result, err = a.Authenticate(t.Context(), &primary.Request{Username: "big", Password: "big-pw"})
	require.NoError(t, err)
	require.Len(t, result.Attributes, 15)
	for i, class := range result.Attributes {
		assert.Equal(t, fmt.Sprint(i%10)+strings.Repeat("c", 249), string(class.Attribute))
	}

	some := asksFreeRADIUS(server)
	some.PassThroughAll = false
	for _, name := range []string{"Class", "Fortinet-Group-Name", "26.32473.1"} {
		kind, err := radius.ParseAttributeType(name)
		require.NoError(t, err)
		some.PassThrough = append(some.PassThrough, kind)
	}
	result, err = some.Authenticate(t.Context(), &primary.Request{Username: "alice", Password: "alice-pw"})
	require.NoError(t, err)
	assert.Equal(t, []string{want[0], want[1], want[8], want[9]}, strings.Split(hexLines(result.Attributes), "\n"))
}

func TestFreeRADIUSTunnelPasswordReachesTheNAS(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	result, err := asksFreeRADIUS(server).Authenticate(t.Context(), &primary.Request{Username: "tunnel", Password: "tunnel-pw"})
	require.NoError(t, err)
	nas := nasRequest()
	accept := nas.Response(radius.CodeAccessAccept)
	accept.Attributes, err = radius.EncryptKeys(result.Attributes, radius.Secret(nas.Secret), nas.Authenticator)
	require.NoError(t, err)
	tag, password := rfc2868.TunnelPassword_GetString(accept, nas)
	assert.Equal(t, byte(1), tag)
	assert.Equal(t, "tunnel-secret", password)
	tag, kind := rfc2868.TunnelType_Get(accept)
	assert.Equal(t, byte(1), tag)
	assert.Equal(t, rfc2868.TunnelType(13), kind)
}

func TestFreeRADIUSChallenge(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	for answer, accepted := range map[radius.Secret]bool{freeradiustest.ChallengeAnswer: true, "1111": false, "": false} {
		_, err := a.Authenticate(t.Context(), &primary.Request{Username: "chal", Password: "x"})
		challenge := requireChallenge(t, err)
		assert.Equal(t, "PIN?", challenge.Message)
		_, err = a.Authenticate(t.Context(), &primary.Request{Username: "chal", Password: answer, State: challenge.State})
		if accepted {
			assert.NoError(t, err)
		} else {
			_ = requireRejection(t, err)
		}
	}
}

func TestFreeRADIUSSilentUserDoesNotMakeItDown(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	a.Interval = 200 * time.Millisecond
	_, err := a.Authenticate(t.Context(), &primary.Request{Username: "silent", Password: "x"})
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "it answers Status-Server")
}

func TestFreeRADIUSBefore325NeedsPermission(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{Unsigned: true})
	a := asksFreeRADIUS(server)
	a.Interval = 100 * time.Millisecond
	_, err := a.Authenticate(t.Context(), jdoe("jdoe-pw"))
	if err == nil {
		t.Skip("this FreeRADIUS signs by itself")
	}
	assertUnknown(t, err)
	assert.ErrorContains(t, err, "FreeRADIUS sends one from 3.2.5 on")
	a = asksFreeRADIUS(server)
	a.Servers[0].Replies = radiusauth.LearnSigned
	_, err = a.Authenticate(t.Context(), jdoe("jdoe-pw"))
	assert.NoError(t, err)
}

func TestFreeRADIUSCheck(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	statuses, err := asksFreeRADIUS(server).Check(t.Context())
	require.NoError(t, err)
	assert.Equal(t, server.Addr+": answers Status-Server; answers logins", statuses[0].String())
}

func TestFreeRADIUSCHAP(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	for name, challenge := range map[string][]byte{"in an attribute": []byte("0123456789abcdef"), "in the Request Authenticator": nil} {
		for password, accepted := range map[string]bool{"alice-pw": true, "wrong": false} {
			t.Run(name+", "+password, func(t *testing.T) {
				packet := nasRequest()
				salt := packet.Authenticator[:]
				if challenge != nil {
					salt = challenge
					packet.Add(rfc2865.CHAPChallenge_Type, challenge)
				}
				packet.Add(rfc2865.CHAPPassword_Type, chapPassword(7, password, salt))
				_, err := a.Authenticate(t.Context(), &primary.Request{Username: "alice", Packet: packet})
				if accepted {
					assert.NoError(t, err)
				} else {
					_ = requireRejection(t, err)
				}
			})
		}
	}
}

// TestFreeRADIUSMSCHAPv2 is the client's whole side: it verifies the server's
// answer and finds the same keys.
func TestFreeRADIUSMSCHAPv2(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	a.PassThroughAll = false
	const name, password = "alice", "alice-pw"
	challenge, peer := make([]byte, 16), make([]byte, 16)
	_, _ = rand.Read(challenge)
	_, _ = rand.Read(peer)
	response, err := rfc2759.GenerateNTResponse(challenge, peer, []byte(name), []byte(password))
	require.NoError(t, err)
	nas := nasRequest(vsa(t, 311, 11, string(challenge)),
		vsa(t, 311, 25, "\x01\x00"+string(peer)+strings.Repeat("\x00", 8)+string(response)))

	result, err := a.Authenticate(t.Context(), &primary.Request{Username: name, Packet: nas})
	require.NoError(t, err, server.Log())
	accept := nas.Response(radius.CodeAccessAccept)
	accept.Attributes, err = radius.EncryptKeys(result.Attributes, radius.Secret(nas.Secret), nas.Authenticator)
	require.NoError(t, err)

	want, err := rfc2759.GenerateAuthenticatorResponse(challenge, peer, response, []byte(name), []byte(password))
	require.NoError(t, err)
	assert.Equal(t, "\x01"+want, microsoft.MSCHAP2Success_GetString(accept))
	// The server's receive key is the client's send key.
	send, err := rfc3079.MakeKey(response, []byte(password), false)
	require.NoError(t, err)
	receive, err := rfc3079.MakeKey(response, []byte(password), true)
	require.NoError(t, err)
	assert.ElementsMatch(t, [][]byte{send, receive},
		[][]byte{microsoft.MSMPPESendKey_Get(accept, nas), microsoft.MSMPPERecvKey_Get(accept, nas)})
	assert.Empty(t, accept.Get(rfc2865.Class_Type), "the others are not chosen")

	nas.Attributes[1].Attribute[len(nas.Attributes[1].Attribute)-1] ^= 1
	_, err = a.Authenticate(t.Context(), &primary.Request{Username: name, Packet: nas})
	rejection := requireRejection(t, err)
	assert.Contains(t, rejection.Reason, "MS-CHAP error 691 (wrong name or password)")
	rejected := layeh.Packet{Attributes: rejection.Attributes}
	assert.Contains(t, microsoft.MSCHAPError_GetString(&rejected), "E=691")
}

func TestFreeRADIUSMSCHAPv1(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	const challenge = "8 octets"
	unicode, err := rfc2759.ToUTF16([]byte("alice-pw"))
	require.NoError(t, err)
	hash := rfc2759.NTPasswordHash(unicode)
	response := rfc2759.ChallengeResponse([]byte(challenge), hash)
	nas := nasRequest(vsa(t, 311, 11, challenge, 1, "\x01\x01"+strings.Repeat("\x00", 24)+string(response)))

	result, err := asksFreeRADIUS(server).Authenticate(t.Context(), &primary.Request{Username: "alice", Packet: nas})
	require.NoError(t, err, server.Log())
	keys := strings.Repeat("\x00", 8) + string(rfc2759.NTPasswordHash(hash)) // no LM-Key
	assert.Contains(t, result.Attributes, vsa(t, 311, 12, keys), "MS-CHAP-MPPE-Keys, in clear")
}

func TestFreeRADIUSRestartsUnderLoadAndNoLoginIsLost(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS(server)
	a.Interval, a.Tries = time.Second, 10
	var logins atomic.Int64
	load(t, a, &logins, func() {
		time.Sleep(300 * time.Millisecond)
		server.Stop()
		time.Sleep(700 * time.Millisecond)
		server.Restart()
		before := logins.Load()
		assert.Eventually(t, func() bool { return logins.Load() > before+50 }, 10*time.Second, 10*time.Millisecond)
	})
}

func TestFreeRADIUSStopsUnderLoadAndTheOtherTakesOver(t *testing.T) {
	stops, stays := freeradiustest.Start(t, freeradiustest.Config{}), freeradiustest.Start(t, freeradiustest.Config{Secret: "another"})
	a := asksFreeRADIUS(stops, stays)
	var logins atomic.Int64
	load(t, a, &logins, func() {
		time.Sleep(300 * time.Millisecond)
		stops.Stop()
		before := logins.Load()
		assert.Eventually(t, func() bool { return logins.Load() > before+200 }, 10*time.Second, 10*time.Millisecond)
		stops.Restart()
		time.Sleep(300 * time.Millisecond)
	})
}

// load lets 20 clients log in, half of them with a wrong password, during the
// trouble. Each login must get its right answer in ten seconds.
func load(t *testing.T, a *radiusauth.Authenticator, logins *atomic.Int64, trouble func()) {
	t.Helper()
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 20 {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				if i%2 == 0 {
					_, err := a.Authenticate(ctx, jdoe("jdoe-pw"))
					assert.NoError(t, err)
				} else {
					_, err := a.Authenticate(ctx, jdoe("wrong"))
					assert.ErrorIs(t, err, primary.ErrRejected)
				}
				cancel()
				logins.Add(1)
			}
		})
	}
	trouble()
	close(stop)
	wg.Wait()
}

func TestFreeRADIUSBehindABlackHole(t *testing.T) {
	server := freeradiustest.Start(t, freeradiustest.Config{})
	a := asksFreeRADIUS()
	a.Servers = []radiusauth.Server{{Address: blackHole(t)}, {Address: server.Addr, Secret: server.Secret}}
	a.Interval = 500 * time.Millisecond
	var wg sync.WaitGroup
	started := time.Now()
	for range 50 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			_, err := a.Authenticate(ctx, jdoe("jdoe-pw"))
			assert.NoError(t, err)
		})
	}
	wg.Wait()
	assert.Less(t, time.Since(started), 4*time.Second)
	started = time.Now()
	_, err := a.Authenticate(t.Context(), jdoe("wrong"))
	_ = requireRejection(t, err)
	assert.Less(t, time.Since(started), time.Second, "the black hole is asked last now")
}
