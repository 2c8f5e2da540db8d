package duotest

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"syscall"
	"testing/iotest"
)

// RoundTrip implements http.RoundTripper: it answers in the caller's goroutine,
// without a network, and reports the steps of a real connection to
// net/http/httptrace.
func (s *Service) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	ctx := r.Context()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	trace := httptrace.ContextClientTrace(ctx)
	if trace != nil && trace.GetConn != nil {
		trace.GetConn(r.URL.Host)
	}
	f := s.nextFault(r.URL.Path)
	if f != nil && f.Refuse {
		if !sleep(ctx, f.Delay) {
			return nil, context.Cause(ctx)
		}
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
	}
	if trace != nil && trace.WroteHeaders != nil {
		trace.WroteHeaders()
	}
	in := r.Clone(ctx)
	if in.Host == "" {
		in.Host = r.URL.Host
	}
	if in.Body == nil {
		in.Body = http.NoBody
	}
	w := &memory{header: make(http.Header)}
	w.run(func() { s.serve(w, in, f) })
	return w.response(r)
}

// memory is an http.ResponseWriter that keeps the answer.
type memory struct {
	header http.Header
	status int
	body   bytes.Buffer
	broken bool
}

func (w *memory) Header() http.Header         { return w.header }
func (w *memory) WriteHeader(status int)      { w.status = status }
func (w *memory) Write(b []byte) (int, error) { return w.body.Write(b) }

// run serves and notes that the connection was broken on the way.
func (w *memory) run(serve func()) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler:
			w.broken = true
		default:
			panic(p)
		}
	}()
	serve()
}

// response is what the client gets to see.
func (w *memory) response(r *http.Request) (*http.Response, error) {
	var lost error
	switch ctx := r.Context(); {
	case ctx.Err() != nil:
		lost = context.Cause(ctx)
	case w.broken:
		lost = &net.OpError{Op: "read", Net: "tcp", Err: syscall.ECONNRESET}
	}
	if w.status == 0 {
		return nil, lost
	}
	var body io.Reader = &w.body
	if lost != nil {
		body = io.MultiReader(body, iotest.ErrReader(lost))
	}
	return &http.Response{
		Status:        http.StatusText(w.status),
		StatusCode:    w.status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        w.header,
		Body:          io.NopCloser(body),
		ContentLength: -1,
		Request:       r,
	}, nil
}
