package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// sink is where lines go. It may be full, or stuck until it is closed.
type sink struct {
	bytes.Buffer
	full  bool
	stuck chan struct{}
}

func (s *sink) Write(p []byte) (int, error) {
	if s.stuck != nil {
		<-s.stuck
	}
	if s.full {
		return 0, errors.New("no space left on device")
	}
	return s.Buffer.Write(p)
}

func TestAFullDiskStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		disk := &sink{full: true}
		s := newSpool(&stderr)
		log := s.writer(disk)
		for range 5 {
			n, err := log.Write([]byte("line\n"))
			assert.Equal(t, 5, n)
			assert.NoError(t, err)
		}
		synctest.Wait()
		disk.full = false
		_, _ = log.Write([]byte("line\n"))
		s.close()
		assert.Equal(t, "line\nlevel=WARN msg=\"log lines were lost\" lines=5\n", disk.String())
		assert.Equal(t, 1, strings.Count(stderr.String(), "\n"), stderr.String())
		assert.Contains(t, stderr.String(), "no space left on device")
		assert.EqualValues(t, 5, s.total.Load())
	})
}

func TestAPeerThatDoesNotReadStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr bytes.Buffer
		peer := &sink{stuck: make(chan struct{})}
		s := newSpool(&stderr)
		log := s.writer(peer)
		begin := time.Now()
		for range 2 * spoolLines {
			_, _ = log.Write([]byte("line\n"))
		}
		assert.Zero(t, time.Since(begin))
		assert.Contains(t, stderr.String(), "fast enough")
		s.close()
		assert.Equal(t, spoolFlush, time.Since(begin), "the end waits a moment, and no longer")
		close(peer.stuck)
	})
}
