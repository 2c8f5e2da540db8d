package chromiumtest

import (
	"net/http"
	"net/http/httptest"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const document = `<!DOCTYPE html><title>t</title>
<style>p { color: rgb(1, 2, 3) } @media (prefers-color-scheme: dark) { p { color: rgb(4, 5, 6) } }</style>
<form><input name="a"><button>Send</button></form><p hidden>hidden</p><p>shown</p>
<iframe sandbox src="/frame"></iframe>
<script>
document.forms[0].onsubmit = (e) => { e.preventDefault(); document.querySelectorAll("p")[1].textContent = "sent " + document.querySelector("input").value };
</script>`

func TestAPageIsUsedAsAPersonDoes(t *testing.T) {
	browser := Start(t)
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(document)) })
	mux.HandleFunc("/frame", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<p>in the frame")) })
	mux.HandleFunc("/favicon.ico", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p := browser.Open(t, server.URL, View{Width: 400, Height: 300, Dark: true})
	p.WaitText("p", "shown")
	p.WaitFrame("in the frame")
	assert.Equal(t, "rgb(4, 5, 6)", p.Eval("getComputedStyle(document.querySelector('p')).color"))
	assert.EqualValues(t, 400, p.Eval("innerWidth"))
	p.Type("input", "one")
	p.Enter()
	p.WaitText("p", "sent one")
	p.Type("input", "two")
	p.Click("button", "Send")
	assert.Equal(t, "hidden", p.Eval("document.querySelector('p').textContent"))
	p.Wait("document.querySelectorAll('p')[1].innerText === 'sent two'")
	assert.Equal(t, "\x89PNG", string(p.Screenshot()[:4]))
	assert.Empty(t, p.Errors())
	p.Eval("setTimeout(() => { throw new Error('broken') })")
	p.Wait("new Promise(done => setTimeout(() => done(true), 50))")
	assert.Regexp(t, "broken", p.Errors())
}

func TestABrowserThatEndsIsAnError(t *testing.T) {
	b := Start(t)
	killGroup(b.cmd)
	<-b.quit
	assert.ErrorContains(t, b.call("", "Browser.getVersion", args{}, nil), "the browser has ended")
}

// A stand-in for testing.TB: the real ones end the test.
type verdict struct {
	testing.TB
	skipped, failed []any
}

func (*verdict) Helper()             {}
func (v *verdict) Skip(args ...any)  { v.skipped = args }
func (v *verdict) Fatal(args ...any) { v.failed = args }

func TestWithoutChromiumATestIsSkippedOrFails(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := exec.LookPath("chromium")
	assert.Error(t, err)
	t.Setenv("RADMFA_CONFORMANCE", "")
	v := &verdict{}
	find(v)
	assert.NotEmpty(t, v.skipped)
	assert.Empty(t, v.failed)
	t.Setenv("RADMFA_CONFORMANCE", "require")
	v = &verdict{}
	find(v)
	assert.Regexp(t, "apt-get install .* chromium", v.failed)
}
