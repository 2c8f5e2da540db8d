package radius

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzTLSReply gives any packet to a connection on which a request waits: it gets a
// reply only if that is signed with the secret and is for it.
func FuzzTLSReply(f *testing.F) {
	request := &Packet{Code: CodeAccessRequest, Secret: []byte(vectorSecret)}
	k := newKey(vectorSecret)
	for _, id := range []byte{0, 1, 2} {
		for _, code := range []Code{CodeAccessAccept, CodeStatusServer} {
			b := mustSign(f, &Packet{Code: code, Identifier: id}, vectorSecret)
			f.Add(b)
			h := hashers.Get().(*hasher)
			copy(b[macAt:], h.messageAuthenticator(k, b, request.Authenticator, macAt))
			copy(b[4:], h.responseAuthenticator(k, b, request.Authenticator))
			hashers.Put(h)
			f.Add(b)
		}
	}
	f.Add(unhex(f, vector73Challenge))
	f.Fuzz(func(t *testing.T, packet []byte) {
		c := newTLSClient(&TLSPool{}, "192.0.2.1:2083", func() {})
		w := c.enter(&sending{Exchanger: &Exchanger{Interval: time.Hour}, request: request, key: k})
		defer c.leave(w)
		err := c.receive(packet)
		select {
		case r := <-w.result:
			require.Equal(t, err, r.err)
			if r.err == nil {
				got := scanned(t, packet)
				require.True(t, got.authentic(k, request.Authenticator))
				require.Equal(t, w.request.Identifier, got.bytes[1])
				require.Nil(t, c.waiting[got.bytes[1]])
			}
		default:
			require.Equal(t, w, c.waiting[w.request.Identifier], "it goes on waiting")
		}
	})
}
