package ldapauth

import (
	"context"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
)

// sockets counts this process's sockets.
func sockets(t *testing.T) (n int) {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, f := range files {
		if to, err := os.Readlink("/proc/self/fd/" + f.Name()); err == nil && strings.HasPrefix(to, "socket:") {
			n++
		}
	}
	return n
}

// leavesNothing checks at the end that test left no goroutine and no socket.
func leavesNothing(t *testing.T, test func()) {
	t.Helper()
	before, running := sockets(t), goleak.IgnoreCurrent()
	test()
	goleak.VerifyNone(t, running)
	assert.Equal(t, before, sockets(t), "sockets")
}

// load logs in from several goroutines until stop ends, with right and wrong
// passwords in turn, each with its own deadline, and checks every answer. It
// returns how many logins there were.
func load(t *testing.T, auth *Authenticator, deadline time.Duration, stop <-chan struct{}) int64 {
	t.Helper()
	var wg sync.WaitGroup
	var count atomic.Int64
	for worker := range 16 {
		wg.Go(func() {
			for i := worker; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				password := "jdoe-pw"
				if i%2 == 1 {
					password = "wrong"
				}
				ctx, cancel := context.WithTimeout(context.Background(), deadline)
				start := time.Now()
				_, err := auth.Authenticate(ctx, request("jdoe", password))
				cancel()
				count.Add(1)
				assert.Less(t, time.Since(start), deadline+time.Second)
				if i%2 == 1 {
					assert.ErrorIs(t, err, primary.ErrRejected)
				} else {
					assert.NoError(t, err)
				}
			}
		})
	}
	wg.Wait()
	return count.Load()
}

// during runs script while logins go on.
func during(t *testing.T, auth *Authenticator, deadline time.Duration, script func()) {
	t.Helper()
	stop := make(chan struct{})
	go func() {
		defer close(stop)
		time.Sleep(200 * time.Millisecond)
		script()
		time.Sleep(200 * time.Millisecond)
	}()
	t.Log(load(t, auth, deadline, stop), "logins")
}

func TestDirectoryKilledAndRestartedUnderLoadCostsNoLogin(t *testing.T) {
	for _, transport := range []Transport{StartTLS, LDAPS} {
		t.Run(transport.String(), func(t *testing.T) {
			s := ldaptest.StartSlapd(t, nil)
			leavesNothing(t, func() {
				auth := slapdAuth(t, s)
				if auth.Transport = transport; transport == LDAPS {
					auth.Hosts = []string{s.TLSAddr}
				}
				auth.RefusedFor = 10 * time.Second // a busy machine takes longer to start it than the default
				during(t, auth, 10*time.Second, func() {
					for _, end := range []func(){s.Kill, s.Stop, s.Kill} {
						end()
						time.Sleep(300 * time.Millisecond)
						assert.NoError(t, s.Start())
						time.Sleep(300 * time.Millisecond)
					}
				})
				require.NoError(t, auth.Close())
			})
		})
	}
}

func TestDeadOrSilentFirstHostCostsNoLogin(t *testing.T) {
	s := ldaptest.StartSlapd(t, nil)
	hung := &ldapauthtest.Directory{}
	hung.Hung.Store(true)
	refusing, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, refusing.Close())
	for name, host := range map[string]string{
		"drops packets": ldaptest.BlackHole(t), "accepts and is silent": hung.Listen(t), "refuses": refusing.Addr().String(),
	} {
		t.Run(name, func(t *testing.T) {
			auth := slapdAuth(t, s)
			auth.Hosts = []string{host, s.Addr}
			leavesNothing(t, func() {
				during(t, auth, 4*time.Second, func() {})
				require.NoError(t, auth.Close())
			})
		})
	}
}

func TestDirectoryThatHangsUnderLoadIsLeftForTheNext(t *testing.T) {
	first, second := ldaptest.StartSlapd(t, nil), ldaptest.StartSlapd(t, nil)
	auth := slapdAuth(t, first)
	auth.TLSConfig.RootCAs.AddCert(second.CA.Cert)
	auth.Hosts = []string{first.Addr, second.Addr}
	auth.Timeout = time.Second
	leavesNothing(t, func() {
		during(t, auth, 4*time.Second, func() {
			first.Freeze()
			time.Sleep(2 * time.Second)
			first.Thaw()
		})
		require.NoError(t, auth.Close())
	})
}

func TestDirectoryThatHangsAloneIsAnErrorWithinTheDeadline(t *testing.T) {
	s := ldaptest.StartSlapd(t, nil)
	auth := slapdAuth(t, s)
	leavesNothing(t, func() {
		require.NoError(t, login(t, auth, "jdoe", "jdoe-pw"))
		s.Freeze()
		defer s.Thaw()
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				ctx, cancel := context.WithTimeout(context.Background(), 500*time.Millisecond)
				defer cancel()
				start := time.Now()
				_, err := auth.Authenticate(ctx, request("jdoe", "jdoe-pw"))
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				assert.NotErrorIs(t, err, primary.ErrRejected)
				assert.Less(t, time.Since(start), 2*time.Second)
			})
		}
		wg.Wait()
		require.NoError(t, auth.Close())
	})
}

// BenchmarkLogin measures whole logins against OpenLDAP over TLS.
func BenchmarkLogin(b *testing.B) {
	s := ldaptest.StartSlapd(b, nil)
	for _, maxConns := range []int{4, DefaultMaxConns} {
		b.Run(fmt.Sprintf("MaxConns=%d", maxConns), func(b *testing.B) {
			auth := slapdAuth(b, s)
			auth.MaxConns = maxConns
			auth.Groups = []string{groupDN("vpnusers")}
			var dialed atomic.Int64
			auth.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
				dialed.Add(1)
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}
			b.SetParallelism(32)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if _, err := auth.Authenticate(context.Background(), request("jdoe", "jdoe-pw")); err != nil {
						b.Error(err)
					}
				}
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "logins/s")
			b.ReportMetric(float64(dialed.Load()), "connections")
		})
	}
}
