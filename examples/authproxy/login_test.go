package main

import (
	"context"
	"crypto/hmac"
	"crypto/sha1" //nolint:gosec // what apps use
	bin "encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
	"github.com/radmfa/radmfa/radius"
)

const noPrimary = "\n[duo_only_client]\n"

// users are what the service knows in most tests.
func users() map[string]*duotest.User {
	many := &duotest.User{}
	for range 6 {
		many.Devices = append(many.Devices, duotest.Device{})
	}
	return map[string]*duotest.User{
		"jdoe":   {Passcodes: []string{"123456"}},
		"texts":  {},
		"many":   many,
		"denies": {Devices: []duotest.Device{{Answer: duotest.Deny}}},
		"bypass": {Preauth: duo.PreauthAllow},
		"locked": {Preauth: duo.PreauthDeny},
	}
}

func TestEveryPromptFormatIsShownAndUnderstood(t *testing.T) {
	const menu = "Duo two-factor login for jdoe\n\nEnter a passcode or select one of the following options:\n\n" +
		"1. Duo Push to XXX-XXX-1234\n2. Phone call to XXX-XXX-1234\n3. SMS passcodes to XXX-XXX-1234\n\nPasscode or option (1-3): "
	const short = "Choose a secondary factor from (`push1`, `phone1`, `sms1`) or enter passcode: "
	l := newLab(t, users())
	formats := map[string]string{"console": menu, "HTML": strings.ReplaceAll(menu, "\n", "<br />"), "short": short}
	ports := map[string]int{}
	config := mainSection + noPrimary
	n := 0
	for format := range formats {
		n++
		ports[format] = freePort(t)
		config += l.section("radius_server_challenge"+strconv.Itoa(n), ports[format], "prompt_format="+format)
	}
	p := l.run(config)
	for format, want := range formats {
		nas := nas(ports[format])
		reply := p.login(nas, "jdoe", userPass)
		require.True(t, reply.Challenged(), format)
		assert.Equal(t, strings.TrimSpace(want), strings.TrimSpace(reply.Message()), format)
		for _, answer := range []string{"1", "push", "phone1", "123456"} {
			assert.True(t, p.login(nas, "jdoe", userPass, answer).Accepted(), "%s: %s", format, answer)
		}
		assert.True(t, p.login(nas, "jdoe", userPass, "999999").Rejected(), format)
		assert.True(t, p.login(nas, "texts", userPass, "sms").Rejected(), format)
		assert.True(t, p.login(nas, "denies", userPass, "1").Rejected(), format)
		assert.Contains(t, p.login(nas, "many", userPass).Message(), "`push6`", "a long menu falls back to short")
		assert.True(t, p.login(nas, "bypass", userPass).Accepted(), format)
		assert.True(t, p.login(nas, "locked", userPass).Rejected(), format)
	}
}

func TestOursOfTheChallengeSection(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port, "prompt_split=true", "sms_asks_again=true", "max_pushes_per_minute=2"))
	assert.Contains(t, p.login(nas(port), "many", userPass).Message(), "1. Duo Push to XXX-XXX-1234\n")
	challenge := p.login(nas(port), "jdoe", userPass, "sms")
	require.True(t, challenge.Challenged())
	reply, err := nas(port).Answer(context.Background(), challenge, l.service.SMS("jdoe")[0])
	require.NoError(t, err)
	assert.True(t, reply.Accepted())
	assert.True(t, p.login(nas(port), "jdoe", userPass, "push").Accepted())
	assert.True(t, p.login(nas(port), "jdoe", userPass, "push").Rejected(), "the SMS counts too")
}

func TestFailModeSaysWhatHappensWithoutTheService(t *testing.T) {
	l := newLab(t, users())
	safe, secure := freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_challenge", safe, "failmode=SAFE", "api_timeout=2") +
		l.section("radius_server_challenge2", secure, "failmode=secure", "api_timeout=2"))
	assert.True(t, p.login(nas(safe), "jdoe", userPass).Challenged())
	l.web.CloseClientConnections()
	l.web.Close()
	assert.True(t, p.login(nas(safe), "jdoe", userPass).Accepted())
	assert.True(t, p.login(nas(secure), "jdoe", userPass).Rejected())
	p.logged(`"failed_open":true`)
}

func TestTextsFileTranslates(t *testing.T) {
	l := newLab(t, users())
	l.write("deutsch.txt", "menu.title.user = %s für %s\nmenu.phone = Anruf bei %s\nwords.phone = anruf\nlogin.no-option = Das steht nicht zur Wahl.\n")
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port, "texts_file=deutsch.txt"))
	asked := p.login(nas(port), "jdoe", userPass)
	assert.Contains(t, asked.Message(), "login für jdoe")
	assert.Contains(t, asked.Message(), "2. Anruf bei XXX")
	assert.Contains(t, p.login(nas(port), "jdoe", userPass, "foo").Message(), "Das steht nicht zur Wahl.")
	assert.True(t, p.login(nas(port), "jdoe", userPass, "Anruf").Accepted())
}

