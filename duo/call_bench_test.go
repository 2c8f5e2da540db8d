package duo_test

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
)

// cannedAnswer is what the service of BenchmarkCall says, whatever it is asked.
const cannedAnswer = `{"stat":"OK","response":{"result":"allow","status_msg":"Success. Logging you in..."}}`

// serveCanned answers each request on a connection, at the least cost, so that
// what is measured is the client.
func serveCanned(conn net.Conn) {
	defer conn.Close()
	reply := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(cannedAnswer), cannedAnswer)
	r := bufio.NewReader(conn)
	for {
		length := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if n, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
				length, _ = strconv.Atoi(string(bytes.TrimSpace(n)))
			}
			if len(line) == 2 {
				break
			}
		}
		if _, err := r.Discard(length); err != nil {
			return
		}
		if _, err := conn.Write(reply); err != nil {
			return
		}
	}
}

// preauthByHand is the least a client can do for a signed call over a kept
// connection: the floor.
func preauthByHand(b *testing.B, conn *tls.Conn, r *bufio.Reader, host string) {
	const params = "username=jdoe"
	date := time.Now().UTC().Format(time.RFC1123Z)
	mac := hmac.New(sha512.New, []byte("key"))
	fmt.Fprintf(mac, "%s\nPOST\n%s\n/auth/v2/preauth\n%s", date, host, params)
	auth := base64.StdEncoding.EncodeToString([]byte("DI:" + hex.EncodeToString(mac.Sum(nil))))
	_, err := fmt.Fprintf(conn, "POST /auth/v2/preauth HTTP/1.1\r\nHost: %s\r\nX-Duo-Date: %s\r\nAuthorization: Basic %s\r\n"+
		"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\n%s", host, date, auth, len(params), params)
	require.NoError(b, err)
	for line := []byte("-"); len(line) != 2; {
		line, err = r.ReadSlice('\n')
		require.NoError(b, err)
	}
	body := make([]byte, len(cannedAnswer))
	_, err = io.ReadFull(r, body)
	require.NoError(b, err)
	var envelope struct{ Response struct{ Result string } }
	require.NoError(b, json.Unmarshal(body, &envelope))
}

// BenchmarkCall compares a call of Client over HTTP/1.1 with one made by hand on
// a tls.Conn. The service is in this process and costs both the same.
func BenchmarkCall(b *testing.B) {
	srv := httptest.NewUnstartedServer(nil)
	srv.StartTLS() // for its certificate
	config := srv.TLS.Clone()
	pool := x509.NewCertPool()
	pool.AddCert(srv.Certificate())
	srv.Close()
	config.NextProtos = nil
	l, err := tls.Listen("tcp", "127.0.0.1:0", config)
	require.NoError(b, err)
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serveCanned(conn)
		}
	}()
	host := l.Addr().String()

	b.Run("by hand", func(b *testing.B) {
		conn, err := tls.Dial("tcp", host, &tls.Config{RootCAs: pool})
		require.NoError(b, err)
		defer conn.Close()
		r := bufio.NewReader(conn)
		b.ReportAllocs()
		for b.Loop() {
			preauthByHand(b, conn, r, host)
		}
	})
	b.Run("client", func(b *testing.B) {
		client := &duo.Client{Host: host, IntegrationKey: "DI", SecretKey: "key", TLSConfig: &tls.Config{RootCAs: pool}}
		defer client.CloseIdleConnections()
		b.ReportAllocs()
		for b.Loop() {
			response, err := client.Preauth(b.Context(), &duo.PreauthRequest{Username: "jdoe"})
			require.NoError(b, err)
			require.Equal(b, duo.PreauthAllow, response.Result)
		}
	})
}
