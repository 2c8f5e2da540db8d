package main

import (
	"bytes"
	"flag"
	"image"
	"image/draw"
	"image/png"
	"log/slog"
	"net"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	layeh "layeh.com/radius"
	"layeh.com/radius/rfc2865"

	"github.com/radmfa/radmfa/internal/chromiumtest"
	"github.com/radmfa/radmfa/radius/radiustest"
)

var update = flag.Bool("update", false, "write the screenshot that stands in README.md")

// tab is somebody who has the page open.
type tab struct {
	*chromiumtest.Page
	b       *browser
	address string
}

// One browser, which takes seconds to start, has a program and a tab for each.
func TestThePageInChromium(t *testing.T) {
	chromium := chromiumtest.Start(t)
	for name, test := range map[string]func(*testing.T, *chromiumtest.Browser){
		"every branch of the menu":               everyBranch,
		"a retransmission is one line":           retransmission,
		"a page that is opened late shows all":   openedLate,
		"hostile text is only text":              hostileText,
		"the page says that the program is gone": programGone,
		"the page fits its window":               fitsItsWindow,
	} {
		t.Run(name, func(t *testing.T) { test(t, chromium) })
	}
}

// open starts a program and opens its page.
func open(t *testing.T, chromium *chromiumtest.Browser, v chromiumtest.View) *tab {
	b, err := newBrowser(loopback(t), slog.DiscardHandler)
	require.NoError(t, err)
	server := httptest.NewServer(b.handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
		assert.NoError(t, b.close())
	})
	return &tab{chromium.Open(t, server.URL, v), b, server.URL}
}

// wide is a usual window.
var wide = chromiumtest.View{Width: 1280, Height: 900}

// login logs in as one of the people that the page offers, and chooses.
func (p *tab) login(name, choice string) {
	p.Click("#people button", name)
	p.Click("#login button", "Log in")
	if choice != "" {
		p.WaitText("#ask", "One more step")
		p.WaitFrame("Passcode")
		p.Type("#answer input", choice)
		p.Click("#answer button", "Submit")
	}
}

// accepted waits for the end of a login, and logs out.
func (p *tab) accepted(text string) {
	p.WaitText("#verdict", "Connected")
	p.WaitFrame(text)
	p.Click("button", "Log out")
	p.WaitText("#ask", "Sign in")
}

// rejected waits for the other end.
func (p *tab) rejected(text string) {
	p.WaitText("#verdict", "Access denied")
	if text != "" {
		p.WaitFrame(text)
	}
}

