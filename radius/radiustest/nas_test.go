package radiustest_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

const secret = "xyzzy5461"

// newNAS returns a NAS whose server answers so.
func newNAS(t *testing.T, handler radius.HandlerFunc) *radiustest.NAS {
	network := new(radiustest.Network)
	conn, err := network.Listen("192.0.2.1:1812")
	require.NoError(t, err)
	clients, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("192.0.2.7/32"), Secret: secret})
	require.NoError(t, err)
	server := &radius.Server{Clients: clients, Handler: handler, Logger: slog.New(slog.DiscardHandler)}
	ended := make(chan error)
	go func() { ended <- server.Serve(conn) }()
	t.Cleanup(func() {
		assert.NoError(t, server.Close())
		assert.Equal(t, radius.ErrServerClosed, <-ended)
	})
	return &radiustest.NAS{Server: "192.0.2.1:1812", Secret: secret,
		Exchanger: radius.Exchanger{Dial: network.Dialer("192.0.2.7")}}
}

func TestTheRequestsHoldTheNameThePasswordTheStateAndTheAttributes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var came []string
		nas := newNAS(t, func(w radius.ResponseWriter, r *radius.Request) {
			came = append(came, fmt.Sprintf("%s/%s/%s/%s", rfc2865.UserName_GetString(r.Packet),
				rfc2865.UserPassword_GetString(r.Packet), rfc2865.State_GetString(r.Packet), rfc2865.CallingStationID_GetString(r.Packet)))
			reply := r.Response(radius.CodeAccessChallenge)
			_ = rfc2865.State_SetString(reply, fmt.Sprint("state", len(came)))
			_ = rfc2865.ReplyMessage_AddString(reply, "One ")
			_ = rfc2865.ReplyMessage_AddString(reply, "and two")
			_ = w.Write(reply)
		})
		nas.Attributes.Add(rfc2865.CallingStationID_Type, []byte("198.51.100.7"))
		reply, err := nas.Login(t.Context(), "nemo", "", "1", "2")
		require.NoError(t, err)
		assert.Equal(t, []string{"nemo///198.51.100.7", "nemo/1/state1/198.51.100.7", "nemo/2/state2/198.51.100.7"}, came)
		assert.True(t, reply.Challenged())
		assert.False(t, reply.Accepted() || reply.Rejected())
		assert.Equal(t, "One and two", reply.Message())
		assert.Len(t, nas.Attributes, 1, "they are the caller's")
	})
}

func TestALoginThatDoesNotGoAsTheTestSaysIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		code := radius.CodeAccessReject
		nas := newNAS(t, func(w radius.ResponseWriter, r *radius.Request) { _ = w.Write(r.Response(code)) })
		_, err := nas.Login(t.Context(), "nemo", "password", "1")
		assert.EqualError(t, err, "radiustest: answer 1 of 1 is not asked for: Access-Reject")

		code = radius.CodeAccessChallenge
		_, err = nas.Login(t.Context(), "nemo", "password", "1")
		assert.EqualError(t, err, "radiustest: the challenge has no State")

		nas.Secret = "another"
		_, err = nas.Login(t.Context(), "nemo", "password", "1")
		assert.ErrorIs(t, err, radius.ErrNoReply)

		for name, login := range map[string][2]string{
			"User-Name":     {strings.Repeat("n", 254), "password"},
			"User-Password": {"nemo", strings.Repeat("p", 129)},
		} {
			_, err = nas.Login(t.Context(), login[0], login[1])
			assert.ErrorContains(t, err, "radiustest: "+name)
		}
		_, err = nas.NewRequest("nemo", "password", make([]byte, 254))
		assert.ErrorContains(t, err, "radiustest: State")
	})
}

func TestNothingPrintsTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nas := newNAS(t, func(w radius.ResponseWriter, r *radius.Request) {
			reply := r.Response(radius.CodeAccessChallenge)
			_ = rfc2865.State_SetString(reply, "secret state")
			_ = rfc2865.ReplyMessage_SetString(reply, "PIN?")
			_ = w.Write(reply)
		})
		reply, err := nas.Login(t.Context(), "nemo", "password")
		require.NoError(t, err)
		var out bytes.Buffer
		for _, v := range []any{*nas, nas, *reply, reply, []radiustest.Reply{*reply}} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
				fmt.Fprintf(&out, verb+"\n", v)
			}
			encoded, _ := json.Marshal(v) // a NAS has a function, so it has none
			out.Write(encoded)
			slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
			slog.New(slog.NewJSONHandler(&out, nil)).Info("json", "v", v)
		}
		assert.Contains(t, out.String(), `"Access-Challenge: PIN?"`)
		for _, hidden := range []string{secret, "secret state"} {
			assert.NotContains(t, out.String(), hidden)
			assert.NotContains(t, strings.ToLower(out.String()), fmt.Sprintf("%x", hidden))
			assert.NotContains(t, out.String(), base64.StdEncoding.EncodeToString([]byte(hidden))[:8])
			assert.NotContains(t, out.String(), strings.Trim(fmt.Sprintf("%d", []byte(hidden)), "[]"))
		}
	})
}
