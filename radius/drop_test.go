package radius_test

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"

	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

// drops collects what is passed to OnDrop.
type drops struct {
	mu   sync.Mutex
	list []radius.Drop
}

func (d *drops) add(drop radius.Drop) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.list = append(d.list, drop)
}

const (
	proxyStateType = 33
	eapMessageType = 79
)

func TestEveryDropIsCountedPassedOnAndLoggedAndNothingIsSent(t *testing.T) {
	tampered := func(b []byte) []byte { return append(b[:len(b)-1], b[len(b)-1]+1) }
	malformed := newRequest(t, "nemo")
	malformed[21] = 1
	for _, c := range []struct {
		name     string
		reason   radius.DropReason
		from     string
		datagram []byte
	}{
		{"unknown sender", radius.DropUnknownClient, "203.0.113.9:1", newRequest(t, "nemo")},
		{"garbage", radius.DropMalformed, nasAddr, []byte("GET / HTTP/1.1\r\n")},
		{"empty datagram", radius.DropMalformed, nasAddr, nil},
		{"bad attribute", radius.DropMalformed, nasAddr, malformed},
		{"two Message-Authenticators", radius.DropMalformed, nasAddr, sign(sign(newRequest(t, "nemo")))},
		{"Proxy-States that leave no room for a reply", radius.DropMalformed, nasAddr, newRequest(t, "",
			func(p *radius.Packet) {
				p.Attributes = nil
				for range 16 {
					with(proxyStateType, strings.Repeat("p", 252))(p)
				}
			})},
		{"a reply", radius.DropCode, nasAddr, []byte("\x02\x01\x00\x14authenticator---")},
		{"Accounting-Request", radius.DropCode, nasAddr, []byte("\x04\x01\x00\x14authenticator---")},
		{"EAP without Message-Authenticator", radius.DropNoMessageAuthenticator, nasAddr,
			newRequest(t, "nemo", with(eapMessageType, "\x02\x01\x00\x05\x01"))},
		{"Status-Server without", radius.DropNoMessageAuthenticator, nasAddr, statusServer(t)},
		{"forged", radius.DropBadMessageAuthenticator, nasAddr, tampered(sign(newRequest(t, "nemo")))},
		{"forged Status-Server", radius.DropBadMessageAuthenticator, nasAddr, tampered(sign(statusServer(t)))},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen drops
				l := start(t, &radius.Server{OnDrop: seen.add, Handler: radius.HandlerFunc(accept)}, new(radiustest.Network))
				p := l.peer(c.from)
				for range 3 {
					p.send(c.datagram)
				}
				assert.Empty(t, p.received())
				stats := l.server.Stats()
				assert.EqualValues(t, 3, stats.Dropped[c.reason])
				assert.Zero(t, stats.Handled+stats.Joined+stats.Repeated+stats.Statuses)

				require.Len(t, seen.list, 3)
				drop := seen.list[0]
				assert.Equal(t, c.reason, drop.Reason)
				assert.Equal(t, c.from, drop.Source.String())
				assert.Equal(t, len(c.datagram), drop.Length)
				assert.Equal(t, c.reason == radius.DropUnknownClient, drop.Client == nil)

				lines := l.log.lines(t)
				require.Len(t, lines, 1, "one line in 10 s")
				assert.Equal(t, "radius: dropped: "+c.reason.String(), lines[0]["msg"])
				assert.Equal(t, "WARN", lines[0]["level"])
				assert.Equal(t, c.from, lines[0]["source"])
				assert.NotEmpty(t, lines[0]["hint"])

				time.Sleep(10 * time.Second)
				p.send(c.datagram)
				lines = l.log.lines(t)
				require.Len(t, lines, 1)
				assert.EqualValues(t, 2, lines[0]["more_since_last"])
			})
		})
	}
}

