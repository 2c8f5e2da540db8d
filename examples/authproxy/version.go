package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

// version and commit are stamped by the build:
// -ldflags "-X main.version=v1.2.3 -X main.commit=1a2b3c4".
var version, commit = "", ""

// commitLength is how many digits of a commit are shown.
const commitLength = 12

// buildVersion is the stamped version, or that of the source.
func buildVersion() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok {
		return cmp.Or(info.Main.Version, "unknown")
	}
	return "unknown"
}

// buildCommit is the stamped commit, or the one that the go command saw, or "".
// "+dirty" says that files were changed.
func buildCommit() string {
	if commit != "" {
		return shortCommit(commit)
	}
	var revision, dirty string
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			switch {
			case s.Key == "vcs.revision":
				revision = s.Value
			case s.Key == "vcs.modified" && s.Value == "true":
				dirty = dirtySuffix
			}
		}
	}
	if revision == "" {
		return ""
	}
	return shortCommit(revision + dirty)
}

const dirtySuffix = "+dirty"

func shortCommit(c string) string {
	revision, dirty := strings.CutSuffix(c, dirtySuffix)
	if len(revision) > commitLength {
		revision = revision[:commitLength]
	}
	if dirty {
		revision += dirtySuffix
	}
	return revision
}

// versionLine tells which program this is.
func versionLine() string {
	line := fmt.Sprintf("authproxy %s %s/%s %s", buildVersion(), runtime.GOOS, runtime.GOARCH, runtime.Version())
	if c := buildCommit(); c != "" {
		line += " commit " + c
	}
	return line
}
