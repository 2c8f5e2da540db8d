package statuspage

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/internal/chromiumtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// Names that somebody chose to hurt who reads them.
var hostile = []string{
	`<script>alert(1)</script>`,
	`"><img src=x onerror=alert(2)>`,
	"\u200f\u05d0\u05d1\u05d2 (nimda) \u200f",
	strings.Repeat("W", 253),
	"{{.Warnings}} </td></table><h1>gone</h1>",
	strings.Repeat("電", 84),
	"e" + strings.Repeat("\u0301", 120),
	"jdoe",
}

// hostileReport is a busy hour, in which everything goes wrong.
func hostileReport(f status.Filter) status.Report {
	now := time.Date(2026, 11, 25, 21, 41, 30, 0, time.UTC)
	r := status.Report{
		Time: now, State: "serving", Version: "v1.2.3", Build: "linux/amd64 go1.26.0", Config: "/etc/authproxy/authproxy.cfg",
		Node: "vpn1", Started: now.Add(-50 * time.Hour), Reload: &status.Reload{Time: now.Add(-time.Minute), Error: "authproxy.cfg:12: [ad_client] port: \"x\" is not a whole number\nauthproxy.cfg:13: [ad_client] hots: unknown key"},
		Sections: []status.Section{
			{Name: "radius_server_challenge", Line: 21, Listens: ":1812", Service: "api-1.duosecurity.com:443", Waiting: 3, Open: 12, Room: 65536, Handled: 4711, Dropped: 12, Peers: []status.Peer{
				{Name: "directory", Address: "dc1.example.com, dc2.example.com", PeerState: status.PeerState{State: status.Up, Answer: now.Add(-3 * time.Second)}},
				{Name: "service", Address: "api-1.duosecurity.com:443", PeerState: status.PeerState{State: status.Refusing, Answer: now, Failure: now, Error: "duo: preauth: error 40103: Invalid signature in request credentials (check the secret key and the API host)"}},
				{Name: "Redis", Address: "redis1:6379, redis2:6379", PeerState: status.PeerState{State: status.Down, Failure: now.Add(-2 * time.Minute), Error: "dial tcp 192.0.2.20:6379: connect: connection refused"}},
			}},
			{Name: "radius_server_auto2", Line: 40, Listens: "127.0.0.1:1813", Peers: []status.Peer{{Name: "RADIUS servers", Address: "nps1:1812", PeerState: status.PeerState{State: status.Unknown}}}},
		},
		OtherDrops: 99,
		Senders: []status.Sender{
			{Section: "radius_server_challenge", Listener: ":1812", Address: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", Reason: "unknown client", Count: 1234567, Last: now.Add(-time.Second), Hint: "if this device may ask, in [radius_server_challenge]", Lines: []string{"radius_ip_2=2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "radius_secret_2=..."}},
			{Section: "radius_server_challenge", Listener: ":1812", Address: "192.0.2.7", Reason: "bad Message-Authenticator", Count: 3, Last: now.Add(-time.Hour), Hint: "the shared secret of the device is another one", Lines: []string{"radius_secret_1=... (authproxy.cfg line 26)"}},
		},
		Certificates: []status.Certificate{
			{Section: "radius_server_challenge", Peer: status.FirstFactor, Server: "dc1.example.com", Subject: "CN=dc1.example.com", Issuer: "CN=Example CA,O=Example", Expires: now.Add(10 * 24 * time.Hour)},
			{Section: "radius_server_challenge", Peer: status.Service, Server: "api-1.duosecurity.com", Subject: "CN=*.duosecurity.com", Issuer: "CN=DigiCert", Expires: now.Add(200 * 24 * time.Hour)},
		},
		Warnings: []string{"authproxy.cfg:26: [radius_server_challenge] radius_secret_1: the shared secret has 14 characters and can be guessed from one packet; use 22 random ones, at least 16"},
	}
	results := []string{"accepted", "rejected", "failed", "challenged", "ignored", ""}
	for i := range 24 {
		l := status.Login{
			ID: fmt.Sprint(i), Time: now.Add(-time.Duration(i) * 17 * time.Second), Section: r.Sections[i%2].Name, User: hostile[i%len(hostile)],
			NAS: "192.0.2.7", ClientIP: "203.0.113.99", Factor: "push", Result: results[i%len(results)], FailedOpen: i == 6,
		}
		switch l.Result {
		case "accepted":
			l.Why = "the push was approved"
		case "rejected":
			l.Why, l.Decides = "not a member of security_group_dn", []string{"security_group_dn=CN=VPN,OU=" + strings.Repeat("Groups", 20) + ",DC=example,DC=com (authproxy.cfg line 12)"}
			l.Detail = "the first factor is wrong: \"CN=" + hostile[i%len(hostile)] + "\" is in none of the allowed groups"
		case "failed":
			l.Why, l.Said = "the service cannot be asked: duo: preauth: error 40103", "<b>Account</b> locked"
		}
		if f.Result == "" || f.Result == l.Result {
			if f.Text == "" || strings.Contains(l.User, f.Text) {
				r.Logins = append(r.Logins, l)
			}
		}
	}
	for i, name := range hostile {
		r.Waiting = append(r.Waiting, status.Waiting{LoginID: name, Section: "radius_server_challenge", User: name, NAS: "192.0.2.7", Factor: "push", Since: now.Add(-time.Duration(i) * time.Second), Says: "Pushed a login request to your device..."})
	}
	for i := range 60 {
		r.Minutes = append(r.Minutes, status.Minute{Time: now.Add(time.Duration(i-59) * time.Minute).Truncate(time.Minute), Accepted: i % 13, Rejected: i % 5, Failed: i % 7 / 5, FailedOpen: i % 11 / 9})
	}
	return r
}

