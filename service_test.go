package radmfa_test

import (
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"layeh.com/radius/rfc2865"
	"layeh.com/radius/rfc2868"
	"layeh.com/radius/vendors/microsoft"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// Every way the service can fail, at both calls of a login, in both fail modes.
func TestEveryFaultOfTheService(t *testing.T) {
	const open, closed = "Access-Accept", "Access-Reject"
	faults := []struct {
		name  string
		fault duotest.Fault
		safe  string // what a fault of preauth leads to with FailOpen
	}{
		{"refused", duotest.Fault{Refuse: true}, open},
		{"reset", duotest.Fault{Reset: true}, open},
		{"slow", duotest.Fault{Delay: time.Hour}, open},
		{"truncated", duotest.Fault{Truncate: true}, open},
		{"stalled", duotest.Fault{Stall: true}, open},
		{"empty", duotest.Fault{Status: 200}, open},
		{"garbage", duotest.Fault{Body: "\x00\xff{{{"}, open},
		{"no envelope", duotest.Fault{Body: `{"hello": "world"}`}, open},
		{"envelope without response", duotest.Fault{Body: `{"stat": "OK"}`}, open},
		{"huge", duotest.Fault{Body: string(make([]byte, 4<<20))}, open},
		{"HTTP 500", duotest.Fault{Status: 500}, open},
		{"HTTP 502", duotest.Fault{Status: 502, Body: "<html>bad gateway</html>"}, open},
		{"error 50000", duotest.Fault{Code: 50000, Message: "Internal server error"}, open},
		{"error 40002", duotest.Fault{Code: 40002, Message: "Invalid request parameters"}, closed},
		{"error 40101", duotest.Fault{Code: 40101, Message: "Missing request credentials"}, closed},
		{"error 40102", duotest.Fault{Code: 40102, Message: "Invalid integration key"}, closed},
		{"error 40103", duotest.Fault{Code: 40103, Message: "Invalid signature"}, closed},
		{"error 40301", duotest.Fault{Code: 40301, Message: "Access forbidden"}, closed},
		{"error 42901", duotest.Fault{Code: 42901, Message: "Too many requests"}, closed},
		{"HTTP 404", duotest.Fault{Status: 404, Body: "<html>not found</html>"}, closed},
	}
	for _, f := range faults {
		f.fault.Times = -1
		for mode, preauth := range map[radmfa.FailMode]string{radmfa.FailOpen: f.safe, radmfa.FailClosed: closed} {
			t.Run(fmt.Sprintf("%s, fail mode %d", f.name, mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t)
					w.server.FailMode = mode
					w.nas.Exchanger.Interval = time.Minute
					w.start()
					w.service.Break("/auth/v2/preauth", f.fault)
					reply := w.login("jdoe", password)
					assert.Equal(t, preauth, reply.Code.String(), "preauth")
					assert.Equal(t, preauth == open, w.lastEvent().FailedOpen)

					w.service.Repair()
					time.Sleep(time.Minute) // for a breaker
					challenge := w.login("jdoe", password)
					require.True(t, challenge.Challenged(), challenge)
					for _, path := range []string{pathAuth, "/auth/v2/auth_status"} {
						w.service.Break(path, f.fault)
					}
					reply, err := w.nas.Answer(t.Context(), challenge, "push")
					require.NoError(t, err)
					assert.Equal(t, closed, reply.Code.String(), "auth")
				})
			})
		}
	}
}

func TestAnOutageDoesNotCostEveryLoginItsWholeTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nas.Exchanger.Interval = time.Minute
		w.start()
		w.service.Break("", duotest.Fault{Times: -1, Delay: time.Hour})
		for range 3 {
			assert.True(t, w.login("jdoe", password).Accepted())
			assert.NotErrorIs(t, w.seen()[len(w.seen())-2].Err, duo.ErrNotAsked)
		}
		begin := time.Now()
		assert.True(t, w.login("jdoe", password).Accepted())
		assert.LessOrEqual(t, time.Since(begin), 2*time.Second)
		preauth := w.seen()[len(w.seen())-2]
		assert.Equal(t, radmfa.StagePreauth, preauth.Stage)
		assert.ErrorIs(t, preauth.Err, duo.ErrNotAsked)

		w.service.Repair()
		time.Sleep(time.Second)
		assert.True(t, w.login("jdoe", password).Challenged())
	})
}

