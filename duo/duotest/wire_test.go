package duotest_test

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// signed is the signature of the documentation, once more.
func signed(key, date, method, path, params string) string {
	mac := hmac.New(sha512.New, []byte(key))
	mac.Write([]byte(strings.Join([]string{date, method, duotest.DefaultHost, path, params}, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}

// What a client sees of a fault must not hang on how it reaches the service.
func TestFaultsAreTheSameInMemoryAndOverTLS(t *testing.T) {
	memory := func(t *testing.T, svc *duotest.Service) *duo.Client { return svc.Client() }
	overTLS := func(http2 bool) func(*testing.T, *duotest.Service) *duo.Client {
		return func(t *testing.T, svc *duotest.Service) *duo.Client {
			server := httptest.NewUnstartedServer(svc)
			server.EnableHTTP2 = http2
			server.StartTLS()
			t.Cleanup(server.Close)
			client := svc.Client()
			client.Host, client.HTTPClient = server.Listener.Addr().String(), server.Client()
			return client
		}
	}
	for name, reach := range map[string]func(*testing.T, *duotest.Service) *duo.Client{
		"memory": memory, "HTTP/1.1": overTLS(false), "HTTP/2": overTLS(true),
	} {
		for fault, tt := range map[string]struct {
			duotest.Fault
			status int
		}{
			"refuse":   {duotest.Fault{Refuse: true}, 0},
			"reset":    {duotest.Fault{Reset: true}, 0},
			"truncate": {duotest.Fault{Truncate: true}, 200},
			"stall":    {duotest.Fault{Stall: true}, 200},
			"silence":  {duotest.Fault{Delay: time.Hour}, 0},
			"status":   {duotest.Fault{Status: 503}, 503},
			"code":     {duotest.Fault{Code: 50000}, 500},
			"redirect": {duotest.Fault{Status: 302, Header: http.Header{"Location": {"https://127.0.0.1:1/"}}}, 302},
			"empty":    {duotest.Fault{Status: 200}, 200},
		} {
			t.Run(name+"/"+fault, func(t *testing.T) {
				t.Parallel()
				svc := new(duotest.Service)
				client := reach(t, svc)
				client.Timeout = 500 * time.Millisecond
				tt.Times = -1
				svc.Break("", tt.Fault)
				_, err := client.Check(t.Context())
				var e *duo.Error
				if assert.ErrorAs(t, err, &e) {
					assert.Equal(t, tt.status, e.Status)
					assert.True(t, e.Unavailable())
				}
			})
		}
	}
}

// FuzzServeHTTP sends arbitrary requests, signed and not.
func FuzzServeHTTP(f *testing.F) {
	f.Add("POST", "/auth/v2/preauth", "username=jdoe&text_prompt=1&client_supports_verified_push=1", "application/x-www-form-urlencoded", true)
	f.Add("POST", "/auth/v2/auth", "device=auto&factor=push&username=jdoe", "application/x-www-form-urlencoded", true)
	f.Add("POST", "/auth/v2/auth", "factor=prompt&prompt=verified_push999&username=jdoe", "application/x-www-form-urlencoded", true)
	f.Add("POST", "/auth/v2/enroll", "username=new&valid_secs=-1", "application/x-www-form-urlencoded", true)
	f.Add("POST", "/auth/v2/preauth", `{"username":"jdoe"}`, "application/json", false)
	f.Add("GET", "/auth/v2/auth_status", "", "", true)
	f.Fuzz(func(t *testing.T, method, path, body, kind string, sign bool) {
		svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}, TextPrompts: true}
		r, err := http.NewRequest(method, "https://"+duotest.DefaultHost, strings.NewReader(body))
		if err != nil {
			t.Skip()
		}
		r.URL.Path = path
		date := time.Now().UTC().Format(time.RFC1123Z)
		r.Header.Set("Date", date)
		r.Header.Set("Content-Type", kind)
		signature := "none"
		if sign {
			signature = signed(duotest.DefaultSecretKey, date, method, path, body)
		}
		r.SetBasicAuth(duotest.DefaultIntegrationKey, signature)
		resp, err := svc.RoundTrip(r)
		if assert.NoError(t, err) {
			defer resp.Body.Close()
			assert.GreaterOrEqual(t, resp.StatusCode, 200)
		}
		assert.Len(t, svc.Calls(), 1)
	})
}
