package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
)

// The times that a command waits for the daemon.
const (
	dialTimeout   = 2 * time.Second
	statusTimeout = 10 * time.Second
)

// openSocket listens at the first of the paths that can be used. Only root and
// the daemon's own user can open what is there.
func openSocket(paths []string) (*window, error) {
	var problems []error
	for _, path := range paths {
		conn, err := listenSocket(path)
		if err == nil {
			return &window{at: fmt.Sprint(paths), idle: pageIdle, conn: conn}, nil
		}
		if !errors.Is(err, fs.ErrNotExist) || len(paths) == 1 {
			problems = append(problems, err)
		}
	}
	return nil, errors.Join(problems...)
}

// ownSocket removes its file when it is closed, unless another process has put
// its own there.
type ownSocket struct {
	net.Listener
	path string
	file fs.FileInfo
}

// Addr implements net.Listener.
func (s *ownSocket) Addr() net.Addr { return &net.UnixAddr{Name: s.path, Net: "unix"} }

// Close implements net.Listener.
func (s *ownSocket) Close() error {
	if now, err := os.Lstat(s.path); err == nil && os.SameFile(now, s.file) {
		_ = os.Remove(s.path)
	}
	return s.Listener.Close()
}

// listenSocket opens a socket in a folder that nobody else can enter, and moves it
// to its place once nobody else can open it.
func listenSocket(path string) (net.Listener, error) {
	if err := mayReplace(path); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(filepath.Dir(path), ".status-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	made := filepath.Join(dir, "s")
	if runtime.GOOS == "windows" { // where the folder says who may
		_ = os.Remove(path)
		made = path
	}
	conn, err := net.ListenUnix("unix", &net.UnixAddr{Name: made, Net: "unix"})
	if err != nil {
		return nil, err
	}
	conn.SetUnlinkOnClose(false)
	s := &ownSocket{Listener: conn, path: path}
	if err = os.Chmod(made, 0o600); err == nil && made != path {
		err = os.Rename(made, path)
	}
	if err == nil {
		s.file, err = os.Lstat(path)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	return s, nil
}

// mayReplace reports what is in the way at a path, other than the socket of a
// process that is gone.
func mayReplace(path string) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSocket == 0 && runtime.GOOS != "windows":
		return fmt.Errorf("%s is there, and is not a socket", path)
	}
	if conn, err := net.DialTimeout("unix", path, dialTimeout); err == nil {
		_ = conn.Close()
		return fmt.Errorf("another process listens on %s", path)
	}
	return nil
}

// errNotRunning is the error of a command that finds no daemon to ask.
var errNotRunning = errors.New("no authproxy is running with this file")

// askStatus asks the daemon that runs with a file, about one user or all.
func askStatus(ctx context.Context, configPath, user string) (*status.Report, error) {
	paths, err := config.StatusSocketsOf(configPath)
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(configPath)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	others := ""
	var refused error
	for _, path := range paths {
		report, err := askAt(ctx, path, user)
		switch {
		case err == nil && report.Config == abs:
			return report, nil
		case err == nil:
			others = fmt.Sprintf("; the one at %s runs with %s", path, report.Config)
		case errors.Is(err, fs.ErrPermission):
			refused = fmt.Errorf("%w: only root and the daemon's own user may ask it", err)
		case !isGone(err):
			return nil, err
		}
	}
	if refused != nil {
		return nil, refused
	}
	return nil, fmt.Errorf("%w (%s)%s", errNotRunning, abs, others)
}

// isGone reports whether an error says that nobody listens.
func isGone(err error) bool {
	var dial *net.OpError
	return errors.As(err, &dial) && dial.Op == "dial"
}

func askAt(ctx context.Context, path, user string) (*status.Report, error) {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
	}}
	defer transport.CloseIdleConnections()
	target := "http://authproxy/status?" + url.Values{"user": {user}}.Encode()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return nil, err
	}
	response, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return nil, errors.Unwrap(err) // the URL is ours
	}
	defer func() { _ = response.Body.Close() }()
	report := &status.Report{}
	const most = 64 << 20
	if err := json.NewDecoder(io.LimitReader(response.Body, most)).Decode(report); err != nil || response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("what listens on %s is no authproxy of this version: status %d: %w", path, response.StatusCode, err)
	}
	return report, nil
}
