package radius

import (
	"bufio"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"
)

// BenchmarkLogin measures what a login in two steps (request, challenge, answer,
// accept; all signed) costs a server in CPU time: ours, layeh's PacketServer
// with an equal handler, and a bare loop that does what the protocol needs and
// nothing else. Each server is a process of its own on one CPU and 64 logins are
// outstanding; the load comes from another CPU. The rounds are interleaved, and
// the medians count.
//
//	go test -run '^$' -bench '^BenchmarkLogin$' ./radius
func BenchmarkLogin(b *testing.B) {
	rounds, logins := 5, 15_000
	if testing.Short() {
		rounds, logins = 1, 1_000
	}
	cpus := affinity()
	if len(cpus) < 2 {
		b.Skip("needs two CPUs")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer setAffinity(cpus...)
	setAffinity(cpus[0]) // inherited by the processes
	servers := []*benchServer{startBenchServer(b, "ours"), startBenchServer(b, "layeh"), startBenchServer(b, "bare")}
	setAffinity(cpus[1])

	for _, s := range servers {
		s.round(b, 4*logins, false) // warms up: the answers fill their memory
	}
	for b.Loop() {
		for range rounds {
			for _, s := range servers {
				s.round(b, logins, true)
			}
		}
	}
	for _, s := range servers {
		b.ReportMetric(median(s.micros), s.kind+"-us/login")
		b.ReportMetric(median(s.allocs), s.kind+"-allocs/login")
	}
	ours, theirs, bare := median(servers[0].micros), median(servers[1].micros), median(servers[2].micros)
	b.ReportMetric(ours/theirs, "ours/layeh")
	b.ReportMetric(ours/bare, "ours/bare")
	b.ReportMetric(0, "ns/op")
}

func median(list []float64) float64 {
	slices.Sort(list)
	return list[len(list)/2]
}

// affinity returns the CPUs that this thread may run on.
func affinity() (cpus []int) {
	var mask [128]byte
	_, _, errno := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask)))
	for i := range len(mask) * 8 {
		if errno == 0 && mask[i/8]&(1<<(i%8)) != 0 {
			cpus = append(cpus, i)
		}
	}
	return cpus
}

func setAffinity(cpus ...int) {
	var mask [128]byte
	for _, i := range cpus {
		mask[i/8] |= 1 << (i % 8)
	}
	_, _, _ = syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, 0, uintptr(len(mask)), uintptr(unsafe.Pointer(&mask)))
}

// The processes that serve are this test binary again.

const benchServerEnv = "RADIUS_BENCHMARK_SERVER"

// servedBenchmark serves until its standard input ends, when this process is
// to. For each line there it prints the CPU time used so far in microseconds
// and the number of allocations.
func servedBenchmark() bool {
	kind := os.Getenv(benchServerEnv)
	if kind == "" {
		return false
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	_ = conn.SetReadBuffer(defaultReadBuffer)
	go benchServers[kind](conn)
	fmt.Println(conn.LocalAddr().(*net.UDPAddr).Port)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var usage syscall.Rusage
		var memory runtime.MemStats
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
		runtime.ReadMemStats(&memory)
		fmt.Println((usage.Utime.Nano()+usage.Stime.Nano())/1000, memory.Mallocs)
	}
	return true
}

var benchServers = map[string]func(*net.UDPConn){
	"ours": func(conn *net.UDPConn) {
		list, _ := NewClients(Client{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Secret: vectorSecret})
		_ = (&Server{Clients: list, Handler: HandlerFunc(benchHandler), Logger: discard}).Serve(conn)
	},
	"layeh": func(conn *net.UDPConn) {
		_ = (&layeh.PacketServer{SecretSource: layeh.StaticSecretSource([]byte(vectorSecret)),
			Handler: HandlerFunc(signingHandler)}).Serve(conn)
	},
	"bare": bareServer,
}

const (
	benchMenu    = "Duo two-factor login for nemo\n\nEnter a passcode or select an option:\n\n 1. Duo Push\n"
	benchWelcome = "Success. Logging you in..."
)

