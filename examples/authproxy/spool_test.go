package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
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

func spoolTo(to io.Writer, stderr io.Writer) *spool {
	return newSpool("authproxy.log", stderr, func(lost uint64) error {
		_, err := fmt.Fprintf(to, "lost %d\n", lost)
		return err
	})
}

func TestAFullDiskStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr buffer
		disk := &sink{full: true}
		s := spoolTo(disk, &stderr)
		log := s.writer(disk)
		for range 5 {
			n, err := log.Write([]byte("line\n"))
			assert.Equal(t, 5, n)
			assert.NoError(t, err)
		}
		synctest.Wait()
		lost, failure := s.state()
		assert.EqualValues(t, 5, lost)
		assert.ErrorContains(t, failure, "no space left on device")
		disk.full = false
		_, _ = log.Write([]byte("line\n"))
		synctest.Wait()
		_, failure = s.state()
		assert.NoError(t, failure)
		s.close()
		assert.Equal(t, "line\nlost 5\n", disk.String())
		assert.Equal(t, "authproxy: authproxy.log cannot be written, and lines are lost: no space left on device\n", stderr.String())
	})
}

func TestADiskThatIsFullNowAndThenFillsNoStderr(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var stderr buffer
		disk := &sink{}
		s := spoolTo(disk, &stderr)
		log := s.writer(disk)
		for range 120 {
			disk.full = !disk.full
			_, _ = log.Write([]byte("line\n"))
			time.Sleep(time.Second)
			synctest.Wait()
		}
		s.close()
		assert.Equal(t, 2, strings.Count(stderr.String(), "\n"))
		assert.Equal(t, 60, strings.Count(disk.String(), "lost 1\n"))
	})
}

func TestAPeerThatDoesNotReadStopsNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		peer := &sink{stuck: make(chan struct{})}
		s := spoolTo(peer, &sink{stuck: peer.stuck}) // nobody reads stderr either
		log := s.writer(peer)
		begin := time.Now()
		_, _ = log.Write([]byte("line\n"))
		time.Sleep(spoolStuck)
		_, failure := s.state()
		assert.ErrorIs(t, failure, errStuck, "before any line is lost")
		begin = begin.Add(spoolStuck)
		for range 2 * spoolLines {
			_, _ = log.Write([]byte("line\n"))
		}
		assert.Zero(t, time.Since(begin))
		lost, failure := s.state()
		assert.EqualValues(t, spoolLines, lost)
		assert.ErrorIs(t, failure, errTooSlow)
		s.close()
		assert.Equal(t, spoolFlush, time.Since(begin), "the end waits a moment, and no longer")
		close(peer.stuck)
	})
}
