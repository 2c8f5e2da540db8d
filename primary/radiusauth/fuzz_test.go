package radiusauth

import (
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// FuzzAnswer: whatever a server sends, what goes on from it can be sent, and
// holds nothing of the exchange with the server.
func FuzzAnswer(f *testing.F) {
	for _, code := range []byte{2, 3, 11} {
		f.Add(code, []byte("\x12\x07hello\x18\x03s\x21\x03p\x19\x03c\x1a\x0c\x00\x00\x00\x09\x01\x06abcd"))
		f.Add(code, []byte("\x1a\x10\x00\x00\x01\x37\x02\x0a\x01E=691 R\x1a\x09\x00\x00\x01\x37\x1a\x03x\x45\x05\x01\x80\x00"))
		f.Add(code, []byte("\x12\x04\xc3\xa4\x12\x05\x1b[J\x12\x02\x12\x03\xe4"))
	}
	a := &Authenticator{
		Servers: []Server{{Address: "192.0.2.1"}}, Secret: "secret", PassThroughAll: true,
		Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}
	require.NoError(f, a.configure())
	f.Fuzz(func(t *testing.T, code byte, attributes []byte) {
		parsed, err := layeh.ParseAttributes(attributes)
		if err != nil {
			return
		}
		request := layeh.New(radius.CodeAccessRequest, []byte("secret"))
		reply := request.Response(radius.Code(code))
		reply.Attributes = parsed
		l := newLogin(&primary.Request{Username: "jdoe", Password: "x", Packet: reply})
		result, err := a.servers[0].answer(l, request, reply)

		var challenge *primary.Challenge
		var rejection *primary.Rejection
		var out radius.Attributes
		switch {
		case err == nil:
			out = result.Attributes
		case errors.As(err, &challenge):
			out = challenge.Attributes
			requireText(t, challenge.Message)
			require.NotEmpty(t, challenge.Message)
			require.NotEmpty(t, challenge.State)
		case errors.As(err, &rejection):
			out = rejection.Attributes
			requireText(t, rejection.Message)
			require.NotContains(t, rejection.Reason, "\n")
		}
		for _, avp := range out {
			require.NotContains(t, []radius.Type{24, 33, 79, 80}, avp.Type)
			require.NotEmpty(t, avp.Attribute)
			require.LessOrEqual(t, len(avp.Attribute), radius.MaxAttribute)
		}
		_, err = radius.EncryptKeys(out, "another", [16]byte{})
		require.NoError(t, err)
	})
}

func requireText(t *testing.T, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	require.False(t, strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }))
}