// benchHandler challenges, and takes any answer.
func benchHandler(w ResponseWriter, r *Request) { _ = w.Write(benchReply(r.Packet)) }

func benchReply(request *Packet) *Packet {
	if rfc2865.State_Get(request) == nil {
		p := request.Response(CodeAccessChallenge)
		_ = rfc2865.ReplyMessage_SetString(p, benchMenu)
		_ = rfc2865.State_Set(p, rfc2865.UserName_Get(request))
		return p
	}
	p := request.Response(CodeAccessAccept)
	_ = rfc2865.ReplyMessage_SetString(p, benchWelcome)
	return p
}

// signingHandler is benchHandler with the Message-Authenticators written by
// hand, as users of layeh's server have to.
func signingHandler(w ResponseWriter, r *Request) {
	got := rfc2869.MessageAuthenticator_Get(r.Packet)
	if !hmac.Equal(got, packetHMAC(r.Packet)) {
		return
	}
	p := benchReply(r.Packet)
	_ = rfc2869.MessageAuthenticator_Set(p, packetHMAC(p))
	_ = w.Write(p)
}

func packetHMAC(p *Packet) []byte {
	_ = rfc2869.MessageAuthenticator_Set(p, make([]byte, macLength))
	b, _ := p.MarshalBinary()
	mac := hmac.New(md5.New, p.Secret)
	mac.Write(b)
	return mac.Sum(nil)
}

// bareServer answers in the loop that reads, from preallocated buffers.
func bareServer(conn *net.UDPConn) {
	in, out := make([]byte, 4096), make([]byte, 0, 4096)
	var sum [macLength]byte
	mac, sumOf := hmac.New(md5.New, []byte(vectorSecret)), md5.New()
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			return
		}
		request := in[:n]
		var macAt int
		var state, name []byte
		for at := headerLength; at < n; at += int(request[at+1]) {
			value := request[at+2 : at+int(request[at+1])]
			switch request[at] {
			case 1:
				name = value
			case 24:
				state = value
			case typeMessageAuthenticator:
				macAt = at + 2
			}
		}
		copy(sum[:], request[macAt:])
		clear(request[macAt : macAt+macLength])
		mac.Reset()
		mac.Write(request)
		if !hmac.Equal(mac.Sum(out[:0]), sum[:]) {
			continue
		}
		code, text := CodeAccessAccept, benchWelcome
		if state == nil {
			code, text = CodeAccessChallenge, benchMenu
		}
		out = append(out[:0], byte(code), request[1], 0, 0)
		out = append(out, request[4:headerLength]...)
		out = append(append(out, typeMessageAuthenticator, 2+macLength), zeros[:]...)
		out = append(append(out, 18, byte(2+len(text))), text...)
		if state == nil {
			out = append(append(out, 24, byte(2+len(name))), name...)
		}
		binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
		mac.Reset()
		mac.Write(out)
		copy(out[headerLength+2:], mac.Sum(sum[:0]))
		sumOf.Reset()
		sumOf.Write(out)
		sumOf.Write([]byte(vectorSecret))
		copy(out[4:], sumOf.Sum(sum[:0]))
		_, _ = conn.WriteToUDPAddrPort(out, from)
	}
}

// benchServer is such a process, and what was measured of it.
type benchServer struct {
	kind           string
	in             io.Writer
	out            *bufio.Reader
	socket         int
	micros, allocs []float64
}

func startBenchServer(b *testing.B, kind string) *benchServer {
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), benchServerEnv+"="+kind, "GOMAXPROCS=1")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(b, err)
	out, err := command.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, command.Start())
	s := &benchServer{kind: kind, in: in, out: bufio.NewReader(out)}
	b.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	var port int
	_, err = fmt.Fscanln(s.out, &port)
	require.NoError(b, err)

	// A bare socket costs the load generator less than one of package net.
	s.socket, err = syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	b.Cleanup(func() { _ = syscall.Close(s.socket) })
	require.NoError(b, syscall.Connect(s.socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}))
	return s
}

