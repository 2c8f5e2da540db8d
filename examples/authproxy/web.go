package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/net/netutil"
)

// maxWebConns is how many connections may ask for metrics at once: others wait.
const maxWebConns = 32

// web serves /metrics and /healthz.
type web struct {
	addr   string // as configured
	conn   net.Listener
	server *http.Server
}

// listenWeb opens the socket, or returns nil where no address is configured.
func listenWeb(addr string) (*web, error) {
	if addr == "" {
		return nil, nil
	}
	conn, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &web{addr: addr, conn: netutil.LimitListener(conn, maxWebConns)}, nil
}

// serve answers in a goroutine of its own until close.
func (w *web) serve(d *daemon) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(d.metrics.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", d.healthz)
	w.server = &http.Server{
		Handler:           mux,
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(d.logs.Handler(), slog.LevelDebug),
	}
	logger := d.logs.Logger
	d.running.Go(func() {
		if err := w.server.Serve(w.conn); !errors.Is(err, http.ErrServerClosed) {
			logger.Error("metrics are no longer served", "error", err)
		}
	})
	logger.Info("serving metrics", "address", w.conn.Addr().String())
}

func (w *web) close() {
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

// health is the answer of /healthz.
type health struct {
	Status   string                   `json:"status"` // serving, stopping
	Uptime   int64                    `json:"uptime_seconds"`
	Sections map[string]sectionHealth `json:"sections"`
	Logs     map[string]logHealth     `json:"logs"`
}

type logHealth struct {
	Lost  uint64 `json:"lines_lost"`
	Error string `json:"error,omitempty"` // why lines cannot be written now
}

type sectionHealth struct {
	Listens          string    `json:"listens"`
	FirstFactor      condition `json:"first_factor"`
	FirstFactorError string    `json:"first_factor_error,omitempty"` // why it is down
	Service          condition `json:"service"`
	ServiceCode      int       `json:"service_code,omitempty"`  // with which it refuses
	ServiceError     string    `json:"service_error,omitempty"` // why it is down or refuses, and what to do
	ClockOffset      float64   `json:"clock_offset_seconds"`    // how far the service's clock is ahead
	Redis            string    `json:"redis,omitempty"`         // up, down
	Waiting          int       `json:"waiting_logins"`
	Open             int       `json:"open_challenges"`
	Room             int       `json:"open_challenges_limit"` // at it, first steps get no reply
}

// healthz answers with status 200 while requests are served, whatever the health
// of others: what to do about those is not a restart.
func (d *daemon) healthz(w http.ResponseWriter, _ *http.Request) {
	answer := health{Status: "serving", Uptime: int64(time.Since(d.metrics.start).Seconds()), Sections: map[string]sectionHealth{}, Logs: map[string]logHealth{}}
	for _, l := range d.current() {
		answer.Sections[l.instance().section.Name] = d.sectionHealth(l)
	}
	for _, s := range d.spools() {
		lost, failure := s.state()
		answer.Logs[s.name] = logHealth{lost, text(failure)}
	}
	w.Header().Set("Content-Type", "application/json")
	if d.stopping.Load() {
		answer.Status = "stopping"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (d *daemon) sectionHealth(l *listener) sectionHealth {
	i := l.acquire()
	defer i.inUse.Done()
	section := i.section.Name
	first, service := d.peers.of(section, peerFirstFactor), d.peers.of(section, peerService)
	return sectionHealth{
		Listens:          l.listens(),
		FirstFactor:      first.is,
		FirstFactorError: text(first.err),
		Service:          service.is,
		ServiceCode:      service.code,
		ServiceError:     text(service.err),
		ClockOffset:      i.service.ClockOffset().Round(time.Second).Seconds(),
		Redis:            i.redisWord(),
		Waiting:          l.waiting(),
		Open:             d.store(section).Len(),
		Room:             d.store(section).Cap(),
	}
}

// text is empty for no error.
func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
