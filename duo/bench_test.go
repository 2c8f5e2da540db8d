package duo_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
)

// servePhones is the other process of BenchmarkWaitingPushes: a service whose
// phones nobody answers. It writes its address and certificate, and tells at
// /auth/v2/logo how many calls wait and on how many connections.
func servePhones() {
	var waiting, conns atomic.Int64
	mux := http.NewServeMux()
	mux.HandleFunc("/auth/v2/ping", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"stat":"OK","response":{"time":%d}}`, time.Now().Unix())
	})
	mux.HandleFunc("/auth/v2/auth", func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		waiting.Add(1)
		defer waiting.Add(-1)
		<-r.Context().Done()
	})
	mux.HandleFunc("/auth/v2/logo", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "\x89PNG\r\n\x1a\n%d %d", waiting.Load(), conns.Load())
	})
	srv := httptest.NewUnstartedServer(mux)
	srv.EnableHTTP2 = true
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		switch s {
		case http.StateNew:
			conns.Add(1)
		case http.StateClosed:
			conns.Add(-1)
		}
	}
	srv.StartTLS()
	fmt.Println(srv.Listener.Addr())
	_ = pem.Encode(os.Stdout, &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
	os.Stdout.Close()
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark is over
}

// phones starts servePhones and returns a client of it.
func phones(b *testing.B) *duo.Client {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DUO_TEST_PROCESS=phones")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	b.Cleanup(func() {
		in.Close()
		_ = cmd.Wait()
	})
	r := bufio.NewReader(out)
	addr, err := r.ReadString('\n')
	require.NoError(b, err)
	cert, err := io.ReadAll(r)
	require.NoError(b, err)
	roots := x509.NewCertPool()
	require.True(b, roots.AppendCertsFromPEM(cert))
	return &duo.Client{Host: strings.TrimSpace(addr), IntegrationKey: "DI", SecretKey: "key", TLSConfig: &tls.Config{RootCAs: roots}}
}

// BenchmarkWaitingPushes holds 10,000 pushes at once and reports what each costs
// this process: at most 25 KiB, and all together fewer than 100 sockets.
func BenchmarkWaitingPushes(b *testing.B) {
	const pushes = 10_000
	client := phones(b)
	defer client.CloseIdleConnections()
	_, err := client.Ping(b.Context())
	require.NoError(b, err)

	var perPush, sockets float64
	for b.Loop() {
		before := memory()
		ctx, cancel := context.WithCancel(b.Context())
		var wg sync.WaitGroup
		for range pushes {
			wg.Go(func() {
				_, _ = client.Auth(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
			})
		}
		for waiting := 0.0; waiting < pushes; waiting, sockets = held(b, client) {
			time.Sleep(50 * time.Millisecond)
		}
		perPush = max(perPush, float64(memory()-before)/pushes/1024)
		cancel()
		wg.Wait()
	}
	b.ReportMetric(perPush, "KiB/push")
	b.ReportMetric(sockets, "sockets")
	if perPush > 25 || sockets >= 100 {
		b.Errorf("%.1f KiB for each push and %.0f sockets, want at most 25 and fewer than 100", perPush, sockets)
	}
}

// held asks how many calls wait and on how many connections.
func held(b *testing.B, client *duo.Client) (waiting, sockets float64) {
	logo, err := client.Logo(b.Context())
	require.NoError(b, err)
	w, s, _ := strings.Cut(string(logo[8:]), " ")
	waiting, err = strconv.ParseFloat(w, 64)
	require.NoError(b, err)
	sockets, err = strconv.ParseFloat(s, 64)
	require.NoError(b, err)
	return waiting, sockets
}

// memory is what this process uses for heap and stacks.
func memory() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