func TestFailModeTOTPAsksForACodeOfAnApp(t *testing.T) {
	l := newLab(t, users())
	const encoded = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
	l.write("keys.txt", "# apps\njdoe = "+encoded+"\n")
	one, other := freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_challenge", one, "failmode=totp", "totp_file=keys.txt", "api_timeout=2") +
		l.section("radius_server_auto2", other, "failmode=totp", "totp_file=keys.txt", "api_timeout=2"))
	l.web.CloseClientConnections()
	l.web.Close()
	code := appCode(time.Now())
	assert.True(t, p.login(nas(one), "jdoe", userPass, "000").Rejected())
	assert.True(t, p.login(nas(one), "JDoe", userPass, code).Accepted())
	assert.True(t, p.login(nas(one), "jdoe", userPass, code).Rejected(), "used")
	assert.True(t, p.login(nas(other), "jdoe", code).Rejected(), "used at another section")
	assert.True(t, p.login(nas(other), "jdoe", appCode(time.Now().Add(30*time.Second))).Accepted())
	assert.True(t, p.login(nas(one), "texts", userPass).Rejected(), "has no key")
	_, explained := p.ask("explain", "jdoe")
	assert.Contains(t, explained, "the code of the app is right; the service could not be contacted\n  decided by failmode=totp (authproxy.cfg line ")
	assert.Equal(t, status.Down, p.state().Sections[0].Peers[0].State, "the app has answered, not the service")
	assert.NotContains(t, p.log.String(), encoded)
	assert.NotContains(t, p.log.String(), code)
}

// appCode is what the app of that key shows (RFC 4226 section 5.3, RFC 6238).
func appCode(at time.Time) string {
	mac := hmac.New(sha1.New, []byte("12345678901234567890"))
	_ = bin.Write(mac, bin.BigEndian, at.Unix()/30)
	sum := mac.Sum(nil)
	offset := sum[len(sum)-1] & 0xf
	return fmt.Sprintf("%06d", bin.BigEndian.Uint32(sum[offset:])&0x7fffffff%1000000)
}

func TestWrongKeysAreNoOutage(t *testing.T) {
	l := newLab(t, users())
	l.service.SecretKey = "another"
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port))
	assert.True(t, p.login(nas(port), "jdoe", userPass).Rejected())
	p.logged("level=ERROR")
}

func TestEnrollmentGoesOutInAChallengeOrAReject(t *testing.T) {
	l := newLab(t, users())
	challenges, rejects := freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_challenge", challenges) +
		l.section("radius_server_challenge2", rejects, "enroll_challenge=false"))
	reply := p.login(nas(challenges), "nobody", userPass)
	assert.True(t, reply.Challenged())
	assert.Contains(t, reply.Message(), "https://")
	assert.True(t, p.login(nas(challenges), "nobody", userPass, "anything").Rejected())
	reply = p.login(nas(rejects), "nobody", userPass)
	assert.True(t, reply.Rejected())
	link := reply.Message()[strings.Index(reply.Message(), "https://"):]
	assert.NotContains(t, p.log.String(), link, "whoever has the link can enroll in the user's place")
}

func TestExemptUsersSkipTheService(t *testing.T) {
	l := newLab(t, users())
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port, "exempt_username_1=backup", "exempt_username_2=Vendor"))
	for _, user := range []string{"backup", "BACKUP", "vendor"} {
		assert.True(t, p.login(nas(port), user, userPass).Accepted(), user)
	}
	assert.Zero(t, l.service.Count("/auth/v2/preauth"))
	assert.True(t, p.login(nas(port), "jdoe", userPass).Challenged())
}

func TestClientIPAttrSaysWhereTheUserIs(t *testing.T) {
	l := newLab(t, users())
	usual, palo, framed := freePort(t), freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_challenge", usual) +
		l.section("radius_server_challenge2", palo, "client_ip_attr=paloalto") +
		l.section("radius_server_challenge3", framed, "client_ip_attr=Framed-IP-Address"))
	vendor, err := radius.NewVendorSpecific(25461, radius.AVP{Type: 7, Attribute: radius.Attribute("203.0.113.2")})
	require.NoError(t, err)
	attributes := radius.Attributes{
		{Type: rfc2865.CallingStationID_Type, Attribute: radius.Attribute("203.0.113.1")},
		{Type: rfc2865.VendorSpecific_Type, Attribute: vendor},
		{Type: rfc2865.FramedIPAddress_Type, Attribute: radius.Attribute(netip.MustParseAddr("203.0.113.3").AsSlice())},
	}
	for i, port := range []int{usual, palo, framed} {
		n := nas(port)
		n.Attributes = attributes
		p.login(n, "jdoe", userPass)
		calls := slices.DeleteFunc(l.service.Calls(), func(c duotest.Call) bool { return c.Path != "/auth/v2/preauth" })
		assert.Equal(t, "203.0.113."+strconv.Itoa(i+1), calls[len(calls)-1].Params.Get("ipaddr"))
	}
}

