package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// The files in log_dir.
const (
	logName    = "authproxy.log"
	eventsName = "authevents.log"
)

// logs are where a process writes to.
type logs struct {
	*slog.Logger
	events io.Writer // nil: log_auth_events is off
	files  []*logFile
	syslog io.Closer // nil: none
	spools []*spool  // one for each log
}

// openLogs opens what [main] says.
func openLogs(file *config.File, stdout io.Writer) (*logs, error) {
	l := &logs{}
	main := file.Main
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if main.Bool("debug") {
		options.Level = slog.LevelDebug
	}
	var handlers []slog.Handler
	var out io.Writer // the standard output; nil: nothing goes there yet
	if main.Bool("log_file") {
		w, err := l.open(file, logName, func(to io.Writer) func(uint64) error { return lostRecord(formatted(main, to, options)) })
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		handlers = append(handlers, formatted(main, w, options))
	}
	if main.Bool("log_stdout") {
		out = l.spool("stdout", lostRecord(formatted(main, stdout, options))).writer(stdout)
		handlers = append(handlers, formatted(main, out, options))
	}
	if on, network, address := main.Syslog("log_syslog"); on {
		handler, err := l.dialSyslog(network, address, main.Facility("syslog_facility"), options)
		if err != nil {
			return nil, errors.Join(mainProblem(file, "log_syslog", err.Error()), l.close())
		}
		handlers = append(handlers, handler)
	}
	l.Logger = slog.New(slog.NewMultiHandler(handlers...))
	switch {
	case !main.Bool("log_auth_events"):
	case main.Bool("log_file"):
		w, err := l.open(file, eventsName, lostEvent)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		l.events = w
	case out != nil:
		l.events = out
	default:
		l.events = l.spool("stdout", lostEvent(stdout)).writer(stdout)
	}
	return l, nil
}

// spool makes a spool for a log.
func (l *logs) spool(name string, report func(lost uint64) error) *spool {
	s := newSpool(name, os.Stderr, report)
	l.spools = append(l.spools, s)
	return s
}

// lostRecord reports lines that were lost to a log.
func lostRecord(h slog.Handler) func(lost uint64) error {
	return func(lost uint64) error {
		r := slog.NewRecord(time.Now(), slog.LevelWarn, "log lines were lost", 0)
		r.AddAttrs(slog.Uint64("lines", lost))
		return h.Handle(context.Background(), r)
	}
}

// lostEvent reports lines that were lost to a log of events.
func lostEvent(to io.Writer) func(lost uint64) error {
	return func(lost uint64) error {
		return json.NewEncoder(to).Encode(struct {
			Time  time.Time `json:"timestamp"`
			Type  string    `json:"event_type"`
			Lines uint64    `json:"lines"`
		}{time.Now().UTC(), "lines_lost", lost})
	}
}

func formatted(main *config.Section, w io.Writer, options *slog.HandlerOptions) slog.Handler {
	if main.Word("log_format") == "json" {
		return slog.NewJSONHandler(w, &slog.HandlerOptions{Level: options.Level, ReplaceAttr: seconds})
	}
	return slog.NewTextHandler(w, options)
}

// seconds writes durations as numbers of seconds: nanoseconds are slog's own unit.
func seconds(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindDuration {
		return slog.Float64(a.Key, a.Value.Duration().Seconds())
	}
	return a
}

// open opens a file that is rotated by size, and by others with a reload.
func (l *logs) open(file *config.File, name string, report func(io.Writer) func(lost uint64) error) (io.Writer, error) {
	w, err := openLogFile(filepath.Join(file.LogDir(), name), mebibytes(file.Main.Int("log_max_size")), file.Main.Int("log_max_files"))
	if errors.Is(err, fs.ErrPermission) {
		return nil, mainProblem(file, "log_dir", err.Error()+": let the account that the daemon runs as write there, or set log_file=false")
	} else if err != nil {
		return nil, mainProblem(file, "log_dir", err.Error())
	}
	l.files = append(l.files, w)
	return l.spool(name, report(w)).writer(w), nil
}

// mebibytes rounds up; zero is no limit.
func mebibytes(bytes int) int {
	const mebibyte = 1 << 20
	if bytes == 0 {
		return math.MaxInt32
	}
	return min((bytes-1)/mebibyte+1, math.MaxInt32)
}

// reopen makes the next lines go to new files when somebody has moved the old
// ones.
func (l *logs) reopen() {
	for _, f := range l.files {
		f.reopen()
	}
}

func (l *logs) close() error {
	var all sync.WaitGroup
	for _, s := range l.spools {
		all.Go(s.close)
	}
	all.Wait()
	for _, f := range l.files {
		f.close()
	}
	if l.syslog != nil {
		return l.syslog.Close()
	}
	return nil
}