func TestAMachineWhoseClockIsOffLogsIn(t *testing.T) {
	for _, skew := range []time.Duration{time.Hour, -time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t)
			w.service.Skew = skew
			w.start()
			assert.True(t, w.login("jdoe", password, "push").Accepted())
			assert.Equal(t, 1, w.service.Count(pathAuth))
		})
	}
}

func TestAPollThatRunsOutIsPolledAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.service.LongPoll = 10 * time.Second
		w.answers(duotest.After(42*time.Second, duotest.Approve))
		w.start()
		assert.True(t, w.login("jdoe", password, "push").Accepted())
		assert.Equal(t, 1, w.service.Count(pathAuth))
		assert.GreaterOrEqual(t, w.service.Count("/auth/v2/auth_status"), 4)
	})
}

func TestEventsTellWhatTheServiceSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.answers(duotest.After(10*time.Second, duotest.Approve))
		w.start()
		w.login("jdoe", password, "push")
		var waiting, accepted radmfa.Event
		for _, e := range w.seen() {
			switch {
			case e.Result == radmfa.ResultWaiting:
				waiting = e
			case e.Stage == radmfa.StageAuth:
				accepted = e
			}
		}
		assert.Equal(t, "Pushed a login request to your device...", waiting.StatusMessage)
		assert.Equal(t, w.service.Transactions()[0].ID, waiting.TxID)
		assert.Equal(t, waiting.TxID, accepted.TxID)
		assert.Equal(t, duo.FactorPush, accepted.Factor)
		assert.Equal(t, 10*time.Second, accepted.Duration)
	})
}

func TestWhatTheServiceIsToldOfALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.nas.Attributes = radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte("198.51.100.7:4500")}}
		w.start()
		w.login("jdoe", password, "push")
		calls := w.service.Calls()
		preauth, auth := calls[0].Params, calls[1].Params
		assert.Equal(t, "198.51.100.7", preauth.Get("ipaddr"))
		assert.Equal(t, "1", preauth.Get("text_prompt"))
		assert.Equal(t, "1", preauth.Get("client_supports_verified_push"))
		assert.Equal(t, "198.51.100.7", auth.Get("ipaddr"))
		assert.Equal(t, "NAS=vpn", auth.Get("pushinfo"))
		assert.False(t, auth.Has("hostname") || auth.Has("type") || auth.Has("display_username"))
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Dialogue.NoTextPrompt, w.server.Dialogue.NoVerifiedPush = true, true
		w.server.Policy = bareNames
		w.server.Describe = func(p *radius.Packet, d *radmfa.Description) {
			*d = radmfa.Description{
				ClientIP: netip.MustParseAddr("2001:db8::7"), Hostname: "vpn.example.com", Type: "VPN login",
				DisplayUsername: rfc2865.UserName_GetString(p) + " (staff)", PushInfo: url.Values{"Site": {"Berlin"}},
			}
		}
		w.first(nil, nil)
		w.start()
		w.login("jdoe@example.com", password, "push")
		calls := w.service.Calls()
		preauth, auth := calls[0].Params, calls[1].Params
		assert.Equal(t, "jdoe", preauth.Get("username"))
		assert.Equal(t, "2001:db8::7", preauth.Get("ipaddr"))
		assert.Equal(t, "vpn.example.com", preauth.Get("hostname"))
		assert.False(t, preauth.Has("text_prompt") || preauth.Has("client_supports_verified_push"))
		assert.Equal(t, "jdoe", auth.Get("username"))
		assert.Equal(t, "VPN login", auth.Get("type"))
		assert.Equal(t, "jdoe@example.com (staff)", auth.Get("display_username"))
		assert.Equal(t, "Site=Berlin", auth.Get("pushinfo"))
		assert.Equal(t, "vpn.example.com", auth.Get("hostname"))
	})
}

