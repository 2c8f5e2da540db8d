package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	systemd "github.com/coreos/go-systemd/v22/daemon"
)

// statusInterval is how often the line that systemctl status shows may change.
const statusInterval = 5 * time.Second

// notify tells systemd, where that has started us.
func notify(state string) { _, _ = systemd.SdNotify(false, state) }

// newWatchdog ticks as often as systemd wants to hear of us. Without systemd it
// never does.
func newWatchdog() (ticks <-chan time.Time, stop func()) {
	interval, err := systemd.SdWatchdogEnabled(false)
	if err != nil || interval <= 0 {
		return nil, func() {}
	}
	ticker := time.NewTicker(interval / 2)
	return ticker.C, ticker.Stop
}

// newStatus ticks when it is time to tell systemd what we are doing. Without
// systemd it never does.
func newStatus() (ticks <-chan time.Time, stop func()) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil, func() {}
	}
	ticker := time.NewTicker(statusInterval)
	return ticker.C, ticker.Stop
}

// status is the line that systemctl status shows, about what the daemon does:
// serving or stopping.
func (d *daemon) status(does string) string {
	var addresses []string
	waiting := 0
	for _, l := range d.current() {
		addresses = append(addresses, l.listens())
		waiting += l.waiting()
	}
	slices.Sort(addresses)
	line := fmt.Sprintf("STATUS=%s %s on %s, %s waiting", does,
		count(len(addresses), "section"), strings.Join(addresses, " "), count(waiting, "login"))
	if d.stale {
		line += "; the last reload failed, see the log"
	}
	return line
}

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
