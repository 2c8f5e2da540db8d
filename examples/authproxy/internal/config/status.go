package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/radmfa/radmfa/radius"
)

// minStatusPassword is the length of a password that nobody guesses at the speed
// at which the status page lets one try.
const minStatusPassword = 12

// statusPage checks who can read the status page: it names users.
func (l *loader) statusPage(main *Section) {
	set := main.Set("status_password")
	switch at := main.values["status_address"]; {
	case !main.Set("status_address"):
		if set && !l.told(main, &Key{Name: "status_address"}) {
			l.problem(main.values["status_password"].line, Main, "status_password", "requires status_address, which is not set")
		}
	case set && len(main.Secret("status_password")) < minStatusPassword:
		l.problem(main.values["status_password"].line, Main, "status_password", "is too short to be safe: expected at least %d characters", minStatusPassword)
	case !set && !IsLoopback(string(at.text)) && !l.told(main, &Key{Name: "status_password"}):
		l.problem(at.line, Main, "status_address", "the page names users, so other machines may read it only with a password: set status_password, or the address to 127.0.0.1")
	}
}

// advisePage warns of a password that the network can read.
func (l *loader) advisePage(main *Section) {
	if main.Set("status_address") && !IsLoopback(main.Text("status_address")) {
		l.warnKey(main, "status_address", "status_password crosses the network in clear text; set the address to 127.0.0.1, and reach the page through SSH or a proxy with TLS")
	}
}

// IsLoopback reports whether only this machine can reach a host:port.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// StatusSockets returns where a daemon with this file listens for the commands
// that ask it: at the first of these that it can.
func (f *File) StatusSockets() []string {
	return sockets(f.Path, f.Main.Text("status_socket"), f.LogDir())
}

// StatusSocketsOf is StatusSockets of a file that a daemon may be running with
// although it has problems now.
func StatusSocketsOf(path string) ([]string, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Problems{{File: path, Text: fmt.Sprintf("the file cannot be read: %v", unwrapPath(err))}}
	}
	f := &File{Path: path, Main: &Section{Name: Main, kind: kindOf(Main), values: map[string]value{}}}
	sections, _ := parse(data)
	for _, s := range sections {
		for _, k := range s.keys {
			if s.name == Main && k.value != "" && (k.name == "status_socket" || k.name == "log_dir") {
				f.Main.values[k.name] = value{text: radius.Secret(k.value)}
			}
		}
	}
	return f.StatusSockets(), nil
}

func sockets(path, set, logDir string) []string {
	if set != "" {
		if !filepath.IsAbs(set) {
			set = filepath.Join(filepath.Dir(path), set)
		}
		return []string{set}
	}
	base := filepath.Base(path)
	name := strings.TrimSuffix(base, filepath.Ext(base)) + ".sock"
	var paths []string
	if given := os.Getenv("RUNTIME_DIRECTORY"); given != "" { // RuntimeDirectory= of systemd
		paths = append(paths, filepath.Join(strings.Split(given, ":")[0], name))
	}
	if runtime.GOOS != "windows" {
		paths = append(paths, filepath.Join("/run/authproxy", name))
	}
	return append(paths, filepath.Join(logDir, name), filepath.Join(filepath.Dir(path), name))
}

// LineSet returns the line that sets a key, or 0 where none does.
func (s *Section) LineSet(name string) int { return s.values[name].line }

// Default returns what a key without a value counts as, or "".
func (s *Section) Default(name string) string {
	if key := s.kind.find(name); key != nil {
		return key.Default
	}
	return s.key(name).Default
}

// NumberOf returns the number of the radius_ip_N that a device belongs to, the
// longest prefix first as in radius.Clients, or 0.
func (s *Section) NumberOf(device netip.Addr) int {
	number, longest := 0, -1
	for _, n := range s.Numbers("radius_ip") {
		for _, p := range s.Prefixes(s.Numbered("radius_ip", n)) {
			if p.Contains(device.Unmap()) && p.Bits() > longest {
				number, longest = n, p.Bits()
			}
		}
	}
	return number
}

// Free returns the least number with which neither radius_ip_N nor
// radius_secret_N is set.
func (s *Section) Free() int {
	for n := 1; ; n++ {
		if !s.Set(fmt.Sprintf("radius_ip_%d", n)) && !s.Set(fmt.Sprintf("radius_secret_%d", n)) {
			return n
		}
	}
}

// Has reports whether a section of this kind can have a key, without number.
func (s *Section) Has(name string) bool { return s.kind.key(name) != nil }

// Shown is a key with its value, unless that is a secret.
func (s *Section) Shown(name string) string {
	if key := s.kind.find(name); key != nil && key.Value.secret {
		return name
	}
	return name + "=" + s.Text(name)
}
