package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"

	"github.com/radmfa/radmfa/examples/authproxy/internal/status"
)

// exitNotRunning is the exit status of commands that find no daemon to ask, as
// systemctl and LSB init scripts have it.
const exitNotRunning = 3

// askDaemon is the commands that ask the running daemon: status, and explain USER.
// The flags may stand before and after the name.
func askDaemon(ctx context.Context, command string, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("authproxy "+command, flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { _, _ = io.WriteString(stderr, usage) }
	path, asJSON := flags.String("config", "", ""), flags.Bool("json", false, "")
	var names []string
	for rest := args; ; {
		switch err := flags.Parse(rest); {
		case errors.Is(err, flag.ErrHelp):
			return exitOK
		case err != nil:
			return exitUsage
		}
		if flags.NArg() == 0 {
			break
		}
		names, rest = append(names, flags.Arg(0)), flags.Args()[1:]
	}
	if *path == "" {
		*path = findConfig()
	}
	switch {
	case command == "status" && len(names) == 0:
		return showStatus(ctx, *path, *asJSON, stdout, stderr)
	case command == "explain" && len(names) == 1 && names[0] != "":
		return explainUser(ctx, *path, names[0], *asJSON, stdout, stderr)
	}
	flags.Usage()
	return exitUsage
}

// showStatus prints the state of the running daemon.
func showStatus(ctx context.Context, path string, asJSON bool, stdout, stderr io.Writer) int {
	report, err := askStatus(ctx, path, "")
	if err != nil {
		return notAsked(err, stderr)
	}
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		err = encoder.Encode(report)
	} else {
		err = report.WriteText(stdout)
	}
	return written(err)
}

// explainUser prints the last logins of a user in words.
func explainUser(ctx context.Context, path, user string, asJSON bool, stdout, stderr io.Writer) int {
	report, err := askStatus(ctx, path, user)
	if err != nil {
		return notAsked(err, stderr)
	}
	if asJSON {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		return written(encoder.Encode(report.Logins))
	}
	return written(status.Explain(stdout, user, report.Logins))
}

func notAsked(err error, stderr io.Writer) int {
	_, _ = fmt.Fprintf(stderr, "authproxy: %v\n", err)
	if errors.Is(err, errNotRunning) {
		return exitNotRunning
	}
	return exitFailed
}

func written(err error) int {
	if err != nil {
		return exitFailed
	}
	return exitOK
}
