package duotest_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
)

// raw sends a request that no good client would send and returns the answer.
func raw(t *testing.T, svc *duotest.Service, change func(*http.Request), body string) string {
	t.Helper()
	r := httptest.NewRequest(http.MethodPost, "https://"+duotest.DefaultHost+"/auth/v2/preauth", strings.NewReader(body))
	r.RequestURI = ""
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Date", time.Now().UTC().Format(time.RFC1123Z))
	r.SetBasicAuth(duotest.DefaultIntegrationKey, "wrong")
	change(r)
	resp, err := svc.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(answer)
}

func TestBadRequestsAreRefusedAsTheServiceDoes(t *testing.T) {
	svc := new(duotest.Service)
	for name, tt := range map[string]struct {
		change func(*http.Request)
		body   string
		code   string
	}{
		"signature":       {func(*http.Request) {}, "username=jdoe", "40103"},
		"no credentials":  {func(r *http.Request) { r.Header.Del("Authorization") }, "", "40101"},
		"integration key": {func(r *http.Request) { r.SetBasicAuth("DIOTHER", "wrong") }, "", "40102"},
		"no date":         {func(r *http.Request) { r.Header.Del("Date") }, "", "40104"},
		"nonsense date":   {func(r *http.Request) { r.Header.Set("Date", "today") }, "", "40105"},
		"old date":        {func(r *http.Request) { r.Header.Set("X-Duo-Date", "Tue, 21 Aug 2012 17:29:18 -0000") }, "", "40105"},
		"content type":    {func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }, "", "40106"},
		"bad form":        {func(*http.Request) {}, "a=%zz", "40000"},
		"bad JSON":        {func(r *http.Request) { r.Header.Set("Content-Type", "application/json") }, "[]", "40000"},
		"far too long":    {func(*http.Request) {}, strings.Repeat("x", 2<<20), "40000"},
	} {
		assert.Contains(t, raw(t, svc, tt.change, tt.body), `"code":`+tt.code+",", name)
	}
}

func TestIncompleteRequestsAreRefused(t *testing.T) {
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	key := duotest.DefaultSecretKey
	for params, want := range map[string]string{
		"factor=push":                          `"code":40001,"message":"Missing required request parameters","message_detail":"username"`,
		"factor=push&user_id=DU&username=jdoe": `"code":40002,"message":"Invalid request parameters","message_detail":"user_id"`,
		"username=jdoe":                        `"code":40001,"message":"Missing required request parameters","message_detail":"factor"`,
		"factor=push&username=jdoe":            `"code":40001,"message":"Missing required request parameters","message_detail":"device"`,
		"factor=passcode&username=jdoe":        `"code":40001,"message":"Missing required request parameters","message_detail":"passcode"`,
		"device=auto&factor=passcode&passcode=123456&username=jdoe": `"code":40002,"message":"Invalid request parameters","message_detail":"device"`,
	} {
		answer := raw(t, svc, func(r *http.Request) {
			r.URL.Path = "/auth/v2/auth"
			r.SetBasicAuth(duotest.DefaultIntegrationKey, signed(key, r.Header.Get("Date"), "POST", r.URL.Path, params))
		}, params)
		assert.Contains(t, answer, want, params)
	}
	answer := raw(t, svc, func(r *http.Request) {
		r.URL.Path = "/auth/v2/none"
		r.SetBasicAuth(duotest.DefaultIntegrationKey, signed(key, r.Header.Get("Date"), "POST", r.URL.Path, ""))
	}, "")
	assert.Contains(t, answer, `"code":40401`)
}