// One person tries everything that the page has, in one window.
func everyBranch(t *testing.T, chromium *chromiumtest.Browser) {
	p := open(t, chromium, wide)
	for _, branch := range []struct {
		name string
		try  func(*tab)
	}{
		{"wrong password", func(p *tab) {
			p.Type("#login [name=username]", "jdoe")
			p.Type("#login [name=password]", "wrong")
			p.Enter()
			p.rejected("")
			p.WaitText("#verdict", "Its log has the reason.")
			p.WaitText("#log .fields", "reason=the first factor is wrong")
		}},
		{"push approved", func(p *tab) {
			p.login("jdoe", "1")
			p.WaitText("#phone h3", "Login request for jdoe")
			p.WaitText("#phone dl", "192.0.2.33")
			p.WaitFrame("1. Duo Push to XXX-XXX-1234")
			p.Click("#phone button", "Approve")
			p.accepted("Success. Logging you in...")
			p.WaitText("#said", "Approved.")
		}},
		{"push denied", func(p *tab) {
			p.login("jdoe", "push")
			p.Click("#phone button", "Deny")
			p.rejected("Login request denied.")
			p.WaitText("#said", "Denied.")
		}},
		{"it was not me", func(p *tab) {
			p.login("jdoe", "1")
			p.Click("#phone button", "It was not me")
			p.rejected("")
			p.WaitText("#said", "reported as fraud")
			p.WaitText("#log .WARN", "WARN")
			p.WaitText("#log .fields", "status=fraud")
		}},
		{"phone call", func(p *tab) {
			p.login("jdoe", "2")
			p.WaitText("#phone .kind", "Phone call to jdoe")
			p.Click("#phone button", "Press a key")
			p.accepted("Success.")
		}},
		{"call hung up", func(p *tab) {
			p.login("jdoe", "phone")
			p.Click("#phone button", "Hang up")
			p.rejected("")
		}},
		{"SMS, then a passcode", func(p *tab) {
			p.login("jdoe", "3")
			p.rejected("New SMS passcodes sent.")
			p.WaitText("#messages .kind", "SMS to jdoe")
			p.login("jdoe", "")
			p.WaitFrame("(next code starts with: 1)")
			p.Click("#messages .code", "1104729")
			p.Click("#answer button", "Submit")
			p.accepted("Success.")
			p.WaitText("#messages .used", "1104729")
		}},
		{"no option", func(p *tab) {
			p.login("jdoe", "9")
			p.WaitFrame("That is not one of the options.")
			p.Click("#answer button", "Cancel")
			p.WaitText("#ask", "Sign in")
		}},
		{"wrong passcode", func(p *tab) {
			p.login("alice", "654321")
			p.rejected("Incorrect passcode.")
		}},
		{"passcode of a token", func(p *tab) {
			p.login("alice", "")
			p.WaitFrame("Passcode:")
			p.Click("#token button", "123456")
			p.Click("#answer button", "Submit")
			p.accepted("Success.")
		}},
		{"verified push", func(p *tab) {
			p.login("erin", "1")
			p.WaitFrame("For Duo Push, enter 376 in Duo Mobile.")
			p.Type("#phone input", "673")
			p.Click("#phone button", "Approve")
			p.WaitText("#phone .error", "That is not the number")
			p.Type("#phone input", "376")
			p.Click("#phone button", "Approve")
			p.accepted("Success.")
		}},
		{"enrollment", func(p *tab) {
			p.login("bob", "")
			p.WaitFrame("https://api-test.duosecurity.com/portal")
			p.Click("#answer button", "Cancel")
			p.WaitText("#ask", "Sign in")
		}},
		{"no second factor", func(p *tab) {
			p.login("carol", "")
			p.accepted("Access allowed")
		}},
		{"given up while the phone rings", func(p *tab) {
			p.login("jdoe", "1")
			p.WaitText("#phone h3", "Login request")
			p.Click("#waiting button", "Cancel")
			p.WaitText("#ask", "Sign in")
			p.Click("#phone button", "Deny")
			p.WaitText("#said", "Denied.")
		}},
	} {
		ok := t.Run(branch.name, func(t *testing.T) { branch.try(&tab{p.In(t), p.b, p.address}) })
		require.True(t, ok, "the page is not where the next branch begins")
	}
}

func retransmission(t *testing.T, chromium *chromiumtest.Browser) {
	p := open(t, chromium, wide)
	p.b.nas.Exchanger.Interval, p.b.nas.Exchanger.Tries = 200*time.Millisecond, 300
	p.login("jdoe", "1")
	p.WaitText("#wire .times", "sent 3 times")
	assert.EqualValues(t, 2, p.Eval("[...document.querySelectorAll('#wire li')].filter(e => e.innerText.includes('Access-Request')).length"))
	p.Click("#phone button", "Approve")
	p.accepted("Success.")
}

func openedLate(t *testing.T, chromium *chromiumtest.Browser) {
	p := open(t, chromium, wide)
	p.login("jdoe", "1")
	p.WaitText("#phone h3", "Login request for jdoe")
	before := p.Text("#wire .pane")
	assert.Contains(t, before, "Access-Challenge")
	assert.Contains(t, before, "********")
	p.Go("about:blank")
	p.Go(p.address)
	p.WaitText("#phone h3", "Login request for jdoe")
	assert.Equal(t, before, p.Text("#wire .pane"))
	p.WaitText("#log .text", "radmfa: auth waiting")
	p.Click("#phone button", "Approve")
	p.accepted("Success.")
}

