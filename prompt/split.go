package prompt

import (
	"regexp"
	"strings"

	"github.com/radmfa/radmfa/internal/clean"
)

// maxMessage is how many bytes an attribute holds (RFC 2865 section 5).
const maxMessage = 253

// urlPattern matches a URL up to a character that none holds unescaped.
var urlPattern = regexp.MustCompile(`(?i)https?://[!#-;=?-~]+`)

// Split cuts a text into Reply-Messages of 1 to 253 bytes: after the last line
// end that fits; in a line that is too long at a blank; in a word that is too
// long between two characters, but not in a URL that fits into a Reply-Message
// of its own. An empty text gives none.
//
// Control characters are removed first, but for line feeds. The rest comes out
// complete: joined together, the pieces give the text again. A line feed or blank
// at a cut stays at the end of its piece, since some clients join the
// Reply-Messages as they are; those that put each on a line of its own (radcli)
// show an empty line there.
func Split(text string) []string { return plain.split(clean.Text(text)) }

// encoding is the form a text gets on its way out. It treats every character
// by itself, so that a text can be cut before it is encoded.
type encoding struct{ replacer *strings.Replacer }

var (
	plain    = encoding{strings.NewReplacer()}
	noMarkup = encoding{strings.NewReplacer("<", "", ">", "", "&", "")}
	escaped  = encoding{strings.NewReplacer(
		"<", "&lt;", ">", "&gt;", "&", "&amp;", `"`, "&#34;", "'", "&#39;", "\n", "<br />")}
)

func (e encoding) encode(text string) string { return e.replacer.Replace(text) }

// split cuts a clean text and encodes the pieces.
func (e encoding) split(text string) []string {
	var pieces []string
	if whole := e.encode(text); whole != "" && len(whole) <= maxMessage {
		return append(pieces, whole) // the usual case
	}
	urls := urlPattern.FindAllStringIndex(text, -1)
	for start := 0; start < len(text); {
		for len(urls) > 0 && urls[0][1] <= start {
			urls = urls[1:]
		}
		end := start + e.fitting(text[start:])
		if end < len(text) {
			end = e.cut(text, start, end, urls)
		}
		if piece := e.encode(text[start:end]); piece != "" {
			pieces = append(pieces, piece)
		}
		start = end
	}
	return pieces
}

// fitting returns how many bytes of text fit into a Reply-Message.
func (e encoding) fitting(text string) int {
	size := 0
	for i, r := range text {
		size += len(e.encode(string(r)))
		if size > maxMessage {
			return i
		}
	}
	return len(text)
}

// cut returns the best place, at most end, to end the piece that begins at
// start. The urls are those that end after start.
func (e encoding) cut(text string, start, end int, urls [][]int) int {
	piece := text[start:end]
	if i := strings.LastIndexByte(piece, '\n'); i >= 0 {
		return start + i + 1
	}
	if text[end] == '\n' || text[end] == ' ' {
		return end
	}
	if i := strings.LastIndexByte(piece, ' '); i >= 0 {
		return start + i + 1
	}
	for _, url := range urls {
		from, to := url[0], url[1]
		if from >= end {
			break
		}
		if start < from && end < to && e.fitting(text[from:to]) == to-from {
			return from
		}
	}
	return end
}
