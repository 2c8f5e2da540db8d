package radius

import (
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"layeh.com/radius"
)

const (
	idleTimeout   = 10 * time.Minute // between two packets
	packetTimeout = 10 * time.Second // for the rest of a packet that has begun
	writeTimeout  = 10 * time.Second
	closeTimeout  = time.Second // for the alert that says goodbye

	// maxUnread is how many bytes may wait for a peer that does not read them: some
	// for each of the 256 Identifiers.
	maxUnread = 256 << 10
)

var (
	errClosed = errors.New("the peer has closed the connection")
	errUnread = errors.New("the peer does not read what it is sent, so its connection is closed")
)

// stream cuts a TLS connection into packets, and sends packets without making
// anybody wait.
type stream struct {
	raw     net.Conn
	tls     *tls.Conn
	ended   *atomic.Bool    // no more is to be read
	running *sync.WaitGroup // counts the goroutine that writes
	failed  func(error)     // called when writing has failed

	mu      sync.Mutex
	unread  []byte // packets that wait
	writing bool
	closed  bool
}

// readPacket returns a whole packet, or what there is of one and an error. The
// buffer has room for the longest.
func (s *stream) readPacket(buffer []byte) ([]byte, error) {
	if err := s.fill(buffer[:1], time.Now().Add(idleTimeout)); err != nil {
		return nil, err
	}
	deadline := time.Now().Add(packetTimeout)
	if err := s.fill(buffer[1:4], deadline); err != nil {
		return buffer[:1], err
	}
	length := int(binary.BigEndian.Uint16(buffer[2:4]))
	if length < headerLength || length > radius.MaxPacketLength {
		return buffer[:4], fmt.Errorf("a packet has the Length %d, want %d to %d", length, headerLength, radius.MaxPacketLength)
	}
	if err := s.fill(buffer[4:length], deadline); err != nil {
		return buffer[:4], err
	}
	return buffer[:length], nil
}

// fill reads as many bytes as there is room for.
func (s *stream) fill(b []byte, deadline time.Time) error {
	_ = s.raw.SetReadDeadline(deadline)
	if s.ended.Load() { // perhaps after stopReading, whose deadline this one has replaced
		return net.ErrClosed
	}
	_, err := io.ReadFull(s.tls, b)
	return err
}

// stopReading wakes readPacket, once ended is set.
func (s *stream) stopReading() { _ = s.raw.SetReadDeadline(time.Unix(1, 0)) }

// send leaves the packet to a goroutine, so that a peer that does not read holds up
// nobody.
func (s *stream) send(packet []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		return errClosed
	case len(s.unread)+len(packet) > maxUnread:
		s.closed = true
		_ = s.raw.Close() // which wakes the reader
		return errUnread
	}
	s.unread = append(s.unread, packet...)
	if !s.writing {
		s.writing = true
		s.running.Go(s.write)
	}
	return nil
}

// write sends what waits, until nothing does.
func (s *stream) write() {
	var batch []byte
	for {
		s.mu.Lock()
		batch, s.unread = s.unread, batch[:0]
		if len(batch) == 0 {
			s.writing, s.unread = false, nil
		}
		s.mu.Unlock()
		if len(batch) == 0 {
			return
		}
		_ = s.raw.SetWriteDeadline(time.Now().Add(writeTimeout))
		// Each packet gets a TLS record of its own: FreeRADIUS 3.2 takes one from each.
		for rest := batch; len(rest) > 0; {
			length := binary.BigEndian.Uint16(rest[2:4])
			if _, err := s.tls.Write(rest[:length]); err != nil {
				s.fail(err)
				return
			}
			rest = rest[length:]
		}
	}
}

// fail closes a connection that cannot be written to.
func (s *stream) fail(err error) {
	s.mu.Lock()
	known := s.closed
	s.closed = true
	s.mu.Unlock()
	_ = s.raw.Close() // which wakes the reader
	if !known {
		s.failed(err)
	}
}

// close says goodbye and closes the connection.
func (s *stream) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	late := time.AfterFunc(closeTimeout, func() { _ = s.raw.Close() })
	_ = s.tls.Close()
	late.Stop()
}