// What comes from outside is text on the page, and in the frame no more than
// markup.
func hostileText(t *testing.T, chromium *chromiumtest.Browser) {
	const hostile = `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
	p := open(t, chromium, wide)
	p.Type("#login [name=username]", hostile)
	p.Type("#login [name=password]", "x")
	p.Enter()
	p.rejected("")
	p.WaitText("#wire dd", hostile)
	p.WaitText("#log .fields", hostile)
	p.WaitText("#owner", hostile)
	assert.Empty(t, p.Errors())

	reply := layeh.New(layeh.CodeAccessChallenge, []byte(secret))
	require.NoError(t, rfc2865.ReplyMessage_SetString(reply, "<b>bold</b>"+hostile+`<a href="http://127.0.0.1:1/" target="_top">away</a>`))
	p.b.mu.Lock()
	p.b.replied("jdoe", &radiustest.Reply{Packet: reply}, nil)
	p.b.mu.Unlock()
	p.WaitFrame("boldaway")
	p.Wait("document.title === 'radmfa quickstart'")
	assert.NotEmpty(t, p.Errors(), "the browser says what it has blocked")
}

func programGone(t *testing.T, chromium *chromiumtest.Browser) {
	b, err := newBrowser(loopback(t), slog.DiscardHandler)
	require.NoError(t, err)
	server := httptest.NewServer(b.handler())
	p := chromium.Open(t, server.URL, wide)
	p.WaitText("#link", "live")
	server.CloseClientConnections()
	server.Close()
	assert.NoError(t, b.close())
	p.WaitText("#link", "the program has ended")
	p.Click("#people button", "carol")
	p.Click("#login button", "Log in")
	p.WaitText("#refused", "The program does not answer")
	p.Errors() // of the network
}

// Nothing is wider than the window, in either colour scheme.
func fitsItsWindow(t *testing.T, chromium *chromiumtest.Browser) {
	p := open(t, chromium, wide)
	p.login("jdoe", "3")
	p.rejected("New SMS passcodes sent.")
	p.login("erin", "1")
	p.WaitText("#phone h3", "Login request for erin")
	for _, width := range []int{320, 390, 719, 720, 1024, 1280, 1920} {
		for _, dark := range []bool{false, true} {
			p.Look(chromiumtest.View{Width: width, Height: 800, Dark: dark})
			assert.LessOrEqual(t, p.Eval("document.documentElement.scrollWidth"), float64(width))
			assert.Less(t, p.Eval("document.querySelector('#people, #answer, #waiting').getBoundingClientRect().right"), float64(width))
		}
	}
}

// The screenshot in README.md is made by go test . -run Screenshot -update.
func TestScreenshot(t *testing.T) {
	file := filepath.Join("..", "..", "docs", "quickstart.png")
	if *update {
		p := open(t, chromiumtest.Start(t), chromiumtest.View{Width: 1090, Height: 800})
		p.login("jdoe", "1")
		p.WaitText("#phone h3", "Login request for jdoe")
		p.WaitText("#log .text", "radmfa: auth waiting")
		p.Wait("document.querySelector('#phone progress').value > 0")
		require.NoError(t, os.WriteFile(file, smaller(t, p.Screenshot()), 0o644))
	}
	picture, err := os.ReadFile(file)
	require.NoError(t, err)
	assert.Less(t, len(picture), 200_000)
	_, err = png.DecodeConfig(bytes.NewReader(picture))
	assert.NoError(t, err)
	readme, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	require.NoError(t, err)
	assert.Contains(t, string(readme), "docs/quickstart.png")
}

// smaller encodes a PNG again, with 64 shades of each colour in place of 256.
func smaller(t *testing.T, data []byte) []byte {
	picture, err := png.Decode(bytes.NewReader(data))
	require.NoError(t, err)
	coarse := image.NewRGBA(picture.Bounds())
	draw.Draw(coarse, coarse.Bounds(), picture, image.Point{}, draw.Src)
	for i, shade := range coarse.Pix {
		coarse.Pix[i] = shade&^3 | shade>>6
	}
	var small bytes.Buffer
	require.NoError(t, (&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&small, coarse))
	return small.Bytes()
}

func loopback(t *testing.T) net.PacketConn {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	require.NoError(t, err)
	return conn
}
