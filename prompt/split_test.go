package prompt_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/prompt"
)

func TestSplit(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	url := "https://example.com/enroll?code=" + x(68) // 100 bytes
	for _, test := range []struct {
		name string
		text string
		want []string
	}{
		{"nothing", "", nil},
		{"only control characters", "\x00\x1b", nil},
		{"what fits", x(253), []string{x(253)}},
		{"lines that fit", "one\ntwo\n", []string{"one\ntwo\n"}},
		{"after the last line end that fits", x(100) + "\n" + x(100) + "\n" + x(100) + " " + x(20),
			[]string{x(100) + "\n" + x(100) + "\n", x(100) + " " + x(20)}},
		{"a line end before a blank", x(10) + "\n" + x(200) + " " + x(100),
			[]string{x(10) + "\n", x(200) + " ", x(100)}},
		{"a line of 253 bytes is not cut", x(200) + " " + x(52) + "\n" + x(10),
			[]string{x(200) + " " + x(52), "\n" + x(10)}},
		{"a word at the end is not cut", x(200) + " " + x(52) + " " + x(10),
			[]string{x(200) + " " + x(52), " " + x(10)}},
		{"a long word", x(600), []string{x(253), x(253), x(94)}},
		{"between characters", strings.Repeat("é", 130), []string{strings.Repeat("é", 126), strings.Repeat("é", 4)}},
		{"a URL behind a blank", x(200) + " " + url, []string{x(200) + " ", url}},
		{"a URL behind other text", x(200) + "(" + url + ")", []string{x(200) + "(", url + ")"}},
		{"a URL in a language without blanks", strings.Repeat("请", 60) + url + strings.Repeat("请", 60),
			[]string{strings.Repeat("请", 60), url + strings.Repeat("请", 51), strings.Repeat("请", 9)}},
		{"the second URL", x(60) + "<" + url + "><" + url + ">", []string{x(60) + "<" + url + "><", url + ">"}},
		{"a URL with a URL inside", x(200) + "<" + url + "=https://example.org", []string{x(200) + "<", url + "=https://example.org"}},
		{"a URL that fits nowhere", x(200) + "<https://" + x(300), []string{x(200) + "<https://" + x(44), x(253), x(3)}},
	} {
		t.Run(test.name, func(t *testing.T) { assert.Equal(t, test.want, prompt.Split(test.text)) })
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("")
	f.Add(strings.Repeat("one two\n", 50))
	f.Add(strings.Repeat("é", 200) + " https://example.com/" + strings.Repeat("a", 150))
	f.Add("\xff\r\n" + strings.Repeat("HTTP://x ", 60))
	f.Fuzz(func(t *testing.T, text string) {
		pieces := prompt.Split(text)
		require.Equal(t, clean.Text(text), strings.Join(pieces, ""))
		for _, piece := range pieces {
			require.NotEmpty(t, piece)
			require.LessOrEqual(t, len(piece), 253)
			require.True(t, utf8.ValidString(piece))
		}

		url := "https://example.com/" + strings.Repeat("u", min(len(text), 233))
		require.Contains(t, strings.Join(prompt.Split(text+" "+url), "\x00"), url, "a URL stays whole")
	})
}

func ExampleSplit() {
	text := "Your account is not enrolled yet. Use a browser to finish enrollment, then log in again.\n" +
		"Have your phone at hand: the page shows a code for its camera. If it has none, choose the e-mail.\n" +
		"https://api-12345678.example.com/portal?code=0123456789abcdef&akey=DA0123456789ABCDEF01"
	for i, replyMessage := range prompt.Split(text) {
		fmt.Printf("Reply-Message %d (%d bytes) ends in %q\n", i+1, len(replyMessage), replyMessage[len(replyMessage)-9:])
	}
	// Output:
	// Reply-Message 1 (187 bytes) ends in " e-mail.\n"
	// Reply-Message 2 (87 bytes) ends in "9ABCDEF01"
}
