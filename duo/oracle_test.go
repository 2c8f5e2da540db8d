package duo_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"

	duoapi "github.com/duosecurity/duo_api_golang"
	"github.com/duosecurity/duo_api_golang/authapi"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// official is the vendor's own client, which reaches svc by a transport.
func official(ikey, skey, host string, by http.RoundTripper) *authapi.AuthApi {
	api := duoapi.NewDuoApi(ikey, skey, host, "test")
	api.SetCustomHTTPClient(&http.Client{Transport: by})
	return authapi.NewAuthApi(*api)
}

// Awkward values for everything that is encoded and signed.
const awkward = `J. Döe+x&y=z~*'()!-_%2f /` + "\u20ac"

func TestOurSignaturesAreThoseOfTheOfficialClient(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // both at the same second
		svc := &duotest.Service{Users: map[string]*duotest.User{awkward: {Passcodes: []string{awkward}}}}
		ours := svc.Client()
		theirs := official(ours.IntegrationKey, string(ours.SecretKey), ours.Host, svc)

		for name, tt := range map[string]struct{ ours, theirs func() error }{
			"check": {
				func() error { _, err := ours.Check(t.Context()); return err },
				func() error { _, err := theirs.Check(); return err },
			},
			"logo": {
				func() error { _, err := ours.Logo(t.Context()); return err },
				func() error { _, err := theirs.Logo(); return err },
			},
			"preauth": {
				func() error {
					_, err := ours.Preauth(t.Context(), &duo.PreauthRequest{Username: awkward, TrustedDeviceToken: awkward})
					return err
				},
				func() error {
					_, err := theirs.Preauth(authapi.PreauthUsername(awkward), authapi.PreauthTrustedToken(awkward))
					return err
				},
			},
			"auth": {
				func() error {
					_, err := ours.Auth(t.Context(), &duo.AuthRequest{Username: awkward, Factor: duo.FactorPasscode, Passcode: awkward})
					return err
				},
				func() error {
					_, err := theirs.Auth("passcode", authapi.AuthUsername(awkward), authapi.AuthPasscode(awkward))
					return err
				},
			},
			"auth_status": {
				func() error { _, _ = ours.AuthStatus(t.Context(), awkward); return nil },
				func() error { _, err := theirs.AuthStatus(awkward); return err },
			},
		} {
			require.NoError(t, tt.ours())
			require.NoError(t, tt.theirs())
			calls := svc.Calls()
			our, their := calls[len(calls)-2], calls[len(calls)-1]
			assert.Equal(t, "/auth/v2/"+name, our.Path)
			assert.Equal(t, their.Path, our.Path)
			assert.Equal(t, their.Params, our.Params)
			assert.Equal(t, their.Header.Get("Date"), our.Header.Get("X-Duo-Date"))
			assert.Equal(t, their.Header.Get("Authorization"), our.Header.Get("Authorization"))
		}
	})
}

func TestTheOfficialClientWorksWithTheFake(t *testing.T) {
	svc := service("jdoe", &duotest.User{Passcodes: []string{"123456"}})
	server := httptest.NewTLSServer(svc)
	defer server.Close()
	host := server.Listener.Addr().String()
	client := official(duotest.DefaultIntegrationKey, duotest.DefaultSecretKey, host, server.Client().Transport)

	ping, err := client.Ping()
	require.NoError(t, err)
	assert.NotZero(t, ping.Response.Time)
	check, err := client.Check()
	require.NoError(t, err)
	assert.Equal(t, "OK", check.Stat)

	pre, err := client.Preauth(authapi.PreauthUsername("jdoe"), authapi.PreauthIpAddr("192.0.2.7"))
	require.NoError(t, err)
	assert.Equal(t, "auth", pre.Response.Result)
	assert.Equal(t, "XXX-XXX-1234", pre.Response.Devices[0].Number)

	auth, err := client.Auth("push", authapi.AuthUsername("jdoe"), authapi.AuthDevice("auto"), authapi.AuthPushinfo("a=b%20c"))
	require.NoError(t, err)
	assert.Equal(t, "allow", auth.Response.Result)
	auth, err = client.Auth("passcode", authapi.AuthUsername("jdoe"), authapi.AuthPasscode("0"))
	require.NoError(t, err)
	assert.Equal(t, "deny", auth.Response.Result)

	auth, err = client.Auth("phone", authapi.AuthUsername("jdoe"), authapi.AuthDevice("auto"), authapi.AuthAsync())
	require.NoError(t, err)
	var states []string
	for range 3 {
		status, err := client.AuthStatus(auth.Response.Txid)
		require.NoError(t, err)
		states = append(states, status.Response.Status)
	}
	assert.Equal(t, []string{"calling", "answered", "allow"}, states)

	enroll, err := client.Enroll(authapi.EnrollUsername("new"), authapi.EnrollValidSeconds(60))
	require.NoError(t, err)
	state, err := client.EnrollStatus(enroll.Response.User_Id, enroll.Response.Activation_Code)
	require.NoError(t, err)
	assert.Equal(t, "waiting", state.Response)

	wrong, err := official(duotest.DefaultIntegrationKey, "wrong", host, server.Client().Transport).Check()
	require.NoError(t, err)
	assert.Equal(t, int32(40103), *wrong.Code)
}

// The newer signature of the official client covers a JSON body.
func TestTheFakeTakesTheNewerSignature(t *testing.T) {
	svc := service("jdoe", &duotest.User{})
	client := official(duotest.DefaultIntegrationKey, duotest.DefaultSecretKey, duotest.DefaultHost, svc)
	for _, params := range []duoapi.JSONParams{{}, {"username": "jdoe", "client_supports_verified_push": "1"}} {
		resp, body, err := client.JSONSignedCall(http.MethodPost, "/auth/v2/preauth", params)
		require.NoError(t, err)
		resp.Body.Close()
		assert.NotEqual(t, http.StatusUnauthorized, resp.StatusCode, string(body))
	}
	resp, body, err := client.JSONSignedCall(http.MethodGet, "/auth/v2/auth_status", duoapi.JSONParams{"txid": "a b"})
	require.NoError(t, err)
	resp.Body.Close()
	assert.Equal(t, http.StatusBadRequest, resp.StatusCode, string(body))
}
