package clean_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/internal/clean"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestText(t *testing.T) {
	for _, test := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"ASCII stays", "Duo Push to XXX-XXX-1234 <&>\"'`\n", "Duo Push to XXX-XXX-1234 <&>\"'`\n"},
		{"other scripts stay", "Zoë 電話 😀 👩\u200d🔧 e\u0301 \u200fשלום", "Zoë 電話 😀 👩\u200d🔧 e\u0301 \u200fשלום"},
		{"escape sequences lose their escape", "\x1b[31mred\x1b]0;title\x07", "[31mred]0;title"},
		{"C0, DEL and C1 go", "a\x00b\x08c\x0bd\x7fe\u0080f\u009fg", "abcdefg"},
		{"a C1 byte that is no UTF-8", "a\x9b31m", "a\ufffd31m"},
		{"line ends", "a\r\nb\rc\u2028d\u2029e\u0085f", "a\nb\nc\nd\nef"},
		{"tabs", "a\tb", "a b"},
		{"invalid UTF-8", "a\xff\xc3b\xed\xa0\x80", "a\ufffd\ufffdb\ufffd\ufffd\ufffd"},
		{"a replacement character stays", "\ufffd", "\ufffd"},
		{"bidirectional controls", "\u202egnp.exe\u202c \u2066x\u2069", "gnp.exe x"},
	} {
		t.Run(test.name, func(t *testing.T) { assert.Equal(t, test.want, clean.Text(test.in)) })
	}
}

func TestLine(t *testing.T) {
	assert.Equal(t, "one two  three", clean.Line("one\ntwo\r\n\r\nthree"))
}

func FuzzText(f *testing.F) {
	f.Add("plain\n")
	f.Add("\x1b[0m\u009b\u202e\xff\r\n\r")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean.Text(s)
		assert.True(t, utf8.ValidString(got))
		assert.Equal(t, got, clean.Text(got), "once is enough")
		assert.False(t, strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && unicode.IsControl(r) }))
		assert.NotContains(t, clean.Line(s), "\n")
	})
}

func ExampleText() {
	fmt.Println(clean.Text("Login denied.\x1b[2J\r\nCall \u202e4321\u202c."))
	// Output:
	// Login denied.[2J
	// Call 4321.
}
