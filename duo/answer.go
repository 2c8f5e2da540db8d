package duo

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/radmfa/radmfa/internal/clean"
)

const (
	maxBody = 1 << 20 // bytes of an answer that are read
	maxText = 4 << 10 // bytes of a text in it that are kept
)

// answer is one HTTP answer.
type answer struct {
	status int
	header http.Header
	body   []byte
	err    error // why body is not all of it
}

// envelope is what every answer but the logo is wrapped in.
type envelope struct {
	Stat     string          `json:"stat"`
	Response json.RawMessage `json:"response"`
	Code     number          `json:"code"`
	Message  line            `json:"message"`
	Detail   line            `json:"message_detail"`
}

// open returns what the answer's envelope holds, and nothing for an image, which
// has none.
func (a *answer) open(k *call) (json.RawMessage, *Error) {
	if k.image && a.err == nil && a.status == http.StatusOK && bytes.HasPrefix(a.body, []byte("\x89PNG\r\n\x1a\n")) {
		return nil, nil
	}
	env := new(envelope)
	err := a.parse(env)
	if err == nil && env.Stat == "OK" {
		return env.Response, nil
	}
	return nil, &Error{
		Call:    k.name,
		Status:  a.status,
		Code:    int(env.Code),
		Message: string(env.Message),
		Detail:  string(env.Detail),
		Err:     err,
	}
}

// parse reads the envelope and says why what came is none.
func (a *answer) parse(env *envelope) error {
	if a.err != nil {
		return a.err
	}
	if len(bytes.TrimSpace(a.body)) == 0 {
		return errors.New("the answer is empty")
	}
	var e envelope
	if err := json.Unmarshal(a.body, &e); err != nil {
		return fmt.Errorf("the answer is not what the Auth API sends: %w", err)
	}
	switch {
	case e.Stat != "OK" && e.Stat != "FAIL":
		return errors.New(`the answer has no "stat"`)
	case e.Stat == "OK" && a.status != http.StatusOK:
		return errors.New("the answer says OK, its HTTP status does not")
	case e.Stat == "OK" && (len(e.Response) == 0 || string(e.Response) == "null"):
		return errors.New(`the answer has no "response"`)
	}
	*env = e
	return nil
}

// decode reads a response out of its envelope. Its failure is an Error that is
// not Unavailable: the service is there, we do not understand it.
func decode(call string, response json.RawMessage, into any) error {
	if err := json.Unmarshal(response, into); err != nil {
		return unintelligible(call, "the response cannot be read: "+err.Error())
	}
	return nil
}

func unintelligible(call, why string) error {
	return &Error{Call: call, Status: http.StatusOK, Message: why}
}

// until turns a time of the service into one of this machine's clock. The
// documentation leaves open whether such a field counts seconds from now or from
// 1970, and the two are told apart by their size. The zero number gives the zero
// time.
func (a *answer) until(n number) time.Time {
	const year = 365 * 24 * 3600
	switch {
	case n <= 0:
		return time.Time{}
	case n < year:
		return time.Now().Add(time.Duration(n) * time.Second)
	}
	then := time.Unix(int64(n), 0)
	if date, err := http.ParseTime(a.header.Get("Date")); err == nil {
		then = time.Now().Add(then.Sub(date))
	}
	if latest := time.Now().Add(year * time.Second); then.After(latest) {
		return latest // whatever that number is
	}
	return then
}

// text is a text of the service that may have several lines, line one that may
// not. Both lose control characters and what is over maxText when they are read;
// numbers and booleans are taken as they are written, and other types of values as
// nothing, so that one malformed field does not fail a login.
type (
	text string
	line string
)

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(cut(clean.Text(scalar(b))))
	return nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (l *line) UnmarshalJSON(b []byte) error {
	*l = line(cut(clean.Line(scalar(b))))
	return nil
}

// number is an integer that may come as a string; anything else is 0.
type number int64

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(b []byte) error {
	f, err := strconv.ParseFloat(strings.TrimSpace(scalar(b)), 64)
	if err != nil || math.Abs(f) > 1<<53 {
		f = 0
	}
	*n = number(f)
	return nil
}

// scalar is a string, number or boolean of JSON as a string; "" for the rest.
func scalar(b []byte) string {
	switch b[0] {
	case '"':
		var s string
		_ = json.Unmarshal(b, &s) // b is valid JSON
		return s
	case '{', '[', 'n':
		return ""
	}
	return string(b)
}

// cut bounds the length of a text, between runes.
func cut(s string) string {
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
