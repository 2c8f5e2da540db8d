package main

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

//go:embed page
var files embed.FS

var pages = template.Must(template.ParseFS(files, "page/*.html"))

// serveWeb runs the demo as a page until ctx ends.
func (o *options) serveWeb(ctx context.Context, stdout io.Writer, toStderr slog.Handler) error {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	b, err := newBrowser(conn, toStderr)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return errors.Join(err, b.close())
	}
	server := &http.Server{
		Handler:           b.handler(),
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          slog.NewLogLogger(toStderr, slog.LevelWarn),
	}
	_, _ = fmt.Fprintf(stdout, "A RADIUS server with a second factor, and all that belongs to it, as a page:\n\n"+
		"  http://%s/\n\nCtrl-C ends it.\n", listener.Addr())
	// Not Shutdown: the page's stream never ends by itself.
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err = server.Serve(listener); errors.Is(err, http.ErrServerClosed) {
		err = nil
	}
	return errors.Join(err, b.close())
}

// handler serves the page, to this machine only.
func (b *browser) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.index)
	mux.HandleFunc("GET /message", b.message)
	mux.HandleFunc("GET /events", b.events)
	mux.HandleFunc("GET /{file}", static)
	mux.HandleFunc("POST /login", post(func(p struct{ Username, Password string }) error {
		return b.login(p.Username, p.Password)
	}))
	mux.HandleFunc("POST /answer", post(func(p struct{ Answer string }) error { return b.answer(p.Answer) }))
	mux.HandleFunc("POST /cancel", post(func(struct{}) error { b.cancel(); return nil }))
	mux.HandleFunc("POST /phone", post(func(p struct{ TxID, Answer, Code string }) error {
		return b.decide(p.TxID, p.Answer, p.Code)
	}))
	// Pages of other origins cannot post, by what a browser says of a request.
	return onlyLoopback(http.NewCrossOriginProtection().Handler(mux))
}

// onlyLoopback refuses requests whose Host is not this machine: the page of a name
// that its owner has pointed here could read everything else (DNS rebinding). It
// sets the headers of all replies.
func onlyLoopback(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host, _, err := net.SplitHostPort(r.Host)
		if err != nil {
			host = r.Host
		}
		addr, _ := netip.ParseAddr(strings.Trim(host, "[]"))
		if !strings.EqualFold(host, "localhost") && !addr.IsLoopback() {
			http.Error(w, "This page is for this machine only: open it by its address, 127.0.0.1.", http.StatusForbidden)
			return
		}
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "+
			"connect-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; "+
			"require-trusted-types-for 'script'; trusted-types 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (b *browser) index(w http.ResponseWriter, _ *http.Request) {
	type person struct{ Name, Password, About string }
	var people []person
	for _, u := range b.users {
		people = append(people, person{u.name, u.password, u.about})
	}
	render(w, "index.html", map[string]any{"Server": b.nas.Server, "Secret": secret, "People": people})
}

// message is the Reply-Message that the VPN's device shows: it puts a text of the
// server into a page, as it is. The sandbox gives such a page no script, no form
// and no origin.
func (b *browser) message(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Security-Policy", "sandbox; default-src 'none'; style-src 'self'; frame-ancestors 'self'")
	render(w, "message.html", template.HTML(b.messageText()))
}

func render(w http.ResponseWriter, name string, data any) {
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page.Bytes())
}

func static(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("file")
	if strings.HasSuffix(name, ".html") { // a template
		http.NotFound(w, r)
		return
	}
	if name == "message.css" {
		// The page in the sandbox has an origin of its own.
		w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	}
	http.ServeFileFS(w, r, files, "page/"+name)
}

// events streams the state and the feed (server-sent events) until the page is
// closed. Each stream begins with all that is kept.
func (b *browser) events(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	_, _ = io.WriteString(w, "retry: 1000\nevent: reset\ndata: {}\n\n")
	stream, next, last := http.NewResponseController(w), 0, ""
	for {
		items, n, more := b.feed.since(next)
		next = n
		if state := b.stateJSON(); state != last {
			last = state
			_, _ = fmt.Fprintf(w, "event: state\ndata: %s\n\n", state)
		}
		for _, i := range items {
			_, _ = fmt.Fprintf(w, "event: %s\ndata: %s\n\n", i.kind, bytes.TrimSpace(i.data))
		}
		if stream.Flush() != nil {
			return
		}
		select {
		case <-more:
		case <-r.Context().Done():
			return
		}
	}
}

// post is a handler of what the page sends, as JSON.
func post[T any](do func(T) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var value T
		decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 8<<10))
		if err := decoder.Decode(&value); err != nil {
			http.Error(w, "The request cannot be read: "+err.Error(), http.StatusBadRequest)
			return
		}
		if err := do(value); err != nil {
			http.Error(w, err.Error(), http.StatusConflict)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}
}
