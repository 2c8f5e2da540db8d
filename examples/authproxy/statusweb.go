package main

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/examples/authproxy/internal/statuspage"
)

// pageIdle is how long a browser's connection is kept.
const pageIdle = 10 * time.Second

// listenStatus opens what the file says, where it is new.
func (d *daemon) listenStatus(p *plan) error {
	var err error
	p.page, p.socket = d.page, d.socket
	if addr := p.file.Main.Text("status_address"); d.page == nil || d.page.at != addr {
		if p.page, err = openWindow(addr, pageIdle); err != nil {
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
