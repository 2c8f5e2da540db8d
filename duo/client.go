package duo

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const (
	defaultTimeout = 10 * time.Second
	userAgent      = "radmfa (+https://github.com/radmfa/radmfa)"
)

// Client calls the Auth API of one application. Host, IntegrationKey and
// SecretKey are required. A Client is safe for concurrent use; its fields must
// not change after the first call, and it must not be copied.
type Client struct {
	// Host is the API host of the application, "api-XXXXXXXX.duosecurity.com",
	// with ":port" where that is not 443.
	Host string

	// IntegrationKey and SecretKey are the application's keys.
	IntegrationKey string
	SecretKey      Secret

	// Timeout limits calls that do not wait for a person: all but Auth, AuthStatus
	// and Wait, which only their ctx limits. It includes repetitions and the pauses
	// that the service orders (HTTP status 429). Zero: 10 s. Negative: no limit.
	Timeout time.Duration

	// TLSConfig is what TLS uses, such as RootCAs, the authorities that may have
	// signed the service's certificate. Nil: TLS 1.2 and the system's authorities.
	TLSConfig *tls.Config

	// Proxy chooses the HTTP proxy of a request, such as
	// http.ProxyURL(&url.URL{...}), where the URL may hold credentials. Nil: the
	// environment (HTTPS_PROXY, NO_PROXY). For none, return nil.
	Proxy func(*http.Request) (*url.URL, error)

	// HTTPClient, if not nil, sends the requests in place of our own transports:
	// TLSConfig and Proxy are then not used, its Timeout also ends calls that wait
	// for a person, and redirects are never followed.
	HTTPClient *http.Client

	// OnOutage, if not nil, is called when an outage begins (the service could not
	// be reached several times in a row; cause is the last failure) and when it has
	// ended (cause is nil). During one, Preauth asks a quick probe first, shared by
	// all calls, and fails at once while the service is out of reach. OnOutage is
	// called by the goroutine that found out and must return soon.
	OnOutage func(began bool, cause error)

	once    sync.Once
	invalid error // what is wrong with the fields above
	web     web
	clock   clock
	outage  outage
}

// call is one thing to ask the service.
type call struct {
	name     string // last part of the path
	method   string
	params   url.Values
	unsigned bool
	image    bool // answered by a PNG image without an envelope
	waits    bool // for a person
	once     bool // must not reach the service twice
	probe    bool // goes out on a connection of its own
}

func (k *call) path() string { return "/auth/v2/" + k.name }

// do makes a call within Timeout and returns the response of its envelope, and
// the answer it came in. Each error but that of a wrong Client is an *Error.
func (c *Client) do(ctx context.Context, k *call) (json.RawMessage, *answer, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	t := timed{parent: ctx, limit: c.Timeout}
	if t.limit == 0 {
		t.limit = defaultTimeout
	}
	if t.limit > 0 && !k.waits {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, t.limit)
		defer cancel()
	}
	if !k.waits {
		if err := c.web.enter(ctx); err != nil {
			return nil, nil, &Error{Call: k.name, Err: ended(err, t, ctx)}
		}
		defer c.web.leave()
	}
	for again := (repeats{}); ; {
		response, a, err := c.ask(ctx, t, k)
		if err == nil {
			return response, a, nil
		}
		if !again.wait(ctx, c, k, a, err) {
			return nil, nil, err.without(k.params)
		}
	}
}

// timed says what limits a call.
type timed struct {
	parent context.Context
	limit  time.Duration
}

// Product returns "Duo", what menus call this second factor.
func (c *Client) Product() string { return "Duo" }

// Application returns the integration key, which names the application.
func (c *Client) Application() string { return c.IntegrationKey }

// ClockOffset returns how far the service's clock was ahead of this machine's
// when it last said what time it is. Requests are signed by the service's clock.
func (c *Client) ClockOffset() time.Duration { return time.Duration(c.clock.offset.Load()) }

// Validate reports what is wrong with the fields, without network access.
func (c *Client) Validate() error {
	c.once.Do(c.setUp)
	return c.invalid
}

// CloseIdleConnections closes connections that no call uses at the moment.
func (c *Client) CloseIdleConnections() {
	c.once.Do(c.setUp)
	c.web.closeIdle()
}

