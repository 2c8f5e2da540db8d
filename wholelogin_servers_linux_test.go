package radmfa_test

import (
	"bufio"
	"context"
	"crypto/hmac"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync"
	"syscall"

	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2869"

	"log/slog"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

// The processes that serve are this test binary again.

const benchServerEnv = "RADMFA_BENCHMARK_SERVER"

// servedBenchmark serves until its standard input ends, when this process is to.
// For each line there it prints the CPU time used so far in microseconds and the
// number of allocations.
func servedBenchmark() bool {
	kind := os.Getenv(benchServerEnv)
	if kind == "" {
		return false
	}
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		panic(err)
	}
	_ = conn.SetReadBuffer(4 << 20)
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
	"ours":   func(conn *net.UDPConn) { serveOurs(conn, slog.New(slog.DiscardHandler)) },
	"logged": func(conn *net.UDPConn) { serveOurs(conn, slog.New(slog.NewTextHandler(io.Discard, nil))) },
	"layeh": func(conn *net.UDPConn) {
		_ = (&layeh.PacketServer{SecretSource: layeh.StaticSecretSource([]byte(secret)), Handler: &byHand{asked: map[string]string{}}}).Serve(conn)
	},
	"bare": bareServer,
}

// inProcess is a second factor that approves at once.
type inProcess struct{}

func (inProcess) Preauth(context.Context, *duo.PreauthRequest) (*duo.PreauthResponse, error) {
	return &duo.PreauthResponse{Result: duo.PreauthAuth, Devices: []duo.Device{{
		ID: "DP1", Number: "XXX-XXX-1234", Capabilities: []duo.Factor{duo.FactorPush, duo.FactorPhone, duo.FactorSMS},
	}}}, nil
}

func (inProcess) Auth(context.Context, *duo.AuthRequest) (*duo.AuthResponse, error) {
	return &duo.AuthResponse{Result: duo.ResultAllow, Status: duo.StatusAllow, StatusMessage: benchWelcome}, nil
}

func serveOurs(conn *net.UDPConn, logger *slog.Logger) {
	clients, err := radius.NewClients(radius.Client{Name: "vpn", Prefix: netip.MustParsePrefix("127.0.0.0/8"), Secret: secret})
	if err != nil {
		panic(err)
	}
	_ = (&radmfa.Server{
		Clients: clients,
		Primary: primary.AuthenticatorFunc(func(_ context.Context, r *primary.Request) (*primary.Result, error) {
			if r.Password != password {
				return nil, primary.ErrRejected
			}
			return nil, nil
		}),
		SecondFactor: inProcess{}, Limits: radmfa.Limits{Outstanding: -1, PerMinute: -1}, Logger: logger,
	}).Serve(conn)
}

const (
	benchMenu = "Duo two-factor login for %s\n\nEnter a passcode or select one of the following options:\n\n" +
		"1. Duo Push to XXX-XXX-1234\n2. Phone call to XXX-XXX-1234\n3. SMS passcodes to XXX-XXX-1234\n\nPasscode or option (1-3): "
	benchWelcome = "Success. Logging you in..."
)

// byHand is what people write on layeh's server: a challenge login with
// Message-Authenticators, which remembers no replies, joins nothing and logs
// nothing.
type byHand struct {
	mu    sync.Mutex
	asked map[string]string // user by State
}

func (h *byHand) ServeRADIUS(w layeh.ResponseWriter, r *layeh.Request) {
	if !hmac.Equal(rfc2869.MessageAuthenticator_Get(r.Packet), packetHMAC(r.Packet)) {
		return
	}
	name, typed := rfc2865.UserName_GetString(r.Packet), rfc2865.UserPassword_GetString(r.Packet)
	var p *layeh.Packet
	switch state := rfc2865.State_GetString(r.Packet); {
	case state == "" && typed == password:
		state = fmt.Sprintf("%026x", r.Authenticator[:13])
		h.mu.Lock()
		h.asked[state] = name
		h.mu.Unlock()
		p = r.Response(layeh.CodeAccessChallenge)
		_ = rfc2865.ReplyMessage_SetString(p, fmt.Sprintf(benchMenu, name))
		_ = rfc2865.State_SetString(p, state)
	case state != "":
		h.mu.Lock()
		asked := h.asked[state] == name
		delete(h.asked, state)
		h.mu.Unlock()
		p = r.Response(layeh.CodeAccessReject)
		if response, err := (inProcess{}).Auth(r.Context(), nil); asked && typed == "1" && err == nil && response.Allowed() {
			p = r.Response(layeh.CodeAccessAccept)
			_ = rfc2865.ReplyMessage_SetString(p, response.StatusMessage)
		}
	default:
		p = r.Response(layeh.CodeAccessReject)
	}
	_ = rfc2869.MessageAuthenticator_Set(p, packetHMAC(p))
	_ = w.Write(p)
}

func packetHMAC(p *layeh.Packet) []byte {
	_ = rfc2869.MessageAuthenticator_Set(p, make([]byte, 16))
	b, _ := p.MarshalBinary()
	mac := hmac.New(md5.New, p.Secret)
	mac.Write(b)
	return mac.Sum(nil)
}

// bareServer answers in the loop that reads, from preallocated buffers, and
// believes everything but the signature.
func bareServer(conn *net.UDPConn) {
	in, out := make([]byte, 4096), make([]byte, 0, 4096)
	var sum [16]byte
	mac, sumOf := hmac.New(md5.New, []byte(secret)), md5.New()
	for {
		n, from, err := conn.ReadFromUDPAddrPort(in)
		if err != nil {
			return
		}
		request := in[:n]
		var macAt int
		var state, name []byte
		for at := 20; at < n; at += int(request[at+1]) {
			value := request[at+2 : at+int(request[at+1])]
			switch request[at] {
			case 1:
				name = value
			case 24:
				state = value
			case 80:
				macAt = at + 2
			}
		}
		copy(sum[:], request[macAt:])
		clear(request[macAt : macAt+16])
		mac.Reset()
		mac.Write(request)
		if !hmac.Equal(mac.Sum(out[:0]), sum[:]) {
			continue
		}
		code, text := layeh.CodeAccessAccept, benchWelcome
		if state == nil {
			code, text = layeh.CodeAccessChallenge, strings.Replace(benchMenu, "%s", string(name), 1)
		}
		out = append(out[:0], byte(code), request[1], 0, 0)
		out = append(out, request[4:20]...)
		out = append(append(out, 80, 18), make([]byte, 16)...)
		out = append(append(out, 18, byte(2+len(text))), text...)
		if state == nil {
			out = append(append(out, 24, byte(2+len(name))), name...)
		}
		binary.BigEndian.PutUint16(out[2:], uint16(len(out)))
		mac.Reset()
		mac.Write(out)
		copy(out[22:], mac.Sum(sum[:0]))
		sumOf.Reset()
		sumOf.Write(out)
		sumOf.Write([]byte(secret))
		copy(out[4:], sumOf.Sum(sum[:0]))
		_, _ = conn.WriteToUDPAddrPort(out, from)
	}
}
