package main

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"

	"golang.org/x/net/netutil"
)

// maxWebConns is how many connections may ask a window at once: others wait.
const maxWebConns = 32

// window is a listener through which the daemon is seen: the metrics, the status
// page, or the socket of the commands that ask. A nil window is none.
type window struct {
	at     string        // as configured
	idle   time.Duration // how long a connection is kept that asks for nothing
	conn   net.Listener
	server *http.Server
}

// openWindow opens the socket, or returns nil where no address is configured.
func openWindow(addr string, idle time.Duration) (*window, error) {
	if addr == "" {
		return nil, nil
	}
	conn, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &window{at: addr, idle: idle, conn: netutil.LimitListener(conn, maxWebConns)}, nil
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
		IdleTimeout:       w.idle,
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
