package duo

import (
	"crypto/hmac"
	"crypto/sha512"
	"encoding/hex"
	"net/url"
	"strings"
)

// encode is the canonical form of parameters, which is also sent: sorted, and
// percent-encoded with upper-case digits but for A-Z a-z 0-9 - . _ ~.
func encode(params url.Values) string {
	return strings.ReplaceAll(params.Encode(), "+", "%20")
}

// sign is the password that goes with the integration key: the HMAC-SHA512 of
// date, method, host, path and parameters, one on each line.
func sign(key Secret, date, method, host, path, params string) string {
	mac := hmac.New(sha512.New, []byte(key))
	mac.Write([]byte(strings.Join([]string{date, method, strings.ToLower(host), path, params}, "\n")))
	return hex.EncodeToString(mac.Sum(nil))
}
