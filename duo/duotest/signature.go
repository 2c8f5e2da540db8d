package duotest

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"net"
	"net/http"
	"net/mail"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/radmfa/radmfa/duo"
)

// tolerance is how far the clock of a client may be off.
const tolerance = 5 * time.Minute

// verify checks who signed a call and when. It takes the two forms of signatures
// that clients use today, both with HMAC-SHA512.
func (s *Service) verify(r *http.Request, c *Call, body []byte) *failure {
	ikey, skey := s.keys()
	user, signature, ok := r.BasicAuth()
	switch {
	case !ok:
		return &failure{code: 40101}
	case user != ikey:
		return &failure{code: 40102}
	}
	date := r.Header.Get("X-Duo-Date")
	if date == "" {
		date = r.Header.Get("Date")
	}
	if date == "" {
		return &failure{code: 40104}
	}
	signed, err := mail.ParseDate(date)
	if err != nil || s.now().Sub(signed).Abs() > tolerance {
		return &failure{code: 40105}
	}
	host := strings.ToLower(r.Host)
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	for _, h := range []string{name, host} {
		head := strings.Join([]string{date, r.Method, h, c.Path, ""}, "\n")
		if equal(signature, skey, head+encode(c.Params)) ||
			equal(signature, skey, head+encode(r.URL.Query())+"\n"+hash(string(body))+"\n"+hash(duoHeaders(r.Header))) {
			return nil
		}
	}
	return &failure{code: 40103}
}

func equal(signature string, skey duo.Secret, canonical string) bool {
	mac := hmac.New(sha512.New, []byte(skey))
	mac.Write([]byte(canonical))
	return hmac.Equal([]byte(signature), []byte(hex.EncodeToString(mac.Sum(nil))))
}

// encode is the canonical form of parameters: sorted by name and value, a blank
// as %20.
func encode(params url.Values) string {
	sorted := make(url.Values, len(params))
	for name, values := range params {
		sorted[name] = slices.Sorted(slices.Values(values))
	}
	return strings.ReplaceAll(sorted.Encode(), "+", "%20")
}

func hash(s string) string {
	sum := sha512.Sum512([]byte(s))
	return hex.EncodeToString(sum[:])
}

// duoHeaders is the canonical form of the X-Duo headers: names in lower case and
// values, sorted by name, with a NUL between each two.
func duoHeaders(header http.Header) string {
	var names, parts []string
	for name := range header {
		if strings.HasPrefix(name, "X-Duo-") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	for _, name := range names {
		parts = append(parts, strings.ToLower(name), strings.TrimSpace(header.Get(name)))
	}
	return strings.Join(parts, "\x00")
}
