package duotest

import (
	"context"
	"maps"
	"net/http"
	"time"
)

// Fault is something that goes wrong with a call. Delay comes first, whatever
// else is asked for. A Fault of no more than a Delay is only a slow service.
type Fault struct {
	// Times is how many calls meet the fault. Zero: one. Negative: all, until
	// Repair.
	Times int

	// Delay is how long the service thinks before anything else.
	Delay time.Duration

	// Refuse breaks the connection before the request is sent. The call does not
	// count as one. Over a real connection it is the same as Reset.
	Refuse bool

	// Reset breaks the connection when the request has been received.
	Reset bool

	// Truncate breaks it halfway through the answer.
	Truncate bool

	// Stall falls silent halfway through the answer, until the client gives up.
	Stall bool

	// Code, if not zero, is answered in place of what was asked for, in the
	// envelope of errors: 42901, say. Detail goes with it, and Message, which is
	// the service's own if it is empty.
	Code    int
	Message string
	Detail  string

	// Status and Body, if one is set and Code is not, are answered as they are.
	// A zero Status is 200. &Fault{Status: 200} is an empty answer.
	Status int
	Body   string

	// Header goes with Code, Status or Body: Retry-After, say. A Date replaces the
	// service's, or takes it away if it has no values.
	Header http.Header
}

// reply is the answer of a fault that has one of its own, after its Delay, else
// nil. The nil Fault is none.
func (f *Fault) reply(ctx context.Context) *reply {
	if f == nil {
		return nil
	}
	if f.Delay > 0 && !sleep(ctx, f.Delay) {
		return new(failure).reply()
	}
	var a *reply
	switch {
	case f.Reset || f.Refuse:
		return new(failure).reply()
	case f.Code != 0:
		a = (&failure{f.Code, f.Message, f.Detail}).reply()
	case f.Status != 0 || f.Body != "":
		a = &reply{status: max(f.Status, http.StatusOK), header: make(http.Header), body: []byte(f.Body)}
	default:
		return nil
	}
	maps.Copy(a.header, f.Header)
	return a
}

// armed is a fault that waits for its calls.
type armed struct {
	path  string
	fault Fault
	left  int
}

// Break orders faults for the calls to a path such as "/auth/v2/preauth", to be
// met one after the other. An empty path is every call. It panics when there is no
// such call, since a test would then test nothing.
func (s *Service) Break(path string, faults ...Fault) {
	if path != "" {
		mustBeCall(path)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		left := f.Times
		if left == 0 {
			left = 1
		}
		s.faults = append(s.faults, &armed{path, f, left})
	}
}

// Repair takes back all faults that are still to come.
func (s *Service) Repair() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// nextFault is the fault of the next call to a path, or nil.
func (s *Service) nextFault(path string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.faults {
		if a.left == 0 || a.path != "" && a.path != path {
			continue
		}
		if a.left > 0 {
			a.left--
		}
		return &a.fault
	}
	return nil
}

// sleep waits and reports whether it did so to the end.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