func quietReport(status.Filter) status.Report {
	now := time.Date(2026, 11, 25, 21, 41, 30, 0, time.UTC)
	return status.Report{Time: now, State: "serving", Version: "v1.2.3", Build: "linux/amd64 go1.26.0", Config: "/etc/authproxy/authproxy.cfg", Started: now,
		Sections: []status.Section{{Name: "radius_server_challenge", Line: 21, Listens: ":1812", Peers: []status.Peer{{Name: "service", Address: "api-1.duosecurity.com:443", PeerState: status.PeerState{State: status.Unknown}}}}},
		Minutes:  (&status.Recorder{}).Minutes(now)}
}

func serve(t *testing.T, report func(status.Filter) status.Report) string {
	server := httptest.NewServer(&Handler{
		Report:   func(_ context.Context, f status.Filter) status.Report { return report(f) },
		Password: func() string { return "" },
	})
	t.Cleanup(server.Close)
	return server.URL + "/"
}

func TestThePageInABrowser(t *testing.T) {
	b := chromiumtest.Start(t)
	for name, address := range map[string]string{"hostile": serve(t, hostileReport), "quiet": serve(t, quietReport)} {
		p := b.Open(t, address, chromiumtest.View{Width: 1280, Height: 900})
		for _, width := range []int{360, 900, 1280} {
			for _, dark := range []bool{false, true} {
				p.Look(chromiumtest.View{Width: width, Height: 900, Dark: dark})
				where := fmt.Sprintf("%s-%d-%v", name, width, dark)
				assert.LessOrEqual(t, p.Eval("document.documentElement.scrollWidth"), float64(width), "%s is wider than its window", where)
				assert.Equal(t, dark, p.Eval(`getComputedStyle(document.body).backgroundColor == "rgb(18, 22, 27)"`), where)
				assert.Equal(t, true, p.Eval(`document.querySelectorAll("h1").length == 1 && document.querySelectorAll("script, main img, main b").length == 0`), where)
				require.NoError(t, os.WriteFile(filepath.Join(t.ArtifactDir(), where+".png"), p.Screenshot(), 0o600))
			}
		}
	}
}

func TestNamesAreShownAsTheyAre(t *testing.T) {
	p := chromiumtest.Start(t).Open(t, serve(t, hostileReport), chromiumtest.View{Width: 1280, Height: 900})
	for _, name := range hostile {
		assert.Equal(t, true, p.Eval(fmt.Sprintf(`[...document.querySelectorAll(".logins td.user bdi")].some(e => e.textContent == %s)`, quote(name))), name)
	}
	// Marks that are piled up do not reach into other rows.
	assert.Equal(t, true, p.Eval(`[...document.querySelectorAll("td bdi")].every(e => getComputedStyle(e).overflow != "visible" && e.clientHeight < 120)`))
	// A name that is written from the right does not turn what is beside it.
	assert.Equal(t, true, p.Eval(`[...document.querySelectorAll(".logins tbody tr")].every(tr => {
		const x = [...tr.children].map(td => td.getBoundingClientRect().left)
		return x.every((left, i) => i == 0 || left > x[i-1])
	})`))
}

func quote(s string) string {
	encoded, _ := json.Marshal(s)
	return string(encoded)
}

func TestTheFilterWorksInABrowser(t *testing.T) {
	p := chromiumtest.Start(t).Open(t, serve(t, hostileReport), chromiumtest.View{Width: 1280, Height: 900})
	const rows = `document.querySelectorAll(".logins tbody tr").length`
	all := p.Eval(rows)
	p.Type("input[name=q]", "<script>")
	p.Click("form button", "Show")
	p.WaitText("form a", "Show all")
	assert.Less(t, p.Eval(rows), all)
	assert.Equal(t, "<script>", p.Eval(`document.querySelector("input[name=q]").value`))
	p.Eval(`document.querySelector("select[name=result]").value = "rejected"`)
	p.Click("form button", "Show")
	p.Wait(`location.search.includes("result=rejected")`)
	p.Wait(`document.querySelector("select[name=result]")?.value == "rejected"`)
	p.Click("form a", "Show all")
	p.Wait(rows + ` == 24`)
}
