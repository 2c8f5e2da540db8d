package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"golang.org/x/net/netutil"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/examples/authproxy/internal/statuspage"
)

// window is a listener through which the state is seen: the page, or the socket
// of the commands that ask. A nil window is none.
type window struct {
	at     string // as configured
	conn   net.Listener
	server *http.Server
}

// listenStatus opens what the file says, where it is new.
func (d *daemon) listenStatus(p *plan) error {
	var err error
	p.page, p.socket = d.page, d.socket
	if addr := p.file.Main.Text("status_address"); addr == "" {
		p.page = nil
	} else if d.page == nil || d.page.at != addr {
		if p.page, err = openPage(addr); err != nil {
			return mainProblem(p.file, "status_address", withHint(err, socketHint(addr, err)))
		}
	}
	paths := p.file.StatusSockets()
	if d.socket == nil || d.socket.at != fmt.Sprint(paths) {
		p.socket, err = openSocket(paths)
	}
	if err != nil && p.file.Main.Set("status_socket") {
		return mainProblem(p.file, "status_socket", err.Error())
	} else if err != nil {
		p.logs.Info("the commands status and explain cannot ask this process; set status_socket", "error", err)
	}
	return nil
}

func openPage(addr string) (*window, error) {
	conn, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &window{at: addr, conn: netutil.LimitListener(conn, maxWebConns)}, nil
}

// discardStatus takes back what listenStatus did.
func (d *daemon) discardStatus(p *plan) {
	if p.page != d.page {
		p.page.close()
	}
	if p.socket != d.socket {
		p.socket.close()
	}
}

// showStatus puts the windows of a plan to work, and closes those before.
func (d *daemon) showStatus(p *plan) {
	if old := d.page; old != p.page {
		d.page = p.page
		old.close()
		d.page.serve(d, "the status page", &statuspage.Handler{Report: d.report, Password: d.pagePassword, OnWrong: d.wrongPassword(p.logs.Logger)})
	}
	if old := d.socket; old != p.socket {
		d.socket = p.socket
		old.close()
		d.socket.serve(d, "the commands status and explain", d.socketHandler())
	}
}

func (d *daemon) pagePassword() string { return d.configuration().Main.Text("status_password") }

// wrongPassword logs guesses, one line in ten seconds.
func (d *daemon) wrongPassword(logger *slog.Logger) func(remote string) {
	var mu sync.Mutex
	var last time.Time
	hidden := 0
	return func(remote string) {
		mu.Lock()
		defer mu.Unlock()
		if hidden++; time.Since(last) < 10*time.Second {
			return
		}
		logger.Warn("wrong password for the status page", "remote", remote, "more_since_last", hidden-1)
		last, hidden = time.Now(), 0
	}
}

// socketHandler answers the commands. Who may open the socket may know it all.
func (d *daemon) socketHandler() http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, v any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(v)
	}
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, r *http.Request) {
		answer(w, d.report(r.Context(), status.Filter{Account: r.URL.Query().Get("user")}))
	})
	return mux
}

// serve answers in a goroutine of its own until close.
func (w *window) serve(d *daemon, what string, handler http.Handler) {
	if w == nil {
		return
	}
	logger := d.logs.Logger
	w.server = &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	d.running.Go(func() {
		if err := w.server.Serve(w.conn); !errors.Is(err, http.ErrServerClosed) {
			logger.Error(what+" can no longer be asked", "error", err)
		}
	})
	logger.Info("serving "+what, "address", w.conn.Addr().String())
}

func (w *window) close() {
	if w == nil {
		return
	}
	if w.server == nil {
		_ = w.conn.Close()
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := w.server.Shutdown(ctx); err != nil {
		_ = w.server.Close()
	}
}