func TestSectionsWithoutChallengeTakeTheFactorFromThePassword(t *testing.T) {
	l := newLab(t, users())
	auto, length, concat, only := freePort(t), freePort(t), freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_auto", auto, "factors=phone,push") +
		l.section("radius_server_auto2", length, "delimited_password_length=4", "factors=passcode") +
		l.section("radius_server_concat", concat) +
		l.section("radius_server_duo_only", only))
	last := func() duo.Factor {
		all := l.service.Transactions()
		return all[len(all)-1].Factor
	}
	for _, test := range []struct {
		port     int
		password string
		accepted bool
		factor   duo.Factor
	}{
		{auto, userPass, true, duo.FactorPhone},
		{auto, userPass + ",push", true, duo.FactorPush},
		{auto, userPass + ",123456", true, duo.FactorPasscode},
		{auto, userPass + ",999999", false, duo.FactorPasscode},
		{length, "abcdpush", true, duo.FactorPush},
		{length, "abcd123456", true, duo.FactorPasscode},
		{concat, userPass + "123456", true, duo.FactorPasscode},
		{concat, userPass, true, duo.FactorPush},
		{only, "push", true, duo.FactorPush},
		{only, "123456", true, duo.FactorPasscode},
		{only, "999999", false, duo.FactorPasscode},
	} {
		assert.Equal(t, test.accepted, p.login(nas(test.port), "jdoe", test.password).Accepted(), test.password)
		assert.Equal(t, test.factor, last(), test.password)
	}
	assert.True(t, p.login(nas(length), "jdoe", "abcd").Rejected(), "a passcode must be appended")
}

func TestAFirstRequestUnderANewIdentifierPushesOnce(t *testing.T) {
	l := newLab(t, map[string]*duotest.User{"jdoe": {Devices: []duotest.Device{{Answer: duotest.After(2*time.Second, duotest.Approve)}}}})
	port := freePort(t)
	l.run(mainSection + noPrimary + l.section("radius_server_auto", port))
	n := nas(port)
	n.Attributes = radius.Attributes{{Type: rfc2865.CallingStationID_Type, Attribute: []byte("198.51.100.7")}}
	replies := make(chan bool, 2)
	for range 2 {
		go func() {
			request, err := n.NewRequest("jdoe", userPass, nil)
			if err != nil {
				replies <- false
				return
			}
			reply, err := n.Exchanger.Exchange(context.Background(), request, n.Server)
			replies <- err == nil && reply.Code == radius.CodeAccessAccept
		}()
		time.Sleep(500 * time.Millisecond)
	}
	assert.True(t, <-replies)
	assert.True(t, <-replies)
	assert.Len(t, l.service.Transactions(), 1)
}

func TestIPv6AndTheInterfaceAreHonoured(t *testing.T) {
	l := newLab(t, users())
	six, one := freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_challenge", six, "interface=::1") +
		l.section("radius_server_challenge2", one, "interface=127.0.0.9"))
	n := nas(six)
	n.Server = net.JoinHostPort("::1", strconv.Itoa(six))
	assert.True(t, p.login(n, "jdoe", userPass, "1").Accepted())
	n.Server = net.JoinHostPort("127.0.0.9", strconv.Itoa(one))
	assert.True(t, p.login(n, "jdoe", userPass, "1").Accepted())
	n.Server = net.JoinHostPort("127.0.0.1", strconv.Itoa(one))
	n.Exchanger = radius.Exchanger{Interval: 200 * time.Millisecond, Tries: 2}
	_, err := n.Login(context.Background(), "jdoe", userPass)
	assert.Error(t, err, "another address is not listened on")
}

func TestForceMessageAuthenticatorDropsUnsignedRequests(t *testing.T) {
	l := newLab(t, users())
	forced, auto := freePort(t), freePort(t)
	p := l.run(mainSection + noPrimary +
		l.section("radius_server_challenge", forced, "force_message_authenticator=true") +
		l.section("radius_server_challenge2", auto))
	assert.True(t, p.login(nas(forced), "jdoe", userPass).Challenged())
	unsigned := func(port int) error {
		n := nas(port)
		request, err := n.NewRequest("jdoe", userPass, nil)
		require.NoError(t, err)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		_, err = (&layeh.Client{}).Exchange(ctx, request, n.Server)
		return err
	}
	assert.NoError(t, unsigned(auto))
	assert.Error(t, unsigned(forced))
}

func TestPasswordsAreReadInTheCharacterSetOfTheDevice(t *testing.T) {
	l := newLab(t, map[string]*duotest.User{"jörg": {}})
	port := freePort(t)
	p := l.run(mainSection + noPrimary + l.section("radius_server_challenge", port, "pw_codec=cp1252"))
	assert.True(t, p.login(nas(port), "j\xf6rg", "p\xe4ss", "1").Accepted())
}
