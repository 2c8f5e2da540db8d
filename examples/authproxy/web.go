package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
		return nil, fmt.Errorf("metrics_address: %w", err)
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
}

type sectionHealth struct {
	Listens     string `json:"listens"`
	FirstFactor string `json:"first_factor"`    // up, down, unknown
	Service     string `json:"service"`         // up, down, unknown
	Redis       string `json:"redis,omitempty"` // up, down
	Waiting     int    `json:"waiting_logins"`
	Open        int    `json:"open_challenges"`
	Room        int    `json:"open_challenges_limit"` // at it, first steps get no reply
}

// healthz answers with status 200 while requests are served, whatever the health
// of others: what to do about those is not a restart.
func (d *daemon) healthz(w http.ResponseWriter, _ *http.Request) {
	answer := health{Status: "serving", Uptime: int64(time.Since(d.metrics.start).Seconds()), Sections: map[string]sectionHealth{}}
	for _, l := range d.current() {
		section := l.instance().section.Name
		answer.Sections[section] = sectionHealth{
			Listens:     l.listens(),
			FirstFactor: d.word(section, peerFirstFactor),
			Service:     d.word(section, peerService),
			Redis:       l.instance().redisWord(),
			Waiting:     l.waiting(),
			Open:        d.store(section).Len(),
			Room:        d.store(section).Cap(),
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if d.stopping.Load() {
		answer.Status = "stopping"
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_ = json.NewEncoder(w).Encode(answer)
}

func (d *daemon) word(section, peer string) string {
	switch up, known := d.metrics.isUp(section, peer); {
	case !known:
		return "unknown"
	case up:
		return "up"
	default:
		return "down"
	}
}
