package main

import (
	"fmt"
	"io"
	"sync/atomic"
	"time"
)

const (
	// spoolLines is how many lines wait for a disk or a peer that is slow.
	spoolLines = 8192
	// spoolFlush is how long the last lines are waited for at the end.
	spoolFlush = 2 * time.Second
)

// spool writes lines in a goroutine of its own, so that a full disk, or a syslog
// server that does not read, stops no login. What does not fit is counted, and
// said when lines can be written again.
type spool struct {
	stderr io.Writer
	lines  chan spooled
	done   chan struct{}
	lost   atomic.Uint64 // since it last worked
	total  atomic.Uint64
}

type spooled struct {
	to   io.Writer
	text []byte
}

func newSpool(stderr io.Writer) *spool {
	s := &spool{stderr: stderr, lines: make(chan spooled, spoolLines), done: make(chan struct{})}
	go s.run()
	return s
}

// writer returns a writer that never waits and never fails. Each Write is a line.
func (s *spool) writer(to io.Writer) io.Writer { return spoolWriter{s, to} }

type spoolWriter struct {
	spool *spool
	to    io.Writer
}

func (w spoolWriter) Write(p []byte) (int, error) {
	select {
	case w.spool.lines <- spooled{w.to, append([]byte(nil), p...)}:
	default:
		w.spool.lose(nil)
	}
	return len(p), nil
}

func (s *spool) run() {
	defer close(s.done)
	for line := range s.lines {
		if _, err := line.to.Write(line.text); err != nil {
			s.lose(err)
			continue
		}
		if lost := s.lost.Swap(0); lost > 0 {
			_, _ = fmt.Fprintf(line.to, "level=WARN msg=\"log lines were lost\" lines=%d\n", lost)
		}
	}
}

// lose counts a line, and says so where somebody may look, once for each trouble.
func (s *spool) lose(err error) {
	s.total.Add(1)
	if s.lost.Add(1) > 1 {
		return
	}
	if err == nil {
		_, _ = fmt.Fprintln(s.stderr, "authproxy: the log cannot be written fast enough; lines are lost")
		return
	}
	_, _ = fmt.Fprintf(s.stderr, "authproxy: the log cannot be written, and lines are lost: %v\n", err)
}

// close writes what waits, but not for ever.
func (s *spool) close() {
	close(s.lines)
	select {
	case <-s.done:
	case <-time.After(spoolFlush):
	}
}
