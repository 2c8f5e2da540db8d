package duo

import (
	"context"
	"crypto/x509"
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

	// Timeout bounds calls that wait for no person: all but Auth, AuthStatus and
	// Wait, which only their ctx bounds. A pause that the service orders (HTTP
	// status 429) does not count. Zero: 10 s. Negative: no limit.
	Timeout time.Duration

	// RootCAs are the authorities that may have signed the service's
	// certificate. Nil: the system's.
	RootCAs *x509.CertPool

	// Proxy chooses the HTTP proxy of a request, such as
	// http.ProxyURL(&url.URL{...}), where the URL may hold credentials. Nil: the
	// environment (HTTPS_PROXY, NO_PROXY). For none, return nil.
	Proxy func(*http.Request) (*url.URL, error)

	// HTTPClient, if not nil, sends the requests in place of our own transports:
	// RootCAs and Proxy are then not used, its Timeout also ends calls that wait
	// for a person, and redirects are never followed.
	HTTPClient *http.Client

	// OnBreaker, if not nil, is told when Preauth begins to fail at once, since
	// the service was unavailable several times in a row (open is true, cause is
	// the last failure), and when the service is back (open is false, cause is
	// nil). It is called by the goroutine that found out and must return soon.
	OnBreaker func(open bool, cause error)

	once    sync.Once
	invalid error // what is wrong with the fields above
	web     web
	clock   clock
	breaker breaker
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
}

func (k *call) path() string { return "/auth/v2/" + k.name }

// do makes a call and returns the response of its envelope, and the answer it
// came in. Each error but that of a wrong Client is an *Error.
func (c *Client) do(ctx context.Context, k *call) (json.RawMessage, *answer, error) {
	if err := c.Validate(); err != nil {
		return nil, nil, err
	}
	for again := (repeats{}); ; {
		response, a, err := c.ask(ctx, k)
		if err == nil {
			return response, a, nil
		}
		if !again.wait(ctx, c, k, a, err) {
			return nil, nil, err
		}
	}
}

// Validate reports what is wrong with the fields, without asking anybody.
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
	c.web.setUp(c.HTTPClient, c.RootCAs, c.Proxy)
}

// ask makes a call within Timeout. After a connection error it tries again, on a
// fresh connection, unless the service may have received what it must not get
// twice.
func (c *Client) ask(ctx context.Context, k *call) (json.RawMessage, *answer, *Error) {
	parent, limit := ctx, c.Timeout
	if limit == 0 {
		limit = defaultTimeout
	}
	if limit > 0 && !k.waits {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	for try := 0; ; try++ {
		a, sent, err := c.send(ctx, k)
		if err != nil && ctx.Err() != nil {
			err = ended(parent, ctx, limit)
		}
		switch {
		case a != nil:
			a.err = err
			response, failure := a.open(k)
			return response, a, failure
		case sent && (k.once || errors.Is(err, context.DeadlineExceeded)), !reconnect(ctx, &c.web, try, err):
			return nil, nil, &Error{Call: k.name, Err: err}
		}
	}
}

// ended says why a call has stopped. It is always a context.Canceled or
// context.DeadlineExceeded, whatever cause the caller gave its context.
func ended(parent, ctx context.Context, limit time.Duration) error {
	if parent.Err() == nil {
		return fmt.Errorf("no answer within %v: %w", limit, ctx.Err())
	}
	return fmt.Errorf("no answer in time: %w", parent.Err())
}

// send sends one request and reads the answer. An error comes with what was
// answered so far, if anything, and whether the service may have received the
// request.
func (c *Client) send(ctx context.Context, k *call) (a *answer, sent bool, err error) {
	var asked, wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		GetConn:      func(string) { asked.Store(true) },
		WroteHeaders: func() { wrote.Store(true) },
	})
	req, err := c.request(ctx, k)
	if err != nil {
		return nil, false, err
	}
	resp, err := c.web.do(req)
	if err != nil {
		// A transport that knows nothing of traces may have sent anything.
		return nil, wrote.Load() || !asked.Load(), withoutURL(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		err = fmt.Errorf("the answer broke off: %w", err)
	} else if len(body) > maxBody {
		err = fmt.Errorf("the answer is longer than %d bytes", maxBody)
	}
	return &answer{status: resp.StatusCode, header: resp.Header, body: body}, true, err
}

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
