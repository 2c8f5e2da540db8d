package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/internal/chromiumtest"
)

// The page of the program, as somebody sees it who looks for a user. Its picture
// is kept with go test -artifacts.
func TestThePageOfTheProgramInABrowser(t *testing.T) {
	browser := chromiumtest.Start(t)
	services := users()
	services["slow"] = &duotest.User{Devices: []duotest.Device{{Answer: duotest.After(time.Minute, duotest.Approve)}}}
	l := newLab(t, services)
	port, page := freePort(t), freePort(t)
	p := l.run(strings.Replace(mainSection, "[main]\n", fmt.Sprintf("[main]\nstatus_address=127.0.0.1:%d\n", page), 1) +
		noPrimary + l.section("radius_server_challenge", port, "exempt_username_1=backup"))
	device := nas(port)
	assert.True(t, p.login(device, "jdoe", userPass, "1").Accepted())
	assert.True(t, p.login(device, "jdoe", userPass, "999999").Rejected())
	assert.True(t, p.login(device, "denies", userPass, "1").Rejected())
	assert.True(t, p.login(device, "locked", userPass).Rejected())
	assert.True(t, p.login(device, "backup", userPass).Accepted())
	assert.True(t, p.login(device, "<script>alert(1)</script>", userPass).Challenged())
	p.pushes(port, "slow")

	tab := browser.Open(t, fmt.Sprintf("http://localhost:%d/", page), chromiumtest.View{Width: 1280, Height: 900})
	tab.WaitText("section[aria-label=Waiting]", "slow")
	tab.WaitText(".logins", "<script>alert(1)</script>")
	require.NoError(t, os.WriteFile(filepath.Join(t.ArtifactDir(), "program.png"), tab.Screenshot(), 0o600))
	tab.Type("input[name=q]", "BACKUP")
	tab.Enter()
	tab.Wait(`document.querySelectorAll(".logins tbody tr").length == 1`)
	tab.WaitText(".logins", "decided by exempt_username_1=backup (authproxy.cfg line ")
}
