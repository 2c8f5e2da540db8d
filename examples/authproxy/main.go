// Authproxy adds a second factor to RADIUS logins, as a daemon that is configured
// by an authproxy.cfg as it stands. See README.md for its commands and keys.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

const configName = config.FileName

// systemConfig is where the unit authproxy.service has it.
const systemConfig = "/etc/authproxy/" + configName

const usage = `usage: authproxy [command] [-config FILE]

Without a command it serves until it is told to stop. The commands are
  validate   check the configuration file and report every problem
  check      also try the directory, the RADIUS servers and the service
  status     show the state of the running daemon, with -json for programs
  explain    say why a user was let in or refused: authproxy explain USER
  login      log a user in at the running daemon: authproxy login USER
  start      start the service, by systemd or the service manager of Windows
  stop       stop it, once the logins in flight have ended
  restart    stop and start it
  import     take over the configuration of another installation (import -help)
  version    print version, system, Go and commit

Without -config the file is authproxy.cfg in the working directory, or else
conf/authproxy.cfg beside the program, or else /etc/authproxy/authproxy.cfg.
`

// The exit statuses.
const (
	exitOK     = 0
	exitFailed = 1 // a problem was told
	exitUsage  = 2
)

func main() {
	os.Exit(start(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program. It serves until ctx ends, or a signal says so.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	command := "serve"
	if len(args) > 0 && args[0] != "" && args[0][0] != '-' {
		command, args = args[0], args[1:]
	}
	switch command {
	case "status", "explain":
		return askDaemon(ctx, command, args, stdout, stderr)
	case "import":
		return importCommand(args, stdout, stderr)
	case "login":
		return login(ctx, args, os.Stdin, stdout, stderr)
	case "start", "stop", "restart":
		return manage(command, args, stdout, stderr)
	}
	flags := flag.NewFlagSet("authproxy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { _, _ = io.WriteString(stderr, usage) }
	path := flags.String("config", "", "")
	printVersion := flags.Bool("version", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case flags.NArg() > 0:
		flags.Usage()
		return exitUsage
	}
	if *printVersion {
		command = "version"
	}
	if *path == "" {
		*path = findConfig()
	}
	switch command {
	case "serve":
		return serve(ctx, *path, stdout, stderr)
	case "validate":
		return validate(*path, stdout)
	case "check":
		return check(ctx, *path, stdout)
	case "version":
		_, _ = fmt.Fprintln(stdout, versionLine())
		return exitOK
	default:
		flags.Usage()
		return exitUsage
	}
}

// findConfig returns where the file is when nobody says so.
func findConfig() string {
	if _, err := os.Stat(configName); err == nil {
		return configName
	}
	if program, err := os.Executable(); err == nil {
		path := filepath.Join(filepath.Dir(program), "conf", configName)
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if _, err := os.Stat(systemConfig); !errors.Is(err, fs.ErrNotExist) {
		return systemConfig // which may exist and not be for the caller to read
	}
	return configName
}

// validate prints all that is wrong with a file.
func validate(path string, stdout io.Writer) int {
	file, err := config.Load(path)
	if err == nil {
		var instances []*instance
		if instances, err = buildAll(file, discard()); err == nil {
			closeAll(instances)
		}
	}
	for _, w := range file.Warnings {
		_, _ = fmt.Fprintf(stdout, "warning: %s\n", w)
	}
	if err != nil {
		_, _ = fmt.Fprintln(stdout, err)
		return exitFailed
	}
	if n := len(file.Unserved); n > 0 {
		_, _ = fmt.Fprintf(stdout, "%d sections are not served here: %s\n", n, strings.Join(file.Unserved, ", "))
	}
	_, _ = fmt.Fprintf(stdout, "%s: no problems\n", path)
	describeSections(stdout, file)
	return exitOK
}

// listens returns where a section listens.
func listens(s, main *config.Section) string {
	udp, tls := s.Listens(main)
	switch {
	case tls == "":
		return udp
	case udp == "":
		return tlsLabel(tls)
	}
	return udp + " and " + tlsLabel(tls)
}

// serviceNames says what duo_username means.
var serviceNames = map[string]string{"account": "the account as the directory spells it", "typed": "the name as it was typed"}

func firstFactorName(s *config.Section) string {
	if s.Client == nil {
		return "none"
	}
	return "[" + s.Client.Name + "]"
}
