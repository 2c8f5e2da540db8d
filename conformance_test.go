package radmfa_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2759"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2868"
	"layeh.com/radius/rfc2869"
	"layeh.com/radius/rfc3079"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/freeradiustest"
	"github.com/radmfa/radmfa/primary/radiusauth"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// Whole logins with a real FreeRADIUS as the first factor.
func TestLoginsWithFreeRADIUS(t *testing.T) {
	upstream := freeradiustest.Start(t, freeradiustest.Config{})
	w := newWorld(t)
	w.service.Unknown = &duotest.User{}
	w.server.Primary = &radiusauth.Authenticator{
		Servers:        []radiusauth.Server{{Address: upstream.Addr, Secret: upstream.Secret}},
		PassThroughAll: true,
	}
	w.start()

	for name, c := range map[string]struct {
		password string
		answers  []string
		want     string
	}{
		"jdoe":   {"jdoe-pw", []string{"push"}, "Access-Accept: Success. Logging you in..."},
		"alice":  {"alice-pw", []string{"1"}, "Access-Accept: welcome aliceSuccess. Logging you in..."},
		"bob":    {"bob-pw", nil, "Access-Reject: bob is not allowed"},
		"zoe":    {freeradiustest.ZoePassword, []string{"phone"}, "Access-Accept: Success. Logging you in..."},
		"longpw": {strings.Repeat("x", 100), []string{"push"}, "Access-Accept: Success. Logging you in..."},
		"chal":   {"anything", []string{freeradiustest.ChallengeAnswer, "push"}, "Access-Accept: Success. Logging you in..."},
		"slow":   {"slow-pw", []string{"push"}, "Access-Accept: Success. Logging you in..."},
		"big":    {"big-pw", []string{"push"}, "Access-Accept: Success. Logging you in..."},
		"twomsg": {"twomsg-pw", nil, "Access-Reject: first second"},
		"nobody": {"nobody-pw", nil, "Access-Reject: wrong user name or password"},
	} {
		t.Run(name, func(t *testing.T) {
			reply, err := w.nas.Login(t.Context(), name, c.password, c.answers...)
			require.NoError(t, err)
			assert.Equal(t, c.want, strings.ReplaceAll(reply.String(), "\n", " "), upstream.Log())
		})
	}

	t.Run("attributes, in order, and none of ours missing", func(t *testing.T) {
		challenge, err := w.nas.Login(t.Context(), "alice", "alice-pw")
		require.NoError(t, err)
		assert.NotContains(t, hexLines(challenge.Packet), "616c6963652d636c617373", "not in the challenge")
		reply, err := w.nas.Answer(t.Context(), challenge, "push")
		require.NoError(t, err)
		lines := hexLines(reply.Packet)
		for want := range strings.Lines(freeradiustest.AliceAttributes) { // its Reply-Message goes through the Renderer
			at := strings.Index(lines, strings.TrimSpace(want))
			if assert.GreaterOrEqual(t, at, 0, want) && !strings.HasPrefix(want, "18 ") {
				lines = lines[at:]
			}
		}
	})

	t.Run("a Tunnel-Password is encrypted for the NAS", func(t *testing.T) {
		challenge, err := w.nas.Login(t.Context(), "tunnel", "tunnel-pw")
		require.NoError(t, err)
		request, reply := answerWith(t, w, challenge, "tunnel", "push")
		tag, password := rfc2868.TunnelPassword_Get(reply, request)
		assert.Equal(t, byte(1), tag)
		assert.Equal(t, "tunnel-secret", string(password))
	})
}

// A NAS that uses MS-CHAPv2 can take no challenge: a push is sent at once.
func TestMSCHAPv2LoginWithFreeRADIUS(t *testing.T) {
	upstream := freeradiustest.Start(t, freeradiustest.Config{})
	w := newWorld(t)
	w.service.Unknown = &duotest.User{}
	w.server.Auto = &radmfa.Auto{}
	w.server.Primary = &radiusauth.Authenticator{
		Servers: []radiusauth.Server{{Address: upstream.Addr, Secret: upstream.Secret}},
	}
	w.start()
	challenge, peer := bytes.Repeat([]byte{1}, 16), bytes.Repeat([]byte{2}, 16)
	login := func(password string) (request, reply *radius.Packet) {
		request, err := w.nas.NewRequest("alice", "", nil)
		require.NoError(t, err)
		request.Del(rfc2865.UserPassword_Type)
		hash, err := rfc2759.GenerateNTResponse(challenge, peer, []byte("alice"), []byte(password))
		require.NoError(t, err)
		require.NoError(t, microsoft.MSCHAPChallenge_Add(request, challenge))
		require.NoError(t, microsoft.MSCHAP2Response_Add(request, slices.Concat([]byte{1, 0}, peer, make([]byte, 8), hash)))
		reply, err = w.nas.Exchanger.Exchange(t.Context(), request, serverAddr)
		require.NoError(t, err)
		return request, reply
	}

	request, reply := login("alice-pw")
	require.Equal(t, radius.CodeAccessAccept, reply.Code, upstream.Log())
	hash, err := rfc2759.GenerateNTResponse(challenge, peer, []byte("alice"), []byte("alice-pw"))
	require.NoError(t, err)
	proof, err := rfc2759.GenerateAuthenticatorResponse(challenge, peer, hash, []byte("alice"), []byte("alice-pw"))
	require.NoError(t, err)
	assert.Equal(t, "\x01"+proof, microsoft.MSCHAP2Success_GetString(reply), "the NAS can tell that the server knew the password")
	key, err := rfc3079.MakeKey(hash, []byte("alice-pw"), false)
	require.NoError(t, err)
	assert.Equal(t, key, microsoft.MSMPPERecvKey_Get(reply, request), "the keys are encrypted for the NAS")
	assert.Equal(t, 1, w.service.Count(pathAuth))

	_, reply = login("guess")
	assert.Equal(t, radius.CodeAccessReject, reply.Code)
	assert.Contains(t, microsoft.MSCHAPError_GetString(reply), "E=691")
	assert.Equal(t, 1, w.service.Count(pathAuth))
}

// answerWith is NAS.Answer that gives the request as well.
func answerWith(t *testing.T, w *world, challenge *radiustest.Reply, username, answer string) (request, reply *radius.Packet) {
	request, err := w.nas.NewRequest(username, answer, rfc2865.State_Get(challenge.Packet))
	require.NoError(t, err)
	reply, err = w.nas.Exchanger.Exchange(t.Context(), request, serverAddr)
	require.NoError(t, err)
	require.Equal(t, radius.CodeAccessAccept, reply.Code)
	return request, reply
}

// hexLines is a packet's attributes as freeradiustest writes them, but for those
// of the transport and the texts.
func hexLines(p *radius.Packet) string {
	var lines []string
	for _, a := range p.Attributes {
		if a.Type != rfc2869.MessageAuthenticator_Type {
			lines = append(lines, fmt.Sprint(int(a.Type), " ", hex.EncodeToString(a.Attribute)))
		}
	}
	return strings.Join(lines, "\n")
}
