package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/term"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

// isTerminal reports whether a person reads what is written there.
func isTerminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && term.IsTerminal(int(file.Fd()))
}

// greet tells whoever has started the daemon by hand what it does, since the log
// is elsewhere.
func (d *daemon) greet(stderr io.Writer) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nserves %s\n", versionLine(), d.path)
	describeSections(&b, d.file)
	fmt.Fprintf(&b, "  log: %s\n", strings.Join(logPlaces(d.file), ", "))
	if d.web != nil {
		fmt.Fprintf(&b, "  metrics: http://%s/metrics\n", d.web.conn.Addr())
	}
	if d.page != nil {
		fmt.Fprintf(&b, "  status page: http://%s/\n", d.page.conn.Addr())
	}
	for _, w := range d.file.Warnings {
		fmt.Fprintf(&b, "warning: %s\n", w)
	}
	b.WriteString("Ctrl-C stops it when the logins in flight have ended; Ctrl-C again ends those at once.\n")
	if len(reloadSignals) > 0 {
		fmt.Fprintf(&b, "kill -HUP %d reads the file anew.\n", os.Getpid())
	}
	_, _ = io.WriteString(stderr, b.String())
}

// describeSections has a line for each server section.
func describeSections(w io.Writer, file *config.File) {
	for _, s := range file.Servers {
		_, _ = fmt.Fprintf(w, "  [%s] listens on %s, first factor %s, service %s asked about %s\n",
			s.Name, listens(s, file.Main), firstFactorName(s), s.APIHost(), serviceNames[s.Word("duo_username")])
	}
}

// logPlaces are where lines and events go.
func logPlaces(file *config.File) (places []string) {
	m := file.Main
	if m.Bool("log_file") {
		places = append(places, filepath.Join(file.LogDir(), logName))
	}
	if m.Bool("log_stdout") {
		places = append(places, "standard output")
	}
	if on, network, address := m.Syslog("log_syslog"); on {
		places = append(places, strings.TrimSpace("syslog "+network+" "+address))
	}
	if m.Bool("log_auth_events") {
		events := "standard output"
		if m.Bool("log_file") {
			events = filepath.Join(file.LogDir(), eventsName)
		}
		places = append(places, "events in "+events)
	}
	if places == nil {
		return []string{"nowhere"}
	}
	return places
}

// socketHint says what can be done about a socket that cannot be opened.
func socketHint(addr string, err error) string {
	_, portText, _ := net.SplitHostPort(addr)
	port, _ := strconv.Atoi(portText)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return "stop the program that holds the port, such as the replaced proxy, or set another port"
	case errors.Is(err, os.ErrPermission) && port < 1024 && runtime.GOOS == "linux":
		program, _ := os.Executable()
		return "ports under 1024 are for root and for programs with CAP_NET_BIND_SERVICE: " +
			"run setcap cap_net_bind_service=+ep " + program + ", start it by authproxy.service, which has it, or set a port from 1024 on"
	case errors.Is(err, os.ErrPermission) && port < 1024:
		return "ports under 1024 are for privileged programs: set a port from 1024 on"
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return "this machine has no such address; name one that it has"
	}
	return ""
}

// withHint appends a hint to an error's text.
func withHint(err error, hint string) string {
	if hint == "" {
		return err.Error()
	}
	return err.Error() + ": " + hint
}
