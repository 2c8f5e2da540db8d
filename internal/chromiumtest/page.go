package chromiumtest

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

// Page is a tab. Its methods fail the test when the page does not do as they say,
// and so does the end of the test when a script of the page had failed, or when
// its Content-Security-Policy had to stop something.
type Page struct {
	*console
	tb      testing.TB
	browser *Browser
	session string
}

// console is what a script of the page and the browser complain of.
type console struct {
	mu     sync.Mutex
	errors []string
}

// In returns the same page for a test within the test.
func (p *Page) In(tb testing.TB) *Page {
	in := *p
	in.tb = tb
	return &in
}

// View is what a page is looked at with.
type View struct {
	Width, Height int
	Dark          bool // prefers-color-scheme
}

// Open opens an address in a tab of its own.
func (b *Browser) Open(tb testing.TB, address string, v View) *Page {
	tb.Helper()
	p := &Page{console: new(console), tb: tb, browser: b}
	var target struct {
		TargetID string `json:"targetId"`
	}
	var attached struct {
		SessionID string `json:"sessionId"`
	}
	p.must(b.call("", "Target.createTarget", args{"url": "about:blank"}, &target))
	p.must(b.call("", "Target.attachToTarget", args{"targetId": target.TargetID, "flatten": true}, &attached))
	p.session = attached.SessionID
	b.mu.Lock()
	b.listener[p.session] = p.event
	b.mu.Unlock()
	tb.Cleanup(func() {
		_ = b.call("", "Target.closeTarget", args{"targetId": target.TargetID}, nil)
		for _, text := range p.Errors() {
			tb.Error("the page: ", text)
		}
	})
	for _, domain := range []string{"Page", "Runtime", "Log"} {
		p.call(domain+".enable", args{}, nil)
	}
	p.Look(v)
	p.Go(address)
	return p
}

type args map[string]any

func (p *Page) must(err error) {
	p.tb.Helper()
	if err != nil {
		p.tb.Fatal("chromiumtest: ", err)
	}
}

func (p *Page) call(method string, params args, result any) {
	p.tb.Helper()
	p.must(p.browser.call(p.session, method, params, result))
}

// event notes what a person would find in the console. It must not call.
func (c *console) event(m message) {
	var e struct {
		Entry   struct{ Level, Text, URL string }
		Details struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	_ = json.Unmarshal(m.Params, &e)
	text := ""
	switch {
	case m.Method == "Runtime.exceptionThrown":
		text = e.Details.Text + " " + e.Details.Exception.Description
	case m.Method == "Log.entryAdded" && e.Entry.Level == "error":
		text = e.Entry.Text + " " + e.Entry.URL
	default:
		return
	}
	c.mu.Lock()
	c.errors = append(c.errors, text)
	c.mu.Unlock()
}

// Errors returns and forgets what went wrong in the page until now.
func (c *console) Errors() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	errors := c.errors
	c.errors = nil
	return errors
}

// Go opens an address and waits until it is loaded.
func (p *Page) Go(address string) {
	p.tb.Helper()
	var result struct{ ErrorText string }
	p.call("Page.navigate", args{"url": address}, &result)
	if result.ErrorText != "" {
		p.tb.Fatalf("chromiumtest: %s: %s", address, result.ErrorText)
	}
	p.Wait("document.readyState === 'complete'")
}

// Look changes size and colour scheme.
func (p *Page) Look(v View) {
	p.tb.Helper()
	p.call("Emulation.setDeviceMetricsOverride", args{"width": v.Width, "height": v.Height, "deviceScaleFactor": 1, "mobile": false}, nil)
	scheme := "light"
	if v.Dark {
		scheme = "dark"
	}
	p.call("Emulation.setEmulatedMedia", args{"features": []args{{"name": "prefers-color-scheme", "value": scheme}, {"name": "prefers-reduced-motion", "value": "reduce"}}}, nil)
}

// Eval returns the value of an expression, which may be a promise.
func (p *Page) Eval(expression string) any {
	p.tb.Helper()
	value, err := p.eval(expression)
	p.must(err)
	return value
}

func (p *Page) eval(expression string) (any, error) {
	var result struct {
		Result  struct{ Value any }
		Details *struct {
			Text      string
			Exception struct{ Description string }
		} `json:"exceptionDetails"`
	}
	err := p.browser.call(p.session, "Runtime.evaluate", args{"expression": expression, "returnByValue": true, "awaitPromise": true}, &result)
	if err == nil && result.Details != nil {
		err = fmt.Errorf("%s: %s %s", expression, result.Details.Text, result.Details.Exception.Description)
	}
	return result.Result.Value, err
}