func TestDropReasonsHaveNames(t *testing.T) {
	names := map[string]bool{}
	for reason := radius.DropUnknownClient; reason <= radius.DropTooManyInFlight; reason++ {
		assert.NotEmpty(t, reason.String())
		names[reason.String()] = true
	}
	assert.Len(t, names, int(radius.DropTooManyInFlight)+1)
	assert.Equal(t, "unknown reason", radius.DropReason(-1).String())
	assert.Equal(t, "unknown reason", radius.DropReason(99).String())
}

func TestMessageAuthenticatorPolicies(t *testing.T) {
	const (
		handled  = radius.DropReason(-1)
		unsigned = radius.DropNoMessageAuthenticator
		wrong    = radius.DropBadMessageAuthenticator
	)
	type step struct {
		kind string
		want radius.DropReason
	}
	for name, c := range map[string]struct {
		policy radius.MessageAuthenticatorPolicy
		steps  []step
	}{
		"auto: one test by the operator teaches nothing": {radius.MessageAuthenticatorAuto, []step{
			{"unsigned", handled}, {"wrong", wrong}, {"unsigned", handled},
			{"signed", handled}, {"unsigned", handled}, {"status", handled}, {"unsigned", handled}, {"eap", unsigned}}},
		"required": {radius.MessageAuthenticatorRequired, []step{
			{"unsigned", unsigned}, {"wrong", wrong}, {"signed", handled}, {"eap", unsigned}}},
		"optional": {radius.MessageAuthenticatorOptional, []step{
			{"signed", handled}, {"unsigned", handled}, {"wrong", wrong}, {"eap", unsigned}}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen drops
				l := start(t, &radius.Server{OnDrop: seen.add, Handler: radius.HandlerFunc(accept),
					Clients: clients(t, radius.Client{Prefix: netip.MustParsePrefix(nasIP + "/24"),
						Secret: secret, MessageAuthenticator: c.policy})}, new(radiustest.Network))
				nas := l.peer(nasAddr)
				for i, step := range c.steps {
					seen.list = nil
					nas.send(packetOf(t, step.kind))
					if step.want == handled {
						assert.Empty(t, seen.list, "step %d: %s", i, step.kind)
						assert.Len(t, nas.received(), 1)
					} else if assert.Len(t, seen.list, 1, "step %d: %s", i, step.kind) {
						assert.Equal(t, step.want, seen.list[0].Reason, "step %d: %s", i, step.kind)
					}
				}
			})
		})
	}
}

// A device that signs everything for long enough has to go on.
func TestADeviceThatSignsMustGoOnSigning(t *testing.T) {
	for name, c := range map[string]struct {
		before  []string // before the signed ones
		signed  int
		over    time.Duration
		learned bool
	}{
		"20 over ten minutes":        {nil, 21, 10 * time.Minute, true},
		"too few":                    {nil, 19, time.Hour, false},
		"too fast":                   {nil, 1000, 9 * time.Minute, false},
		"one unsigned":               {[]string{"unsigned"}, 100, time.Hour, false},
		"Status-Servers only":        {[]string{"status"}, 0, 0, false},
		"a wrong one proves nothing": {[]string{"wrong"}, 21, 10 * time.Minute, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen drops
				l := start(t, &radius.Server{OnDrop: seen.add, Handler: radius.HandlerFunc(accept),
					Clients: clients(t, radius.Client{Prefix: netip.MustParsePrefix(nasIP + "/24"), Secret: secret})}, new(radiustest.Network))
				nas := l.peer(nasAddr)
				for _, kind := range c.before {
					nas.send(packetOf(t, kind))
				}
				for range c.signed {
					nas.send(packetOf(t, "signed"))
					time.Sleep(c.over / time.Duration(c.signed-1))
				}
				seen.list = nil
				nas.send(packetOf(t, "unsigned"))
				if !c.learned {
					assert.Empty(t, seen.list)
					return
				}
				require.Len(t, seen.list, 1)
				assert.Equal(t, radius.DropNoLongerSigned, seen.list[0].Reason)
				other := l.peer("198.51.100.8:1") // has taught nothing
				other.send(packetOf(t, "unsigned"))
				assert.Len(t, other.received(), 1)

				l.server.ForgetSigners()
				seen.list = nil
				nas.send(packetOf(t, "unsigned"))
				assert.Empty(t, seen.list)
			})
		})
	}
}

