package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"gopkg.in/natefinch/lumberjack.v2"
)

// The modes of what is made for logs: their group may read them.
const (
	logDirMode  = 0o750
	logFileMode = 0o640
)

// logFile is a log file that is cut by size. When somebody has removed it, or its
// folder, both are made anew with the modes that they had.
type logFile struct {
	mu       sync.Mutex
	rotating *lumberjack.Logger
	dirMode  fs.FileMode
	fileMode fs.FileMode
	torn     bool // the last line was not written to its end
}

// openLogFile opens a file, and makes it and its folder where there are none.
func openLogFile(path string, maxSize, maxBackups int) (*logFile, error) {
	f := &logFile{dirMode: logDirMode, fileMode: logFileMode}
	if err := f.make(path); err != nil {
		return nil, err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	file, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f.dirMode, f.fileMode = dir.Mode().Perm(), file.Mode().Perm()
	f.rotating = rotating(path, maxSize, maxBackups)
	return f, nil
}

// make makes the file and its folder where there are none, and reports whether
// the file can be written. Lumberjack's own would be for the owner alone.
func (f *logFile) make(path string) error {
	dir := filepath.Dir(path)
	_, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(dir, logDirMode); err == nil && f.dirMode != logDirMode {
			err = os.Chmod(dir, f.dirMode)
		}
	}
	if err != nil {
		return err
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDir) != 0:
		return fmt.Errorf("%s is not a file; remove it, or set log_stdout=true in place of log_file=true for a pipe", path)
	case errors.Is(err, fs.ErrNotExist) && f.fileMode != logFileMode:
		defer func() { _ = os.Chmod(path, f.fileMode) }()
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, logFileMode)
	if err != nil {
		return err
	}
	return file.Close()
}

// Write implements io.Writer. Each Write is a line.
func (f *logFile) Write(p []byte) (int, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := f.rotating.Filename
	if info, err := os.Stat(path); err != nil || !info.Mode().IsRegular() {
		_ = f.rotating.Close()
		if err := f.make(path); err != nil {
			return 0, err
		}
	}
	if f.torn {
		p = append([]byte{'\n'}, p...)
	}
	n, err := f.rotating.Write(p)
	if n > 0 {
		f.torn = n < len(p)
	}
	return n, err
}

// reopen makes the next line go to a new file when somebody has moved the old one.
func (f *logFile) reopen() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.rotating.Close()
	_ = f.make(f.rotating.Filename) // or else the next line does
}

func (f *logFile) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.rotating.Close()
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