func TestAtMostSoManyPushesAreOutstanding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.server.Limits.Outstanding = 2
		w.answers(duotest.After(10*time.Second, duotest.Approve))
		w.start()
		var wg sync.WaitGroup
		var mu sync.Mutex
		codes := make(map[string]int)
		for range 5 {
			wg.Go(func() {
				reply := w.login("jdoe", password, "push")
				mu.Lock()
				defer mu.Unlock()
				codes[reply.Code.String()]++
			})
		}
		wg.Wait()
		assert.Equal(t, map[string]int{"Access-Accept": 2, "Access-Reject": 3}, codes)
		assert.Equal(t, 2, w.service.Count(pathAuth))
		refused := 0
		for _, e := range w.seen() {
			if e.Stage == radmfa.StageLogin && e.Result == radmfa.ResultRejected {
				assert.Contains(t, e.Reason, "over the limit on pushes")
				refused++
			}
		}
		assert.Equal(t, 3, refused)
		assert.True(t, w.login("jdoe", password, "push").Accepted(), "now that the others have ended")
	})
}

// Keys are encrypted for one request: the one that is answered in the end, not
// the one that the first factor saw.
func TestKeysOfTheFirstFactorReachTheNAS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		upstream := &radius.Packet{Secret: []byte("secret of another server"), Authenticator: [16]byte{1, 2, 3}}
		accept := upstream.Response(radius.CodeAccessAccept)
		key := []byte("0123456789abcdef0123456789abcdef")
		require.NoError(t, microsoft.MSMPPESendKey_Add(accept, key))
		require.NoError(t, rfc2868.TunnelPassword_Add(accept, 1, []byte("tunnel secret")))
		clear, err := radius.DecryptKeys(accept.Attributes, radius.Secret(upstream.Secret), upstream.Authenticator)
		require.NoError(t, err)

		w := newWorld(t)
		w.first(&primary.Result{Attributes: clear}, nil)
		w.start()
		challenge := w.login("jdoe", password)
		request, err := w.nas.NewRequest("jdoe", "push", rfc2865.State_Get(challenge.Packet))
		require.NoError(t, err)
		reply, err := w.nas.Exchanger.Exchange(t.Context(), request, serverAddr)
		require.NoError(t, err)
		require.Equal(t, radius.CodeAccessAccept, reply.Code)

		reply.Authenticator = request.Authenticator // layeh decrypts with the reply's own
		assert.Equal(t, key, microsoft.MSMPPESendKey_Get(reply, request))
		tag, password := rfc2868.TunnelPassword_Get(reply, request)
		assert.Equal(t, byte(1), tag)
		assert.Equal(t, "tunnel secret", string(password))
	})
}

