// Package statuspage shows a status.Report in a browser: one page that is only
// read, works without script, and takes nothing from anywhere else.
package statuspage

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/subtle"
	_ "embed" // of the page
	"html/template"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
)

//go:embed page.html
var pageHTML string

//go:embed style.css
var style []byte

//go:embed icon.svg
var icon []byte

var page = template.Must(template.New("page").Funcs(functions).Parse(pageHTML))

// policy lets the page load its style and icon, send its form, and nothing else.
const policy = "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// wrongPause is how long a wrong password takes.
const wrongPause = time.Second

// Handler serves the page.
type Handler struct {
	// Report returns the state, with the logins that match.
	Report func(context.Context, status.Filter) status.Report

	// Password returns the password, or "" for a page that only this machine can
	// reach.
	Password func() string

	// OnWrong is told who sent a wrong password.
	OnWrong func(remote string)
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	for name, value := range map[string]string{
		"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
		"X-Frame-Options": "DENY", "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
		"Cache-Control": "no-store",
	} {
		header.Set(name, value)
	}
	if !h.admit(w, r) {
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		header.Set("Allow", "GET, HEAD")
		http.Error(w, "this page can only be read", http.StatusMethodNotAllowed)
		return
	}
	switch r.URL.Path {
	case "/":
		h.page(w, r)
	case "/style.css":
		header.Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(style)
	case "/icon.svg":
		header.Set("Content-Type", "image/svg+xml")
		_, _ = w.Write(icon)
	default:
		http.Error(w, "there is only the page /", http.StatusNotFound)
	}
}

// admit lets in who knows the password, or without one who has typed an address
// of this machine: the name of a stranger's site can be made to lead here.
func (h *Handler) admit(w http.ResponseWriter, r *http.Request) bool {
	password := h.Password()
	if password == "" {
		if isLocal(r.Host) {
			return true
		}
		http.Error(w, "this page is for this machine: open it by its address, such as http://127.0.0.1", http.StatusMisdirectedRequest)
		return false
	}
	_, given, ok := r.BasicAuth()
	if ok && same(given, password) {
		return true
	}
	if ok {
		h.OnWrong(r.RemoteAddr)
		select {
		case <-time.After(wrongPause):
		case <-r.Context().Done():
		}
	}
	w.Header().Set("WWW-Authenticate", `Basic realm="authproxy", charset="UTF-8"`)
	http.Error(w, "the password is that of status_password in authproxy.cfg; any name will do", http.StatusUnauthorized)
	return false
}

func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// isLocal reports whether a Host header names this machine, with a port or not.
func isLocal(host string) bool {
	u := url.URL{Host: host}
	name := u.Hostname()
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	addr, err := netip.ParseAddr(name)
	return name == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

func (h *Handler) page(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	filter := status.Filter{Text: query.Get("q"), Section: query.Get("section"), Result: query.Get("result")}
	report := h.Report(r.Context(), filter)
	var b bytes.Buffer
	if err := page.Execute(&b, newView(&report, filter)); err != nil {
		http.Error(w, "the page cannot be written: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(b.Bytes())
}
