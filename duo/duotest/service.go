package duotest

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// What a Service takes for its empty fields.
const (
	DefaultHost           = "api-test.duosecurity.com"
	DefaultIntegrationKey = "DITESTTESTTESTTEST00"
	DefaultSecretKey      = "test-secret-key-test-secret-key-test-key"
)

// Service is a Duo service for tests: an http.Handler, and an http.RoundTripper
// that needs no network. The zero value knows no users. A Service is safe for
// concurrent use, but its fields must not change while a call is under way.
type Service struct {
	// IntegrationKey and SecretKey are what requests must be signed with. Empty:
	// DefaultIntegrationKey and DefaultSecretKey.
	IntegrationKey string
	SecretKey      duo.Secret

	// Users are by name, as it comes in requests.
	Users map[string]*User

	// Unknown is what all other names are. Nil: they have to enroll.
	Unknown *User

	// TextPrompts says that preauth with text_prompt=1 gets a prompt.
	TextPrompts bool

	// LongPoll is how long auth_status waits for a change before it fails with
	// error 40002. Zero: as long as the transaction lasts.
	LongPoll time.Duration

	// Skew is what the service's clock is ahead of time.Now. Requests signed more
	// than five minutes before or after the service's time are refused.
	Skew time.Duration

	mu            sync.Mutex
	calls         []Call
	faults        []*armed
	transactions  []*transaction
	enrollments   map[string]*enrollment // by activation code
	state         map[string]*userState  // by user name
	serial, codes int
}

// Client returns a new client with the right keys that reaches s in memory. It
// may be changed before its first call.
func (s *Service) Client() *duo.Client {
	ikey, skey := s.keys()
	return &duo.Client{
		Host:           DefaultHost,
		IntegrationKey: ikey,
		SecretKey:      skey,
		HTTPClient:     &http.Client{Transport: s},
	}
}

// Format implements fmt.Formatter: fmt would follow a pointer to a Service without
// asking the fields how to print them.
func (s *Service) Format(f fmt.State, _ rune) {
	_, _ = fmt.Fprintf(f, "duotest.Service(%d users)", len(s.Users))
}

func (s *Service) keys() (string, duo.Secret) {
	ikey, skey := s.IntegrationKey, s.SecretKey
	if ikey == "" {
		ikey = DefaultIntegrationKey
	}
	if skey == "" {
		skey = DefaultSecretKey
	}
	return ikey, skey
}

func (s *Service) now() time.Time { return time.Now().Add(s.Skew) }

// ServeHTTP implements http.Handler.
func (s *Service) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.serve(w, r, s.nextFault(r.URL.Path))
}

func (s *Service) serve(w http.ResponseWriter, r *http.Request, f *Fault) {
	c, body, fail := readCall(w, r)
	s.record(c)
	out := f.reply(r.Context())
	switch {
	case out != nil:
	case fail != nil:
		out = fail.reply()
	default:
		out = s.reply(r, c, body)
	}
	if _, set := out.header["Date"]; !set {
		out.header.Set("Date", s.now().UTC().Format(http.TimeFormat))
	}
	out.write(w, r, f)
}

// reply is the answer to a call.
func (s *Service) reply(r *http.Request, c *Call, body []byte) *reply {
	if c.Path != "/auth/v2/ping" {
		if fail := s.verify(r, c, body); fail != nil {
			return fail.reply()
		}
	}
	response, fail := s.handle(r.Context(), c)
	if fail != nil {
		return fail.reply()
	}
	if image, ok := response.([]byte); ok {
		return &reply{status: http.StatusOK, header: http.Header{"Content-Type": {"image/png"}}, body: image}
	}
	return envelope(http.StatusOK, map[string]any{"stat": "OK", "response": response})
}

func (s *Service) handle(ctx context.Context, c *Call) (any, *failure) {
	switch c.Method + " " + c.Path {
	case "GET /auth/v2/ping", "GET /auth/v2/check":
		return map[string]any{"time": s.now().Unix()}, nil
	case "GET /auth/v2/logo":
		return logo(), nil
	case "POST /auth/v2/preauth":
		return s.preauth(c)
	case "POST /auth/v2/auth":
		return s.auth(ctx, c)
	case "GET /auth/v2/auth_status":
		return s.authStatus(ctx, c)
	case "POST /auth/v2/enroll":
		return s.enroll(c)
	case "POST /auth/v2/enroll_status":
		return s.enrollStatus(c)
	}
	return nil, &failure{code: 40401}
}