// setUp checks the fields and makes the transports.
func (c *Client) setUp() {
	u, err := url.Parse("https://" + c.Host)
	switch {
	case err != nil || u.Host != c.Host || u.Hostname() == "":
		c.invalid = fmt.Errorf("duo: Client.Host is %q, want a host name such as api-XXXXXXXX.duosecurity.com", c.Host)
	case c.IntegrationKey == "" || strings.Contains(c.IntegrationKey, ":"):
		c.invalid = errors.New("duo: Client.IntegrationKey is missing or has a colon, want the application's integration key")
	case c.SecretKey == "":
		c.invalid = errors.New("duo: Client.SecretKey is missing, want the application's secret key")
	}
	c.web.setUp(c.HTTPClient, c.TLSConfig, c.Proxy)
}

// ask makes a call. After a connection error it tries again, on a fresh
// connection, unless the service may have received what it must not get twice.
func (c *Client) ask(ctx context.Context, t timed, k *call) (json.RawMessage, *answer, *Error) {
	for try := 0; ; try++ {
		a, sent, err := c.send(ctx, k)
		if err != nil && ctx.Err() != nil {
			err = ended(err, t, ctx)
		}
		switch {
		case a != nil:
			a.err = err
			response, failure := a.open(k)
			if failure != nil && failure.Status == http.StatusUnauthorized {
				failure.skew = c.clock.skew(a.header)
			}
			return response, a, failure
		case sent && (k.once || errors.Is(err, context.DeadlineExceeded)), !reconnect(ctx, &c.web, try, err):
			return nil, nil, &Error{Call: k.name, Err: err}
		}
	}
}

// ended says why a call has stopped, whatever err says about it: the end of a
// context is always context.Canceled or context.DeadlineExceeded, whatever cause
// the caller gave it.
func ended(err error, t timed, ctx context.Context) error {
	why := fmt.Errorf("no answer in time: %w", ctx.Err())
	if t.parent != nil && t.parent.Err() == nil {
		why = fmt.Errorf("no answer within %v: %w", t.limit, ctx.Err())
	}
	var want *wantError
	var waited *waitedError
	switch {
	case errors.As(err, &waited):
		return &waitedError{why}
	case errors.As(err, &want):
		return &wantError{fmt.Errorf("this machine was too busy to wait for it: %w", why)}
	}
	return why
}

// send sends one request and reads the answer. An error comes with what was
// answered so far, if anything, and whether the service may have received the
// request.
func (c *Client) send(ctx context.Context, k *call) (a *answer, sent bool, err error) {
	t := &tracker{}
	req, err := c.request(httptrace.WithClientTrace(ctx, t.trace()), k)
	if err != nil {
		return nil, false, err
	}
	resp, err := c.web.do(req, k.probe)
	if err != nil {
		return nil, t.maySent(), classify(ctx, t.maySent(), withoutURL(err))
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		err = classify(ctx, true, fmt.Errorf("the answer broke off: %w", err))
	} else if len(body) > maxBody {
		err = fmt.Errorf("the answer is longer than %d bytes", maxBody)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, true, err
}

// tracker follows how far a request got.
type tracker struct{ asked, wrote atomic.Bool }

func (t *tracker) trace() *httptrace.ClientTrace {
	return &httptrace.ClientTrace{
		GetConn:      func(string) { t.asked.Store(true) },
		WroteHeaders: func() { t.wrote.Store(true) },
	}
}

// maySent reports whether the service may have received the request. A transport
// that knows nothing of traces may have sent anything.
func (t *tracker) maySent() bool { return t.wrote.Load() || !t.asked.Load() }

// request makes a request, signed as of now.
func (c *Client) request(ctx context.Context, k *call) (*http.Request, error) {
	params, target := encode(k.params), "https://"+c.Host+k.path()
	var body io.Reader
	if k.method == http.MethodPost {
		body = strings.NewReader(params)
	} else if params != "" {
		target += "?" + params
	}
	req, err := http.NewRequestWithContext(ctx, k.method, target, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", userAgent)
	if body != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if !k.unsigned {
		date := c.clock.now().UTC().Format(time.RFC1123Z)
		req.Header.Set("X-Duo-Date", date)
		req.SetBasicAuth(c.IntegrationKey, sign(c.SecretKey, date, k.method, req.URL.Hostname(), k.path(), params))
	}
	return req, nil
}

// withoutURL takes off the URL that package http puts before an error: it says
// nothing that the call's name does not, and may hold a transaction's id.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}
