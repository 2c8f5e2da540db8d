package duo_test

import (
	"errors"
	"io"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo"
)

// FuzzAnswer hands arbitrary answers of the service to every call. Each ends in a
// response of clean text, or in an Error.
func FuzzAnswer(f *testing.F) {
	for _, seed := range []string{
		``, `{}`, `null`, `{"stat":"OK"}`, `{"stat":"OK","response":null}`, `{"stat":"OK","response":{}}`,
		`{"stat":"OK","response":{"time":1357020061}}`,
		`{"stat":"OK","response":"waiting"}`,
		`{"stat":"OK","response":{"result":"allow","status":"allow","status_msg":"Success.\nLogging you in...","trusted_device_token":"t"}}`,
		`{"stat":"OK","response":{"result":"waiting","status":"pushed","verification_code":376}}`,
		`{"stat":"OK","response":{"txid":"45f7c92b-f45f-4862-8545-e0f58e78075a","result":"deny"}}`,
		`{"stat":"OK","response":{"result":"auth","devices":[{"device":"D","capabilities":["push"],"sms_nextcode":"2"}],` +
			`"prompt":{"text":"1. Push","factors":{"1":"push1"}},"expiration":1e300}}`,
		`{"stat":"OK","response":{"activation_code":"c","activation_barcode":"https://b","expiration":1357020061,"user_id":"D","username":"j"}}`,
		`{"stat":"FAIL","code":40002,"message":"Invalid\u001b[2J","message_detail":"txid"}`,
		`{"stat":"FAIL","code":"40105","message":7}`,
		"\x89PNG\r\n\x1a\nimage",
	} {
		f.Add(200, seed)
		f.Add(400, seed)
		f.Add(503, seed)
	}
	f.Fuzz(func(t *testing.T, status int, body string) {
		if status < 200 || status > 599 || status == http.StatusTooManyRequests || strings.Contains(body, "40105") {
			return // is repeated, by other tests
		}
		c := &duo.Client{Host: "api.example.com", IntegrationKey: "DI", SecretKey: "key", HTTPClient: &http.Client{
			Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				return &http.Response{
					StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: make(http.Header), Request: r,
					Body: io.NopCloser(strings.NewReader(body)),
				}, nil
			}),
		}}
		ctx := t.Context()
		user := &duo.PreauthRequest{Username: "jdoe"}
		for _, answer := range []func() (any, error){
			func() (any, error) { return c.Ping(ctx) },
			func() (any, error) { return c.Logo(ctx) },
			func() (any, error) { return c.Preauth(ctx, user) },
			func() (any, error) { return c.Auth(ctx, push) },
			func() (any, error) { return c.AuthAsync(ctx, push) },
			func() (any, error) { return c.AuthStatus(ctx, "t") },
			func() (any, error) { return c.Enroll(ctx, &duo.EnrollRequest{}) },
			func() (any, error) { return c.EnrollStatus(ctx, "D", "code") },
		} {
			got, err := answer()
			if err == nil {
				assert.Equal(t, 200, status)
				clean(t, reflect.ValueOf(got))
				continue
			}
			var e *duo.Error
			assert.True(t, errors.As(err, &e))
			assert.Equal(t, status, e.Status)
			clean(t, reflect.ValueOf(err.Error()))
		}
	})
}

// clean asserts that no text in v could harm a terminal or a log.
func clean(t *testing.T, v reflect.Value) {
	switch v.Kind() {
	case reflect.String:
		assert.False(t, strings.ContainsFunc(v.String(), func(r rune) bool {
			return r != '\n' && (r < 0x20 || r >= 0x7f && r <= 0x9f)
		}), "%q", v.String())
		assert.True(t, utf8.ValidString(v.String()))
		assert.LessOrEqual(t, len(v.String()), 4<<10)
	case reflect.Pointer:
		if !v.IsNil() {
			clean(t, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				clean(t, v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // an image
		}
		for i := range v.Len() {
			clean(t, v.Index(i))
		}
	case reflect.Map:
		for it := v.MapRange(); it.Next(); {
			clean(t, it.Key())
			clean(t, it.Value())
		}
	}
}