// Wait waits until an expression is true.
func (p *Page) Wait(expression string) {
	p.tb.Helper()
	var value any
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if value, err = p.eval(expression); err == nil && value == true {
			return
		}
	}
	p.tb.Fatalf("chromiumtest: not within %s: %s (%v %v)\nThe page shows:\n%s", patience, expression, value, err, p.Eval("document.body.innerText"))
}

// WaitText waits until an element shows a text.
func (p *Page) WaitText(selector, text string) {
	p.tb.Helper()
	p.Wait(fmt.Sprintf("[...document.querySelectorAll(%s)].some(e => e.checkVisibility() && e.innerText.includes(%s))", quote(selector), quote(text)))
}

// Text returns what the first element that matches shows.
func (p *Page) Text(selector string) string {
	p.tb.Helper()
	text, _ := p.Eval(fmt.Sprintf("document.querySelector(%s)?.innerText", quote(selector))).(string)
	return text
}

// Click waits for an element that shows the text (empty: any), and clicks it with
// the mouse: what lies over it gets the click.
func (p *Page) Click(selector, text string) {
	p.tb.Helper()
	find := fmt.Sprintf("[...document.querySelectorAll(%s)].find(e => e.checkVisibility() && !e.disabled && e.innerText.includes(%s))", quote(selector), quote(text))
	p.Wait(find + " !== undefined")
	place, ok := p.Eval("(e => { e.scrollIntoView({block: 'center', behavior: 'instant'}); const r = e.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2] })(" + find + ")").([]any)
	if !ok || len(place) != 2 {
		p.tb.Fatalf("chromiumtest: %s %q has no place", selector, text)
	}
	for _, what := range []string{"mousePressed", "mouseReleased"} {
		p.call("Input.dispatchMouseEvent", args{"type": what, "x": place[0], "y": place[1], "button": "left", "clickCount": 1}, nil)
	}
}

// Type clicks a field, and puts a text in place of what it holds.
func (p *Page) Type(selector, text string) {
	p.tb.Helper()
	p.Click(selector, "")
	p.Eval(fmt.Sprintf("document.querySelector(%s).select()", quote(selector)))
	p.call("Input.insertText", args{"text": text}, nil)
}

// Enter presses the key.
func (p *Page) Enter() {
	p.tb.Helper()
	for _, what := range []string{"keyDown", "keyUp"} {
		p.call("Input.dispatchKeyEvent", args{"type": what, "key": "Enter", "code": "Enter", "windowsVirtualKeyCode": 13, "text": "\r"}, nil)
	}
}

// WaitFrame waits until the only frame in the page shows a text. It may be
// sandboxed, where the page itself cannot look.
func (p *Page) WaitFrame(text string) {
	p.tb.Helper()
	var shown string
	var err error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if shown, err = p.frame(); err == nil && strings.Contains(shown, text) {
			return
		}
	}
	p.tb.Fatalf("chromiumtest: the frame does not show %q within %s (%v):\n%s", text, patience, err, shown)
}

func (p *Page) frame() (string, error) {
	var tree struct {
		FrameTree struct {
			ChildFrames []struct{ Frame struct{ ID string } }
		}
	}
	if err := p.browser.call(p.session, "Page.getFrameTree", args{}, &tree); err != nil {
		return "", err
	}
	if n := len(tree.FrameTree.ChildFrames); n != 1 {
		return "", fmt.Errorf("there are %d frames", n)
	}
	var world struct {
		ID int `json:"executionContextId"`
	}
	frame := tree.FrameTree.ChildFrames[0].Frame.ID
	if err := p.browser.call(p.session, "Page.createIsolatedWorld", args{"frameId": frame}, &world); err != nil {
		return "", err
	}
	var result struct{ Result struct{ Value string } }
	err := p.browser.call(p.session, "Runtime.evaluate",
		args{"expression": "document.body.innerText", "contextId": world.ID, "returnByValue": true}, &result)
	return result.Result.Value, err
}

// Screenshot returns the whole page as PNG.
func (p *Page) Screenshot() []byte {
	p.tb.Helper()
	var result struct{ Data []byte }
	p.call("Page.captureScreenshot", args{"format": "png", "captureBeyondViewport": true}, &result)
	return result.Data
}

func quote(s string) string {
	quoted, _ := json.Marshal(s)
	return string(quoted)
}