func TestAddrIn(t *testing.T) {
	for value, want := range map[string]string{
		"192.0.2.7":               "192.0.2.7",
		" 192.0.2.7 ":             "192.0.2.7",
		"192.0.2.7:4500":          "192.0.2.7",
		"192.0.2.7[4500]":         "192.0.2.7",
		"2001:db8::7":             "2001:db8::7",
		"[2001:db8::7]":           "2001:db8::7",
		"[2001:db8::7]:4500":      "2001:db8::7",
		"::ffff:192.0.2.7":        "192.0.2.7",
		"\xc0\x00\x02\x07":        "192.0.2.7",
		"00-11-22-33-44-55":       "",
		"00:11:22:33:44:55":       "",
		"+49 30 1234567":          "",
		"":                        "",
		"192.0.2.7, 198.51.100.1": "",
		"<script>":                "",
		"fe80::7%\x1b[2J":         "fe80::7",
	} {
		p := &radius.Packet{Attributes: radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(value)}}}
		want, _ := netip.ParseAddr(want)
		assert.Equal(t, want, radmfa.AddrIn(radius.AttributeType{Type: rfc2865.CallingStationID_Type})(p), value)

		inner := radius.AVP{Type: 7, Attribute: []byte(value)}
		vsa, err := radius.NewVendorSpecific(25461, radius.AVP{Type: 1, Attribute: []byte("x")}, inner)
		require.NoError(t, err)
		p = &radius.Packet{Attributes: radius.Attributes{{Type: rfc2865.VendorSpecific_Type, Attribute: vsa}}}
		assert.Equal(t, want, radmfa.AddrIn(radius.AttributeType{Vendor: 25461, Type: 7})(p), value)
		assert.False(t, radmfa.AddrIn(radius.AttributeType{Vendor: 25462, Type: 7})(p).IsValid())
	}
	assert.False(t, radmfa.AddrIn(radius.AttributeType{Type: rfc2865.CallingStationID_Type})(&radius.Packet{}).IsValid())

	for _, text := range []string{"1234", "+491234567890123", "my-laptop-123456"} {
		p := &radius.Packet{Attributes: radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte(text)}}}
		assert.False(t, radmfa.AddrIn(radius.AttributeType{Type: rfc2865.CallingStationID_Type})(p).IsValid(), text)
	}
	p := &radius.Packet{Attributes: radius.Attributes{{Type: rfc2865.FramedIPAddress_Type, Attribute: []byte{49, 50, 51, 52}}}}
	assert.Equal(t, "49.50.51.52", radmfa.AddrIn(radius.AttributeType{Type: rfc2865.FramedIPAddress_Type})(p).String())
}

func TestBareName(t *testing.T) {
	for typed, want := range map[string]string{
		"jdoe": "jdoe", `EXAMPLE\jdoe`: "jdoe", "jdoe@example.com": "jdoe", `EXAMPLE\jdoe@example.com`: "jdoe", "": "",
	} {
		assert.Equal(t, want, radmfa.BareName(typed), typed)
	}
}

func TestTheEventsOfALoginHaveOneID(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		w.login("jdoe", password, "oops", "push")
		assert.Equal(t, 1, w.logins())
		w.login("jdoe", password, "push")
		assert.Equal(t, 2, w.logins())
		assert.Contains(t, w.log.String(), "login="+w.lastEvent().LoginID)
	})
}

func TestBlanksAroundANameMakeNoOtherUser(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.start()
		assert.True(t, w.login(" jdoe ", password, "push").Accepted())
		assert.Equal(t, "preauth jdoe, auth push DPJDOE1", w.asked())
	})
}

// badRenderer breaks its contract.
type badRenderer []string

func (r badRenderer) Render(*prompt.Menu) []string { return r }
func (r badRenderer) Message(string) []string      { return r }

func TestARendererThatBreaksItsContractCostsNoLogin(t *testing.T) {
	for name, r := range map[string]badRenderer{
		"nothing": nil, "empty": {""}, "too long": {strings.Repeat("x", 300)}, "no UTF-8": {"\xff"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t)
				w.server.Prompt = r
				w.start()
				challenge := w.login("jdoe", password)
				assert.NotEmpty(t, challenge.Message())
				assert.True(t, utf8.ValidString(challenge.Message()))
				reply, err := w.nas.Answer(t.Context(), challenge, "push")
				require.NoError(t, err)
				assert.True(t, reply.Accepted())
			})
		})
	}
}

func TestServeTellsWhatIsWrongBeforeTheFirstLogin(t *testing.T) {
	w := newWorld(t)
	assert.NoError(t, w.server.Validate())
	w.server.Primary = &primary.Failover{}
	w.server.SecondFactor = &duo.Client{Host: "https://api.example.com/"}
	w.server.FailMode = 7
	w.server.AuthTimeout = -time.Second
	conn, err := w.network.Listen(serverAddr)
	require.NoError(t, err)
	err = w.server.Serve(conn)
	assert.ErrorContains(t, err, "Failover holds 0 Authenticators")
	assert.ErrorContains(t, err, "want a host name such as api-XXXXXXXX.duosecurity.com")
	assert.ErrorContains(t, err, "FailMode is 7")
	assert.ErrorContains(t, err, "must not be negative")
}
