package main

import (
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"

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
	files  []*lumberjack.Logger
	syslog io.Closer // nil: none
	spool  *spool
}

// openLogs opens what [main] says.
func openLogs(file *config.File, stdout io.Writer) (*logs, error) {
	l := &logs{spool: newSpool(os.Stderr)}
	main := file.Main
	options := &slog.HandlerOptions{Level: slog.LevelInfo}
	if main.Bool("debug") {
		options.Level = slog.LevelDebug
	}
	var handlers []slog.Handler
	if main.Bool("log_file") {
		w, err := l.open(file, logName)
		if err != nil {
			return nil, errors.Join(err, l.close())
		}
		handlers = append(handlers, formatted(main, w, options))
	}
	if main.Bool("log_stdout") {
		handlers = append(handlers, formatted(main, l.spool.writer(stdout), options))
	}
	if on, network, address := main.Syslog("log_syslog"); on {
		handler, closer, err := dialSyslog(network, address, main.Facility("syslog_facility"), options, l.spool)
		if err != nil {
			return nil, errors.Join(mainProblem(file, "log_syslog", err.Error()), l.close())
		}
		l.syslog = closer
		handlers = append(handlers, handler)
	}
	l.Logger = slog.New(slog.NewMultiHandler(handlers...))
	if main.Bool("log_auth_events") {
		l.events = l.spool.writer(stdout)
		if main.Bool("log_file") {
			w, err := l.open(file, eventsName)
			if err != nil {
				return nil, errors.Join(err, l.close())
			}
			l.events = w
		}
	}
	return l, nil
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
func (l *logs) open(file *config.File, name string) (io.Writer, error) {
	path := filepath.Join(file.LogDir(), name)
	err := os.MkdirAll(filepath.Dir(path), 0o750)
	if err == nil {
		err = create(path)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, mainProblem(file, "log_dir", err.Error()+": let the account that the daemon runs as write there, or set log_file=false")
	} else if err != nil {
		return nil, mainProblem(file, "log_dir", err.Error())
	}
	w := rotating(path, mebibytes(file.Main.Int("log_max_size")), file.Main.Int("log_max_files"))
	l.files = append(l.files, w)
	return l.spool.writer(w), nil
}

// rotators are the log files that have been opened. A Logger of lumberjack has a
// goroutine that never ends, so one is kept for all reloads.
var rotators struct {
	sync.Mutex
	byFile map[rotator]*lumberjack.Logger
}

type rotator struct {
	path               string
	maxSize, maxBackup int
}

func rotating(path string, maxSize, maxBackup int) *lumberjack.Logger {
	rotators.Lock()
	defer rotators.Unlock()
	r := rotator{path, maxSize, maxBackup}
	if rotators.byFile == nil {
		rotators.byFile = map[rotator]*lumberjack.Logger{}
	}
	if rotators.byFile[r] == nil {
		rotators.byFile[r] = &lumberjack.Logger{Filename: path, MaxSize: maxSize, MaxBackups: maxBackup}
	}
	return rotators.byFile[r]
}

// create makes a log file where there is none, readable by the group, and reports
// whether it can be written. Lumberjack's own would be for the owner alone.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return err
	}
	return f.Close()
}

// mebibytes rounds up; zero is no limit.
func mebibytes(bytes int) int {
	const mebibyte = 1 << 20
	if bytes == 0 {
		return math.MaxInt32
	}
	return min((bytes-1)/mebibyte+1, math.MaxInt32)
}

// reopen makes the next line go to a new file when somebody has moved the old one.
func (l *logs) reopen() {
	for _, f := range l.files {
		_ = f.Close()
		_ = create(f.Filename) // or else the next line does
	}
}

func (l *logs) close() error {
	l.spool.close()
	for _, f := range l.files {
		_ = f.Close()
	}
	if l.syslog != nil {
		return l.syslog.Close()
	}
	return nil
}
