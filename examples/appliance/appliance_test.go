package main

import (
	"bytes"
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/radius"
	"github.com/radmfa/radmfa/radius/radiustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// lab is the appliance between a VPN daemon and a Duo service, which knows jdoe.
type lab struct {
	*appliance
	vpn       *radiustest.NAS
	service   *duotest.Service
	audited   *bytes.Buffer
	terminate context.CancelFunc // what SIGTERM does
}

// inLab runs a test on an appliance that serves; change may be nil. Time is that
// of a testing/synctest bubble: a minute takes none.
func inLab(t *testing.T, change func(*lab), test func(*testing.T, *lab)) {
	synctest.Test(t, func(t *testing.T) {
		network := &radiustest.Network{}
		l := newLab(t, network)
		if change != nil {
			change(l)
		}
		conn, err := network.Listen("192.0.2.1:1812")
		require.NoError(t, err)
		ctx, terminate := context.WithCancel(t.Context())
		l.terminate = terminate
		served := make(chan error, 1)
		go func() { served <- l.serve(ctx, conn) }()
		test(t, l)
		terminate()
		assert.NoError(t, <-served)
	})
}

func newLab(t *testing.T, network *radiustest.Network) *lab {
	vpn, err := radius.NewClients(radius.Client{Prefix: netip.MustParsePrefix("192.0.2.7/32"), Secret: "xyzzy5461"})
	require.NoError(t, err)
	jdoe := newAccount("correct horse", 1)
	jdoe.Group = "staff"
	service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	audited := &bytes.Buffer{}
	return &lab{
		appliance: &appliance{
			accounts:     accounts{"jdoe": jdoe},
			vpn:          vpn,
			secondFactor: service.Client(),
			audit:        slog.New(slog.NewTextHandler(audited, nil)),
			log:          slog.New(slog.DiscardHandler),
		},
		vpn: &radiustest.NAS{
			Server: "192.0.2.1:1812", Secret: "xyzzy5461",
			Exchanger: radius.Exchanger{Dial: network.Dialer("192.0.2.7")},
		},
		service: service,
		audited: audited,
	}
}

// login logs jdoe in.
func (l *lab) login(t *testing.T, password string, answers ...string) *radiustest.Reply {
	t.Helper()
	reply, err := l.vpn.Login(t.Context(), "jdoe", password, answers...)
	require.NoError(t, err)
	return reply
}

// phone returns a change of the lab: how jdoe answers a push.
func phone(answer duotest.Answer) func(*lab) {
	return func(l *lab) { l.service.Users["jdoe"].Devices = []duotest.Device{{Answer: answer}} }
}

func TestAPushThatTakes42SecondsLetsIn(t *testing.T) {
	inLab(t, phone(duotest.After(42*time.Second, duotest.Approve)), func(t *testing.T, l *lab) {
		begin := time.Now()
		reply := l.login(t, "correct horse", "1")
		assert.True(t, reply.Accepted())
		assert.Equal(t, "staff", rfc2865.FilterID_GetString(reply.Packet))
		assert.Equal(t, 42*time.Second, time.Since(begin).Round(time.Second))
		assert.Contains(t, l.audited.String(), `msg="login accepted" user=jdoe`)
	})
}

// The VPN asks every 5 seconds, as newLab says.
func TestOnePushAlthoughTheVPNRetransmits(t *testing.T) {
	inLab(t, phone(duotest.After(42*time.Second, duotest.Approve)), func(t *testing.T, l *lab) {
		l.login(t, "correct horse", "1")
		assert.Len(t, l.service.Transactions(), 1)
	})
}

func TestADeniedPushRejects(t *testing.T) {
	inLab(t, phone(duotest.Deny), func(t *testing.T, l *lab) {
		assert.Equal(t, "Access-Reject: Login request denied.", l.login(t, "correct horse", "push").String())
		assert.Contains(t, l.audited.String(), `msg="login rejected" user=jdoe`)
	})
}

func TestAWrongPasswordNeverReachesTheService(t *testing.T) {
	inLab(t, nil, func(t *testing.T, l *lab) {
		assert.Equal(t, "Access-Reject", l.login(t, "horse").String())
		assert.Empty(t, l.service.Calls())
	})
}

func TestALockedAccountIsToldOnlyToItsOwner(t *testing.T) {
	lock := func(l *lab) {
		jdoe := l.accounts["jdoe"]
		jdoe.Locked = true
		l.accounts["jdoe"] = jdoe
	}
	inLab(t, lock, func(t *testing.T, l *lab) {
		assert.Equal(t, "Access-Reject", l.login(t, "horse").String())
		assert.Equal(t, "Access-Reject: Your account is locked. Please call the help desk.", l.login(t, "correct horse").String())
		assert.Empty(t, l.service.Calls())
		assert.Contains(t, l.audited.String(), `reason="the account is locked"`)
	})
}

func TestTheFailModeDecidesWhileTheServiceIsDown(t *testing.T) {
	down := func(mode radmfa.FailMode) func(*lab) {
		return func(l *lab) {
			l.failMode = mode
			l.service.Break("", duotest.Fault{Times: -1, Refuse: true})
		}
	}
	inLab(t, down(radmfa.FailOpen), func(t *testing.T, l *lab) {
		assert.True(t, l.login(t, "correct horse").Accepted())
		assert.True(t, l.login(t, "horse").Rejected(), "the password is checked all the same")
		assert.Contains(t, l.audited.String(), "level=WARN")
		assert.Contains(t, l.audited.String(), "failed_open=true")
	})
	inLab(t, down(radmfa.FailClosed), func(t *testing.T, l *lab) {
		assert.True(t, l.login(t, "correct horse").Rejected())
		assert.NotContains(t, l.audited.String(), "failed_open=true")
	})
}

func TestShutdownWaitsForThePushInFlight(t *testing.T) {
	inLab(t, phone(duotest.After(42*time.Second, duotest.Approve)), func(t *testing.T, l *lab) {
		time.AfterFunc(10*time.Second, l.terminate)
		assert.True(t, l.login(t, "correct horse", "1").Accepted())
	})
}
