package radmfa_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/freeradiustest"
)

// BenchmarkWholeLogin measures what a whole login (password, menu, answer,
// accept; Message-Authenticator on every packet) costs a server in CPU time:
// radmfa.Server with and without a text log, a program written by hand on
// layeh's PacketServer, a bare loop that does what the protocol needs and nothing
// else, and FreeRADIUS where it is installed. The first factor is a map and the
// second answers in the same process. Each server is a process of its own on one
// CPU and 64 logins are outstanding; the load comes from another CPU. The rounds
// are interleaved, and the medians count.
//
//	go test -run '^$' -bench '^BenchmarkWholeLogin$' .
func BenchmarkWholeLogin(b *testing.B) {
	rounds, logins := 5, 8_000 // decided logins are kept for 30 s, and all have to fit
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
	var servers []*benchServer
	for _, kind := range []string{"bare", "layeh", "ours", "logged"} {
		servers = append(servers, startBenchServer(b, kind))
	}
	if s := startFreeRADIUS(b); s != nil {
		servers = append(servers, s)
	}
	setAffinity(cpus[1])
	for _, s := range servers {
		s.round(b, 2*logins, false)
	}
	for b.Loop() {
		for range rounds {
			for _, s := range servers {
				s.round(b, logins, true)
			}
		}
	}
	cost := map[string]float64{}
	for _, s := range servers {
		cost[s.kind] = median(s.micros)
		b.ReportMetric(cost[s.kind], s.kind+"-us/login")
		if s.kind == "ours" || s.kind == "layeh" {
			b.ReportMetric(median(s.allocs), s.kind+"-allocs/login")
		}
	}
	b.ReportMetric(cost["ours"]/cost["bare"], "ours/bare")
	b.ReportMetric(cost["ours"]/cost["layeh"], "ours/layeh")
	b.ReportMetric(cost["logged"]/cost["ours"], "logged/ours")
	if cost["freeradius"] > 0 {
		b.ReportMetric(cost["ours"]/cost["freeradius"], "ours/freeradius")
	}
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

// benchServer is such a process, and what was measured of it.
type benchServer struct {
	kind           string
	usage          func(b *testing.B) (micros, allocs float64)
	socket         int
	micros, allocs []float64
}

func startBenchServer(b *testing.B, kind string) *benchServer {
	command := exec.Command(os.Args[0], "-test.run=^$")
	command.Env = append(os.Environ(), benchServerEnv+"="+kind, "GOMAXPROCS=1")
	command.Stderr = os.Stderr
	in, err := command.StdinPipe()
	require.NoError(b, err)
	pipe, err := command.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, command.Start())
	out := bufio.NewReader(pipe)
	b.Cleanup(func() {
		_ = in.Close()
		_ = command.Wait()
	})
	var port int
	_, err = fmt.Fscanln(out, &port)
	require.NoError(b, err)
	usage := func(b *testing.B) (micros, allocs float64) {
		_, err := fmt.Fprintln(in)
		require.NoError(b, err)
		_, err = fmt.Fscanln(out, &micros, &allocs)
		require.NoError(b, err)
		return micros, allocs
	}
	return &benchServer{kind: kind, usage: usage, socket: connected(b, port)}
}

// startFreeRADIUS returns nil where it is not installed.
func startFreeRADIUS(b *testing.B) *benchServer {
	if _, err := exec.LookPath("freeradius"); err != nil {
		return nil
	}
	port, pid := freeradiustest.StartChallenge(b, secret, password, strings.NewReplacer("%s", "%{User-Name}", "\n", "\\n").Replace(benchMenu), benchWelcome)
	usage := func(b *testing.B) (micros, allocs float64) {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		require.NoError(b, err)
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		user, err := strconv.ParseFloat(fields[11], 64)
		require.NoError(b, err)
		system, err := strconv.ParseFloat(fields[12], 64)
		require.NoError(b, err)
		return (user + system) * 10_000, 0 // clock ticks of 10 ms
	}
	return &benchServer{kind: "freeradius", usage: usage, socket: connected(b, port)}
}

// connected is a bare socket, which costs the load generator less than one of
// package net.
func connected(b *testing.B, port int) int {
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	b.Cleanup(func() { _ = syscall.Close(socket) })
	require.NoError(b, syscall.Connect(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}, Port: port}))
	return socket
}

// round runs that many logins and notes what one costs.
func (s *benchServer) round(b *testing.B, logins int, count bool) {
	load := newLoad(b, logins)
	runtime.GC() // of the load, before the clock runs
	micros, allocs := s.usage(b)
	load.run(b, s.socket, s.kind)
	microsAfter, allocsAfter := s.usage(b)
	if count {
		s.micros = append(s.micros, (microsAfter-micros)/float64(logins))
		s.allocs = append(s.allocs, (allocsAfter-allocs)/float64(logins))
	}
}
