package radius

import (
	"testing"

	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
)

// FuzzAccept gives any bytes to an Exchange as what came from the server: only
// what both signatures are right of is a reply.
func FuzzAccept(f *testing.F) {
	request := scanned(f, unhex(f, vector73Request))
	f.Add([]byte{}, false)
	f.Add(unhex(f, vector73Challenge), true)
	f.Add(unhex(f, vector73Challenge), false)
	f.Add(unhex(f, vector71Accept), true)
	f.Add(request.bytes, true)
	p := &Packet{Code: CodeAccessReject}
	p.Add(18, []byte("No"))
	f.Add(mustReply(f, p, vectorSecret, request), false)
	f.Fuzz(func(t *testing.T, b []byte, unsigned bool) {
		x := &sending{Exchanger: &Exchanger{UnsignedReplies: unsigned}, key: newKey(vectorSecret),
			request: &Packet{Code: CodeAccessRequest, Identifier: request.bytes[1], Authenticator: request.authenticator()}}
		reply, err := x.accept(b)
		if err != nil {
			require.Nil(t, reply)
			return
		}
		length := int(b[2])<<8 | int(b[3])
		require.True(t, layeh.IsAuthenticResponse(b[:length], request.bytes, []byte(vectorSecret)))
		require.Equal(t, request.bytes[1], reply.Identifier)
		mac, signed := reply.Lookup(typeMessageAuthenticator)
		require.True(t, signed || unsigned)
		if signed {
			w := scanned(t, b)
			require.Equal(t, messageAuthenticator(vectorSecret, w.bytes, request.authenticator(), w.macAt), []byte(mac))
		}
	})
}
