package duotest

import (
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Call is one request that the service received.
type Call struct {
	Time   time.Time // by time.Now, not by the service's clock
	Method string
	Path   string // "/auth/v2/preauth"
	Params url.Values
	Header http.Header
}

// Calls returns what the service has received so far, the first call first. It
// includes calls that met a fault.
func (s *Service) Calls() []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.calls)
}

// Count returns how many calls to a path such as "/auth/v2/auth" the service has
// received. It panics when there is no such call.
func (s *Service) Count(path string) int {
	mustBeCall(path)
	n := 0
	for _, c := range s.Calls() {
		if c.Path == path {
			n++
		}
	}
	return n
}

func mustBeCall(path string) {
	switch path {
	case "/auth/v2/ping", "/auth/v2/check", "/auth/v2/logo", "/auth/v2/enroll", "/auth/v2/enroll_status",
		"/auth/v2/preauth", "/auth/v2/auth", "/auth/v2/auth_status":
	default:
		panic("duotest: the Auth API has no call " + path + "; one is /auth/v2/preauth")
	}
}

func (s *Service) record(c *Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, *c)
}

// readCall takes a request apart. It returns the call and the bytes of its body
// even where it fails.
func readCall(w http.ResponseWriter, r *http.Request) (*Call, []byte, *failure) {
	c := &Call{Time: time.Now(), Method: r.Method, Path: r.URL.Path, Params: r.URL.Query(), Header: r.Header}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		return c, nil, &failure{code: 40000}
	}
	if r.Method != http.MethodPost {
		return c, body, nil
	}
	kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
	switch kind {
	case "application/x-www-form-urlencoded":
		c.Params, err = url.ParseQuery(string(body))
	case "application/json":
		var object map[string]string
		err = json.Unmarshal(body, &object)
		c.Params = make(url.Values)
		for name, value := range object {
			c.Params.Set(name, value)
		}
	default:
		return c, body, &failure{code: 40106}
	}
	if err != nil {
		return c, body, &failure{code: 40000}
	}
	return c, body, nil
}
