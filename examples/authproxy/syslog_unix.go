//go:build unix

package main

import (
	"context"
	"fmt"
	"log/slog"
	"log/syslog"
	"slices"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// facilities are the names of config.Facilities, in the same order.
var facilities = []syslog.Priority{
	syslog.LOG_KERN, syslog.LOG_USER, syslog.LOG_MAIL, syslog.LOG_DAEMON, syslog.LOG_AUTH, syslog.LOG_SYSLOG,
	syslog.LOG_LPR, syslog.LOG_NEWS, syslog.LOG_UUCP, syslog.LOG_CRON, syslog.LOG_AUTHPRIV, syslog.LOG_FTP,
	syslog.LOG_LOCAL0, syslog.LOG_LOCAL1, syslog.LOG_LOCAL2, syslog.LOG_LOCAL3,
	syslog.LOG_LOCAL4, syslog.LOG_LOCAL5, syslog.LOG_LOCAL6, syslog.LOG_LOCAL7,
}

// dialSyslog returns a handler that writes to a syslog server, or without network
// to the local one.
func (l *logs) dialSyslog(network, address, facility string, options *slog.HandlerOptions) (slog.Handler, error) {
	priority := facilities[slices.Index(config.Facilities, facility)]
	w, err := syslog.Dial(network, address, priority|syslog.LOG_INFO, "authproxy")
	if err != nil {
		return nil, fmt.Errorf("the syslog server cannot be reached: %w", err)
	}
	noTime := *options // syslog has a time of its own
	noTime.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}
	l.syslog = w
	spool := l.spool("syslog", lostRecord(slog.NewTextHandler(severity(w.Warning), &noTime)))
	h := syslogHandler{}
	for i, write := range []func(string) error{w.Debug, w.Info, w.Warning, w.Err} {
		h[i] = slog.NewTextHandler(spool.writer(severity(write)), &noTime)
	}
	return h, nil
}

// severity writes lines of one severity.
type severity func(line string) error

func (s severity) Write(p []byte) (int, error) { return len(p), s(string(p)) }

// syslogHandler has a handler for each level: debug, info, warning, error.
type syslogHandler [4]slog.Handler

func (h syslogHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h[0].Enabled(ctx, level)
}

func (h syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	switch {
	case r.Level >= slog.LevelError:
		return h[3].Handle(ctx, r)
	case r.Level >= slog.LevelWarn:
		return h[2].Handle(ctx, r)
	case r.Level >= slog.LevelInfo:
		return h[1].Handle(ctx, r)
	default:
		return h[0].Handle(ctx, r)
	}
}

func (h syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	for i := range h {
		h[i] = h[i].WithAttrs(attrs)
	}
	return h
}

func (h syslogHandler) WithGroup(name string) slog.Handler {
	for i := range h {
		h[i] = h[i].WithGroup(name)
	}
	return h
}
