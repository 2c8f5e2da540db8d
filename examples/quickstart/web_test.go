package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/radius/radiustest"
)

// bubble is the page's program without a browser, where a minute takes no time.
func bubble(t *testing.T, test func(*testing.T, *browser)) {
	synctest.Test(t, func(t *testing.T) {
		network := &radiustest.Network{}
		conn, err := network.Listen("127.0.0.1:1812")
		require.NoError(t, err)
		b, err := newBrowser(conn, slog.DiscardHandler)
		require.NoError(t, err)
		b.nas.Exchanger.Dial = network.Dialer("127.0.0.1")
		test(t, b)
		assert.NoError(t, b.close())
	})
}

// send is a request to the page's program, which waits until nothing goes on.
func send(b *browser, method, path, body string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, "http://127.0.0.1:8080"+path, strings.NewReader(body))
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	b.handler().ServeHTTP(w, r)
	synctest.Wait()
	return w
}

// stream returns what a page that is opened now is sent at once.
func stream(b *browser) string {
	ctx, cancel := context.WithCancel(context.Background())
	go func() {
		synctest.Wait()
		cancel()
	}()
	return send(b, "GET", "/events", "", func(r *http.Request) { *r = *r.WithContext(ctx) }).Body.String()
}

func header(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

const jdoe = `{"username": "jdoe", "password": "correct horse"}`

func TestAPushOnThePageEndsAfterAMinute(t *testing.T) {
	bubble(t, func(t *testing.T, b *browser) {
		assert.Equal(t, http.StatusNoContent, send(b, "POST", "/login", jdoe).Code)
		assert.Contains(t, b.stateJSON(), `"state":"challenge"`)
		assert.Equal(t, http.StatusNoContent, send(b, "POST", "/answer", `{"answer": "1"}`).Code)
		time.Sleep(59 * time.Second)
		assert.Contains(t, b.stateJSON(), `"text":"Login request for jdoe"`)
		time.Sleep(2 * time.Second)
		assert.Contains(t, b.stateJSON(), `"state":"rejected"`)
		assert.Contains(t, b.stateJSON(), `"said":"Nobody answered."`)
		assert.Contains(t, send(b, "GET", "/message", "").Body.String(), "Login timed out.")
		assert.Contains(t, stream(b), `"times":12,`, "the retransmissions are one line")
		assert.Len(t, b.service.Transactions(), 1)
	})
}

func TestThePageEndsWithAPushUnderWay(t *testing.T) {
	bubble(t, func(t *testing.T, b *browser) {
		send(b, "POST", "/login", jdoe)
		send(b, "POST", "/answer", `{"answer": "1"}`)
		assert.Contains(t, b.stateJSON(), `"state":"waiting"`)
	})
}

func TestAServerThatIsGoneIsNamed(t *testing.T) {
	bubble(t, func(t *testing.T, b *browser) {
		b.nas.Secret = "another"
		send(b, "POST", "/login", jdoe)
		time.Sleep(71 * time.Second)
		assert.Contains(t, b.stateJSON(), `"state":"failed"`)
		assert.Contains(t, b.stateJSON(), "no reply from 127.0.0.1:1812")
		assert.Contains(t, stream(b), "bad Message-Authenticator")
	})
}

func TestThePageIsSentNoSecrets(t *testing.T) {
	bubble(t, func(t *testing.T, b *browser) {
		send(b, "POST", "/login", jdoe)
		state := string(b.reply.Get(24))
		require.NotEmpty(t, state)
		send(b, "POST", "/answer", `{"answer": "7654321"}`)
		sent := stream(b)
		assert.Contains(t, sent, `{"name":"User-Password","value":"********"}`)
		assert.Contains(t, sent, `{"name":"State","value":"`+state[:4]+`… (26 bytes)"}`)
		assert.Contains(t, sent, "radmfa: login rejected")
		for _, hidden := range []string{state, "correct horse", "7654321", secret} {
			assert.NotContains(t, sent, hidden)
		}
	})
}

// A name that points here, and a page that is open in another tab.
func TestOtherSitesGetNothing(t *testing.T) {
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	bubble(t, func(t *testing.T, b *browser) {
		for _, name := range []string{"evil.example", "evil.example:80", "127.0.0.1.evil.example:80", "192.0.2.1:80", "localhost.evil.example", ""} {
			for _, path := range []string{"/", "/events", "/message", "/script.js"} {
				assert.Equal(t, http.StatusForbidden, send(b, "GET", path, "", host(name)).Code, "%s %s", name, path)
			}
			assert.Equal(t, http.StatusForbidden, send(b, "POST", "/login", jdoe, host(name)).Code)
		}
		for _, name := range []string{"localhost:8080", "127.0.0.1", "[::1]:8080", "LOCALHOST:1"} {
			assert.Equal(t, http.StatusOK, send(b, "GET", "/", "", host(name)).Code, name)
		}
		for _, change := range []func(*http.Request){
			header("Sec-Fetch-Site", "cross-site"), header("Sec-Fetch-Site", "same-site"),
			header("Origin", "http://evil.example"), header("Origin", "http://127.0.0.1:9090"), header("Origin", "null"),
		} {
			for _, path := range []string{"/login", "/answer", "/cancel", "/phone"} {
				assert.Equal(t, http.StatusForbidden, send(b, "POST", path, jdoe, change).Code)
			}
		}
		assert.Contains(t, b.stateJSON(), `"state":"login"`)
		assert.Equal(t, http.StatusNoContent, send(b, "POST", "/login", jdoe, header("Origin", "http://127.0.0.1:8080")).Code)
	})
}

func TestWhatThePageMayLoad(t *testing.T) {
	bubble(t, func(t *testing.T, b *browser) {
		page := send(b, "GET", "/", "")
		policy := page.Header().Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'")
		assert.Contains(t, policy, "frame-ancestors 'none'")
		assert.NotContains(t, policy, "unsafe")
		assert.Contains(t, send(b, "GET", "/message", "").Header().Get("Content-Security-Policy"), "sandbox;")
		for _, path := range []string{"/", "/script.js", "/style.css", "/message.css", "/message"} {
			assert.NotRegexp(t, `https?:|url\(|@import|"//`, send(b, "GET", path, "").Body.String(), path)
		}
	})
}

func TestWhatThePageDoesNotServe(t *testing.T) {
	bubble(t, func(t *testing.T, b *browser) {
		for path, status := range map[string]int{
			"/index.html": http.StatusNotFound, "/absent": http.StatusNotFound, "/login": http.StatusNotFound,
			"/..%2fmain.go": http.StatusBadRequest, "/script.js": http.StatusOK, "/icon.svg": http.StatusOK,
		} {
			assert.Equal(t, status, send(b, "GET", path, "").Code, path)
		}
		for path, body := range map[string]string{
			"/answer": `{"answer": "1"}`, "/phone": `{"txid": "absent", "answer": "approve"}`,
		} {
			assert.Equal(t, http.StatusConflict, send(b, "POST", path, body).Code, path)
		}
		assert.Equal(t, http.StatusBadRequest, send(b, "POST", "/login", "username=jdoe").Code)
		assert.Equal(t, http.StatusBadRequest, send(b, "POST", "/login", `{"username": "`+strings.Repeat("x", 9000)+`"}`).Code)
	})
}

func TestTheFeedForgetsTheOldest(t *testing.T) {
	f := newFeed()
	for range maxItems + 10 {
		f.addJSON("log", "line")
	}
	items, next, _ := f.since(0)
	assert.Len(t, items, maxItems)
	assert.Equal(t, maxItems+10, next)
	items, _, more := f.since(next)
	assert.Empty(t, items)
	f.news()
	<-more
}

func TestThePageIsAtTheAddressThatIsPrinted(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	stdout, stderr := &screen{waitsFor: "Ctrl-C ends it."}, &bytes.Buffer{}
	printed := make(chan struct{})
	stdout.seen = func() { close(printed) }
	ended := make(chan int, 1)
	go func() { ended <- run(ctx, []string{"-web"}, nil, stdout, stderr) }()
	<-printed
	address := regexp.MustCompile(`http://127\.0\.0\.1:\d+/`).FindString(stdout.String())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	events, err := client.Get(address + "events")
	require.NoError(t, err)
	page, err := client.Get(address)
	require.NoError(t, err)
	body, err := io.ReadAll(page.Body)
	assert.NoError(t, errors.Join(err, page.Body.Close()))
	assert.Contains(t, string(body), "battery staple")
	interrupt()
	assert.Equal(t, exitAccept, <-ended)
	_, err = io.ReadAll(events.Body)
	assert.Error(t, err, "the stream ends with the program")
	assert.NoError(t, events.Body.Close())
	assert.Empty(t, stderr.String())
}
