package main

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

const (
	// spoolLines is how many lines wait for a disk or a peer that is slow.
	spoolLines = 8192
	// spoolFlush is how long the last lines are waited for at the end.
	spoolFlush = 2 * time.Second
	// spoolStuck is how long one line may take before nobody seems to read.
	spoolStuck = 10 * time.Second
	// complainEvery is the shortest time between two lines on stderr.
	complainEvery = time.Minute
)

var (
	errTooSlow = errors.New("lines come faster than they can be written")
	errStuck   = errors.New("nobody reads it")
)

// spool writes the lines of one log in a goroutine of its own, so that a full
// disk, or somebody who does not read, stops no login and no other log. What is
// lost is counted, and said when lines can be written again.
type spool struct {
	name   string
	stderr io.Writer
	report func(lost uint64) error // writes to the log that lines were lost
	lines  chan spooled
	done   chan struct{}

	mu        sync.Mutex
	total     uint64    // lines lost
	lost      uint64    // of them those not reported yet
	failure   error     // of the last line; nil: it could be written
	writing   time.Time // since when a line is being written; zero: none is
	complains bool      // a line is on its way to stderr
	complaint time.Time // when the last one was
}

type spooled struct {
	to   io.Writer
	text []byte
}

func newSpool(name string, stderr io.Writer, report func(lost uint64) error) *spool {
	s := &spool{name: name, stderr: stderr, report: report, lines: make(chan spooled, spoolLines), done: make(chan struct{})}
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
		w.spool.lose(errTooSlow)
	}
	return len(p), nil
}

func (s *spool) run() {
	defer close(s.done)
	for line := range s.lines {
		s.begin()
		if _, err := line.to.Write(line.text); err != nil {
			s.lose(err)
		} else {
			s.wrote()
		}
	}
}

// begin notes that a line is being written.
func (s *spool) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writing = time.Now()
}

// wrote notes that a line was written, and reports those that were lost before.
func (s *spool) wrote() {
	s.mu.Lock()
	lost := s.lost
	s.failure, s.writing, s.lost = nil, time.Time{}, 0
	s.mu.Unlock()
	if lost == 0 {
		return
	}
	if err := s.report(lost); err != nil {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.failure = err
		s.lost += lost
	}
}

// lose counts a line, and says so where somebody may look, once for each trouble.
func (s *spool) lose(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.total++
	s.lost++
	s.failure = err
	if !errors.Is(err, errTooSlow) {
		s.writing = time.Time{}
	}
	now := time.Now()
	if s.complains || s.lost > 1 || now.Sub(s.complaint) < complainEvery {
		return
	}
	s.complains, s.complaint = true, now
	go s.complain(err) // it may be the standard error that nobody reads
}

func (s *spool) complain(err error) {
	_, _ = fmt.Fprintf(s.stderr, "authproxy: %s cannot be written, and lines are lost: %v\n", s.name, err)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.complains = false
}

// state returns how many lines were lost, and why lines cannot be written now, or
// nil.
func (s *spool) state() (lost uint64, failure error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure == nil && !s.writing.IsZero() && time.Since(s.writing) >= spoolStuck {
		return s.total, errStuck
	}
	return s.total, s.failure
}

// close writes what waits, but not for ever.
func (s *spool) close() {
	close(s.lines)
	select {
	case <-s.done:
	case <-time.After(spoolFlush):
	}
}
