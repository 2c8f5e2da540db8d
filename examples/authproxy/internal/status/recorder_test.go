package status

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/radius"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const proxyConfig = `[main]
redis_url=redis://127.0.0.1
cluster_key=0123456789abcdef0123456789abcdef
[ad_client]
host=dc1.example.com
host_2=dc2.example.com
service_account_username=svc
service_account_password=hunter2
search_dn=dc=example,dc=com
security_group_dn=cn=vpn,dc=example,dc=com
[radius_server_challenge]
ikey=DIXXXXXXXXXXXXXXXXXX
skey=hunter3
api_host=api-1.duosecurity.com
radius_ip_1=192.0.2.0/24
radius_secret_1=hunter4
exempt_username_3=Backup
max_pushes_waiting=2
`

func place(t *testing.T) Place {
	path := filepath.Join(t.TempDir(), "authproxy.cfg")
	require.NoError(t, os.WriteFile(path, []byte(proxyConfig), 0o600))
	file, err := config.Load(path)
	require.NoError(t, err)
	return Place{File: file, Section: file.Servers[0]}
}

var noon = time.Date(2026, 11, 25, 12, 0, 30, 0, time.UTC)

func event(id string, stage radmfa.Stage, result radmfa.Result) radmfa.Event {
	return radmfa.Event{Time: noon, LoginID: id, Stage: stage, Result: result, Username: "jdoe", NAS: netip.MustParseAddr("192.0.2.7")}
}

func TestALoginIsOneWithItsChallengeAndAnswer(t *testing.T) {
	var r Recorder
	at := place(t)
	r.Event(event("1", radmfa.StagePrimary, radmfa.ResultAccepted), at)
	assert.Equal(t, "under way", r.Logins(1, Filter{})[0].Outcome())
	r.Event(event("1", radmfa.StagePreauth, radmfa.ResultChallenged), at)
	r.Event(event("1", radmfa.StageLogin, radmfa.ResultChallenged), at)
	assert.Equal(t, "asked", r.Logins(1, Filter{})[0].Outcome())
	waits := event("1", radmfa.StageAuth, radmfa.ResultWaiting)
	waits.Factor, waits.Duration, waits.StatusMessage = duo.FactorPush, 2*time.Second, "Pushed a login request..."
	r.Event(waits, at)
	require.Len(t, r.Waiting(noon), 1)
	assert.Equal(t, noon.Add(-2*time.Second), r.Waiting(noon)[0].Since)
	approved := event("1", radmfa.StageAuth, radmfa.ResultAccepted)
	approved.Factor, approved.Status = duo.FactorPush, duo.StatusAllow
	r.Event(approved, at)
	assert.Empty(t, r.Waiting(noon))
	accepted := event("1", radmfa.StageLogin, radmfa.ResultAccepted)
	accepted.Factor = duo.FactorPush
	r.Event(accepted, at)
	accepted.Repeated = true
	r.Event(accepted, at)

	logins := r.Logins(10, Filter{})
	require.Len(t, logins, 1)
	assert.Equal(t, "let in", logins[0].Outcome())
	assert.Equal(t, "the push was approved", logins[0].Why)
	assert.Equal(t, 1, logins[0].Repeats)
	assert.Len(t, logins[0].Steps, 3)
	minutes := r.Minutes(noon)
	require.Len(t, minutes, 60)
	assert.Equal(t, 1, minutes[59].Accepted, "neither the challenge nor the repetition ends a login")
	assert.Zero(t, r.Minutes(noon.Add(time.Hour))[59].Total(), "an hour later")
}

func TestPushesWithoutAnEndAreForgotten(t *testing.T) {
	var r Recorder
	at := place(t)
	r.Event(event("1", radmfa.StageAuth, radmfa.ResultWaiting), at)
	assert.Len(t, r.Waiting(noon.Add(time.Minute)), 1)
	assert.Empty(t, r.Waiting(noon.Add(3*time.Minute)))
}

func TestAFloodTakesBoundedMemory(t *testing.T) {
	var r Recorder
	at := place(t)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range 3 * maxLogins {
		e := event(fmt.Sprint(i), radmfa.StagePrimary, radmfa.ResultRejected)
		e.Username, e.Reason = strings.Repeat("n", 5000), strings.Repeat("r", 5000)+fmt.Sprint(i)
		e.Time = noon.Add(time.Duration(i) * time.Millisecond)
		for range 2 * maxSteps {
			r.Event(e, at)
		}
		e.Stage = radmfa.StageLogin
		r.Event(e, at)
		e.Stage, e.Result = radmfa.StageAuth, radmfa.ResultWaiting
		r.Event(e, at)
	}
	for i := range 100_000 {
		source := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		r.Drop("radius_server_challenge", ":1812", radius.Drop{Source: netip.AddrPortFrom(source, 1)}, noon.Add(time.Duration(i)*time.Millisecond))
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	assert.Less(t, int64(after.HeapAlloc)-int64(before.HeapAlloc), int64(16<<20))
	assert.Len(t, r.logins.ring, maxLogins)
	assert.Len(t, r.logins.byID, maxLogins)
	newest := r.Logins(LastLogins, Filter{})
	assert.Len(t, newest, LastLogins)
	assert.Equal(t, fmt.Sprint(3*maxLogins-1), newest[0].ID)
	senders, others := r.Senders()
	assert.Len(t, senders, maxSenders)
	assert.EqualValues(t, 100_000-maxSenders, others)
	runtime.KeepAlive(&r)
}

func TestADeviceStaysListedInAFlood(t *testing.T) {
	var r Recorder
	device := radius.Drop{Source: netip.MustParseAddrPort("192.0.2.99:1")}
	for i := range 50_000 {
		now := noon.Add(time.Duration(i) * time.Millisecond)
		if i%5000 == 0 {
			r.Drop("s", "l", device, now)
		}
		source := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		r.Drop("s", "l", radius.Drop{Source: netip.AddrPortFrom(source, 1)}, now)
	}
	senders, _ := r.Senders()
	assert.True(t, slices.ContainsFunc(senders, func(s Sender) bool { return s.Address == "192.0.2.99" }))
	r.Keep(map[string]bool{})
	senders, _ = r.Senders()
	assert.Empty(t, senders)
}

func TestASenderIsToldTheLinesThatLetItIn(t *testing.T) {
	at := place(t)
	var r Recorder
	for _, test := range []struct {
		source string
		reason radius.DropReason
		lines  []string
	}{
		{"198.51.100.7", radius.DropUnknownClient, []string{"radius_ip_2=198.51.100.7", "radius_secret_2=..."}},
		{"2001:db8::7", radius.DropUnknownClient, []string{"radius_ip_2=2001:db8::7", "radius_secret_2=..."}},
		{"192.0.2.7", radius.DropNoMessageAuthenticator, []string{"radius_message_authenticator_1=false"}},
		{"192.0.2.7", radius.DropProxyState, []string{"radius_is_proxy_1=true"}},
		{"192.0.2.7", radius.DropBadMessageAuthenticator, []string{"radius_secret_1=... (authproxy.cfg line 16)"}},
		{"203.0.113.1", radius.DropBadMessageAuthenticator, nil},
		{"192.0.2.7", radius.DropMalformed, nil},
	} {
		r = Recorder{}
		r.Drop(at.Section.Name, ":1812", radius.Drop{Reason: test.reason, Source: netip.AddrPortFrom(netip.MustParseAddr(test.source), 9)}, noon)
		senders, _ := r.Senders()
		require.Len(t, senders, 1)
		at.Advise(&senders[0])
		assert.Equal(t, test.lines, senders[0].Lines, test.source)
		assert.NotEmpty(t, senders[0].Hint)
		assert.Equal(t, test.source, senders[0].Address)
	}
}

func TestAPeerRemembersItsLastAnswerAndFailure(t *testing.T) {
	var r Recorder
	state := func() PeerState { return r.PeerState("s", Service) }
	assert.Equal(t, PeerState{State: Unknown}, state())
	r.Peer("s", Service, Up, nil, noon)
	assert.Equal(t, PeerState{State: Up, Answer: noon}, state())
	later := noon.Add(time.Minute)
	r.Peer("s", Service, Down, errors.New("no\nroute"), later)
	assert.Equal(t, PeerState{State: Down, Answer: noon, Failure: later, Error: "no route"}, state())
	r.Peer("s", Service, Refusing, errors.New("40103"), later)
	assert.Equal(t, PeerState{State: Refusing, Answer: later, Failure: later, Error: "40103"}, state())
	last := later.Add(time.Minute)
	r.Peer("s", Service, Up, nil, last)
	assert.Equal(t, PeerState{State: Up, Answer: last, Failure: later, Error: "40103"}, state())
	r.Keep(map[string]bool{})
	assert.Equal(t, Unknown, state().State)
}

func TestCertificatesExpire(t *testing.T) {
	var r Recorder
	state := tls.ConnectionState{ServerName: "dc1", PeerCertificates: []*x509.Certificate{{NotAfter: noon.Add(10 * 24 * time.Hour)}}}
	r.Showed("s", FirstFactor, state, noon)
	r.Showed("s", FirstFactor, state, noon)
	r.Showed("s", FirstFactor, tls.ConnectionState{}, noon)
	require.Len(t, r.Certificates(), 1)
	c := r.Certificates()[0]
	text, urgent := c.Left(noon)
	assert.Equal(t, "expires in 10 days", text)
	assert.True(t, urgent)
	text, _ = c.Left(noon.Add(11 * 24 * time.Hour))
	assert.Equal(t, "expired 24 h ago", text)
}

func TestFilters(t *testing.T) {
	var r Recorder
	at := place(t)
	for i, user := range []string{"jdoe", `EXAMPLE\JDoe`, "jdoe@example.com", "jdoe2"} {
		e := event(fmt.Sprint(i), radmfa.StageLogin, radmfa.ResultRejected)
		e.Username, e.Reason = user, "the user denied the login request"
		r.Event(e, at)
	}
	assert.Len(t, r.Logins(10, Filter{Account: "JDOE"}), 3)
	assert.Len(t, r.Logins(10, Filter{Text: "2"}), 4, "the device has one too")
	assert.Len(t, r.Logins(10, Filter{Text: "DENIED the"}), 4)
	assert.Len(t, r.Logins(10, Filter{Text: "jdoe2"}), 1)
	assert.Empty(t, r.Logins(10, Filter{Result: "accepted"}))
	assert.Empty(t, r.Logins(10, Filter{Section: "other"}))
	assert.Len(t, r.Logins(2, Filter{Section: at.Section.Name}), 2)
}

func TestAReportHasNoSecrets(t *testing.T) {
	at := place(t)
	var r Recorder
	for _, rules := range [][]rule{firstFactorRules, rules} {
		for _, rule := range rules {
			e := event(rule.reason, radmfa.StageLogin, radmfa.ResultRejected)
			e.Reason = rule.reason
			r.Event(e, at)
			e.LoginID, e.Reason = e.LoginID+"2", wrongFirstFactor+rule.reason
			r.Event(e, at)
		}
	}
	encoded, err := json.Marshal(r.Logins(1000, Filter{}))
	require.NoError(t, err)
	assert.NotContains(t, string(encoded), "hunter")
	assert.NotContains(t, string(encoded), "0123456789abcdef")
}