func (s *benchServer) usage(b *testing.B) (micros, allocs float64) {
	_, err := fmt.Fprintln(s.in)
	require.NoError(b, err)
	_, err = fmt.Fscanln(s.out, &micros, &allocs)
	require.NoError(b, err)
	return micros, allocs
}

// round runs that many logins and notes what one costs.
func (s *benchServer) round(b *testing.B, logins int, count bool) {
	load := newLoad(b, logins)
	runtime.GC() // of the load, before the clock runs
	micros, allocs := s.usage(b)
	load.run(b, s.socket)
	microsAfter, allocsAfter := s.usage(b)
	if count {
		s.micros = append(s.micros, (microsAfter-micros)/float64(logins))
		s.allocs = append(s.allocs, (allocsAfter-allocs)/float64(logins))
	}
}

const outstanding = 64

// load is a number of logins: each of 64 places does one after the other. The
// requests are made beforehand, so that the server is the busy one.
type load struct {
	steps  [][]byte // of the logins, two each
	places [outstanding]int
}

func newLoad(b *testing.B, logins int) *load {
	l := &load{steps: make([][]byte, 2*logins)}
	for i := range l.steps {
		login, step := i/2, i%2
		p := layeh.New(CodeAccessRequest, []byte(vectorSecret))
		// A place has four Identifiers, since layeh's server drops a new request on
		// one whose handler is just returning.
		p.Identifier = byte(login%outstanding + outstanding*((login/outstanding*2+step)%4))
		name := fmt.Sprintf("user-%020d", login)
		_ = rfc2865.UserName_SetString(p, name)
		_ = rfc2865.UserPassword_SetString(p, "password")
		_ = rfc2865.NASIPAddress_Set(p, net.IPv4(192, 0, 2, 1))
		_ = rfc2865.CallingStationID_SetString(p, "198.51.100.7")
		if step == 1 {
			_ = rfc2865.State_SetString(p, name)
		}
		l.steps[i] = mustSign(b, p, vectorSecret)
	}
	return l
}

// run sends the requests and takes the replies until every login is accepted.
func (l *load) run(b *testing.B, socket int) {
	for place := range l.places {
		l.places[place] = 2 * place
		l.send(b, socket, place)
	}
	buffer := make([]byte, 4096)
	last, lost := time.Now(), 0
	for left := len(l.steps); left > 0; {
		// It does not sleep: waking it would be a cost of the server.
		n, _, err := syscall.Recvfrom(socket, buffer, syscall.MSG_DONTWAIT)
		if err == syscall.EAGAIN {
			if time.Since(last) > 200*time.Millisecond { // something was lost
				last = time.Now()
				if lost++; lost > 50 {
					b.Fatal("the server does not answer")
				}
				for place := range l.places {
					l.send(b, socket, place)
				}
			}
			continue
		}
		require.NoError(b, err)
		last = time.Now()
		place := int(buffer[1]) % outstanding
		step := l.places[place]
		if step >= len(l.steps) || buffer[1] != l.steps[step][1] {
			continue // the reply to one sent twice
		}
		l.check(b, step, buffer[:n])
		if left--; step%2 == 0 {
			l.places[place]++
		} else {
			l.places[place] += 2*outstanding - 1
		}
		l.send(b, socket, place)
	}
}

func (l *load) send(b *testing.B, socket, place int) {
	if step := l.places[place]; step < len(l.steps) {
		_, err := syscall.Write(socket, l.steps[step])
		require.NoError(b, err)
	}
}

// check looks at the code, and of some replies at the signatures.
func (l *load) check(b *testing.B, step int, reply []byte) {
	want := [2]Code{CodeAccessChallenge, CodeAccessAccept}[step%2]
	if Code(reply[0]) != want {
		b.Fatalf("%s instead of %s", Code(reply[0]), want)
	}
	if step%101 == 0 {
		w, request, k := scanned(b, reply), [16]byte(l.steps[step][4:headerLength]), newKey(vectorSecret)
		require.True(b, w.authentic(k, request) && w.macAt != 0 && w.signed(k, request))
	}
}