// The collision of CVE-2024-3596 needs room in an unsigned request.
func TestUnsignedRequestsHaveLittleProxyState(t *testing.T) {
	long := with(proxyStateType, strings.Repeat("x", 200))
	for name, c := range map[string]struct {
		proxy  bool
		packet []byte
		want   int
	}{
		"a NAS":        {false, newRequest(t, "nemo", long), 0},
		"a NAS, short": {false, newRequest(t, "nemo", with(proxyStateType, "hop")), 1},
		"a NAS, many":  {false, newRequest(t, "nemo", slices.Repeat([]func(*radius.Packet){with(proxyStateType, "0123456789")}, 11)...), 0},
		"a signed one": {false, sign(newRequest(t, "nemo", long)), 1},
		"a proxy":      {true, newRequest(t, "nemo", long), 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen drops
				l := start(t, &radius.Server{OnDrop: seen.add, Handler: radius.HandlerFunc(accept),
					Clients: clients(t, radius.Client{Prefix: netip.MustParsePrefix(nasIP + "/24"), Secret: secret, Proxy: c.proxy})}, new(radiustest.Network))
				nas := l.peer(nasAddr)
				nas.send(c.packet)
				assert.Len(t, nas.received(), c.want)
				if c.want == 0 {
					assert.Equal(t, radius.DropProxyState, seen.list[0].Reason)
				}
			})
		})
	}
}

func packetOf(t *testing.T, kind string) []byte {
	switch kind {
	case "signed":
		return sign(newRequest(t, "nemo"))
	case "wrong":
		b := sign(newRequest(t, "nemo"))
		b[len(b)-1]++
		return b
	case "eap":
		return newRequest(t, "nemo", with(eapMessageType, "\x02\x01\x00\x05\x01"))
	case "status":
		return sign(statusServer(t))
	}
	return newRequest(t, "nemo")
}

func TestStatusServerIsAnsweredAtOnceWhileEveryHandlerWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{MaxInFlight: 600, Handler: acceptAfter(time.Minute)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		for range 500 {
			nas.send(newRequest(t, "nemo"))
		}
		require.Equal(t, 500, l.server.Stats().InFlight)

		before := time.Now()
		request := sign(newStatusServer(t, with(proxyStateType, "hop")))
		nas.send(request)
		p := nas.reply(request)
		assert.Less(t, time.Since(before), time.Millisecond)
		assert.Equal(t, radius.CodeAccessAccept, p.Code)
		require.Len(t, p.Attributes, 2)
		assert.Equal(t, "hop", string(p.Get(proxyStateType)))
		assert.EqualValues(t, 1, l.server.Stats().Statuses)
		assert.EqualValues(t, 500, l.server.Stats().Handled)
	})
}

func newStatusServer(t *testing.T, change func(*radius.Packet)) []byte {
	p := layeh.New(radius.CodeStatusServer, []byte(secret))
	change(p)
	b, err := p.Encode()
	require.NoError(t, err)
	return b
}

func TestPaddingAfterTheLengthIsIgnored(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := start(t, &radius.Server{Handler: radius.HandlerFunc(accept)}, new(radiustest.Network))
		nas := l.peer(nasAddr)
		request := sign(newRequest(t, "nemo"))
		nas.send(append(bytes.Clone(request), "padding"...))
		nas.reply(request)
		nas.send(request) // the same request
		assert.EqualValues(t, 1, l.server.Stats().Repeated)
	})
}
