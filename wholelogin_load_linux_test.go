package radmfa_test

import (
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
)

const outstanding = 64

// load is a number of logins: each of 64 places does one after the other. The
// requests are made beforehand, but for the State of the answers.
type load struct {
	steps  [][]byte // of the logins, two each
	places [outstanding]int
}

func newLoad(b *testing.B, logins int) *load {
	l := &load{steps: make([][]byte, 2*logins)}
	for i := range l.steps {
		login, step := i/2, i%2
		p := layeh.New(layeh.CodeAccessRequest, []byte(secret))
		// A place has four Identifiers, since layeh's server drops a new request on
		// one whose handler is just returning.
		p.Identifier = byte(login%outstanding + outstanding*((login/outstanding*2+step)%4))
		_ = rfc2869.MessageAuthenticator_Set(p, make([]byte, 16))
		_ = rfc2865.UserName_SetString(p, fmt.Sprintf("user%06d", login))
		_ = rfc2865.UserPassword_SetString(p, []string{password, "1"}[step])
		_ = rfc2865.NASIPAddress_Set(p, net.IPv4(192, 0, 2, 1))
		_ = rfc2865.CallingStationID_SetString(p, "198.51.100.7")
		datagram, err := p.Encode()
		require.NoError(b, err)
		if step == 0 {
			signRequest(datagram)
		}
		l.steps[i] = datagram
	}
	return l
}

// signRequest writes the Message-Authenticator, which is the first attribute.
func signRequest(datagram []byte) {
	clear(datagram[22:38])
	mac := hmac.New(md5.New, []byte(secret))
	mac.Write(datagram)
	mac.Sum(datagram[22:22])
}

// withState is the request with the State of the challenge.
func withState(b *testing.B, request, challenge []byte) []byte {
	for at := 20; at < len(challenge); at += int(challenge[at+1]) {
		if challenge[at] == 24 {
			request = append(request[:len(request):len(request)], challenge[at:at+int(challenge[at+1])]...)
			binary.BigEndian.PutUint16(request[2:], uint16(len(request)))
			signRequest(request)
			return request
		}
	}
	b.Fatal("the challenge has no State")
	return nil
}

// run sends the requests and takes the replies until every login is accepted.
func (l *load) run(b *testing.B, socket int, kind string) {
	for place := range l.places {
		l.places[place] = 2 * place
		l.send(b, socket, place)
	}
	buffer := make([]byte, 4096)
	last, lost := time.Now(), 0
	for left := len(l.steps); left > 0; {
		// It does not sleep: waking it would be a cost of the server.
		n, _, err := syscall.Recvfrom(socket, buffer, syscall.MSG_DONTWAIT)
		if err == syscall.EAGAIN {
			if time.Since(last) > 200*time.Millisecond { // something was lost
				last = time.Now()
				if lost++; lost > 50 {
					b.Fatal(kind, " does not answer")
				}
				for place := range l.places {
					l.send(b, socket, place)
				}
			}
			continue
		}
		require.NoError(b, err)
		last = time.Now()
		place := int(buffer[1]) % outstanding
		step := l.places[place]
		if step >= len(l.steps) || buffer[1] != l.steps[step][1] {
			continue // the reply to one sent twice
		}
		if want := [2]layeh.Code{layeh.CodeAccessChallenge, layeh.CodeAccessAccept}[step%2]; layeh.Code(buffer[0]) != want {
			b.Fatalf("%s: %s instead of %s", kind, layeh.Code(buffer[0]), want)
		}
		if left--; step%2 == 0 {
			l.places[place]++
			l.steps[step+1] = withState(b, l.steps[step+1], buffer[:n])
		} else {
			l.places[place] += 2*outstanding - 1
		}
		l.send(b, socket, place)
	}
}

func (l *load) send(b *testing.B, socket, place int) {
	if step := l.places[place]; step < len(l.steps) {
		_, err := syscall.Write(socket, l.steps[step])
		require.NoError(b, err)
	}
}
