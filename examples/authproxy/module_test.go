package main

import (
	"archive/zip"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The modules of this repository, as they are published: the library, and what
// has dependencies that its importers must not get.
const (
	library     = "github.com/radmfa/radmfa"
	testVersion = "v0.1.0"
)

var nested = []string{"challenge/redisstore", "examples/authproxy", "tools"}

// proxied publishes the modules in a folder, as a module proxy serves them, and
// returns a function that runs the go command with it.
func proxied(t *testing.T) func(dir string, args ...string) (string, error) {
	if testing.Short() {
		t.Skip("compiles the program")
	}
	root, err := filepath.Abs("../..")
	require.NoError(t, err)
	folder := t.TempDir()
	publish(t, folder, root, "")
	publish(t, folder, root, "challenge/redisstore")
	publish(t, folder, root, "examples/authproxy")
	upstream, err := exec.CommandContext(t.Context(), "go", "env", "GOPROXY").Output()
	require.NoError(t, err)
	// With -trimpath, what was compiled from another cache of modules is found again.
	return func(dir string, args ...string) (string, error) {
		command := exec.CommandContext(t.Context(), "go", args...)
		command.Dir = dir
		command.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-mod=mod -modcacherw -trimpath", "GONOSUMDB="+library+"/*,"+library,
			"GOMODCACHE="+filepath.Join(folder, "cache"), "GOBIN="+filepath.Join(folder, "bin"),
			"GOPROXY=file://"+folder+",file://"+moduleCache(t)+","+strings.TrimSpace(string(upstream)))
		out, err := command.CombinedOutput()
		return string(out), err
	}
}

// moduleCache is where the modules of others already are.
func moduleCache(t *testing.T) string {
	out, err := exec.CommandContext(t.Context(), "go", "env", "GOMODCACHE").Output()
	require.NoError(t, err)
	return filepath.Join(strings.TrimSpace(string(out)), "cache", "download")
}

// publish writes a module's files as a proxy serves them.
func publish(t *testing.T, folder, root, module string) {
	path := strings.TrimSuffix(library+"/"+module, "/")
	served := filepath.Join(folder, filepath.FromSlash(path), "@v")
	require.NoError(t, os.MkdirAll(served, 0o755))
	mod, err := os.ReadFile(filepath.Join(root, module, "go.mod"))
	require.NoError(t, err)
	write := func(name string, content []byte) {
		require.NoError(t, os.WriteFile(filepath.Join(served, name), content, 0o644))
	}
	write("list", []byte(testVersion+"\n"))
	write(testVersion+".info", fmt.Appendf(nil, `{"Version":%q}`, testVersion))
	write(testVersion+".mod", mod)
	archive, err := os.Create(filepath.Join(served, testVersion+".zip"))
	require.NoError(t, err)
	defer func() { _ = archive.Close() }()
	zipped := zip.NewWriter(archive)
	for _, file := range filesOf(t, root, module) {
		w, err := zipped.Create(path + "@" + testVersion + "/" + file)
		require.NoError(t, err)
		f, err := os.Open(filepath.Join(root, module, file))
		require.NoError(t, err)
		_, err = io.Copy(w, f)
		require.NoError(t, err)
		_ = f.Close()
	}
	require.NoError(t, zipped.Close())
}

// filesOf lists the files of a module, without those of modules below it.
func filesOf(t *testing.T, root, module string) []string {
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = filepath.Join(root, module)
	out, err := list.Output()
	if err != nil {
		t.Skip("needs the repository: ", err)
	}
	var files []string
	for file := range strings.FieldsSeq(string(out)) {
		below := false
		for _, other := range nested {
			below = below || module == "" && strings.HasPrefix(file, other+"/")
		}
		if _, err := os.Stat(filepath.Join(root, module, file)); err == nil && !below {
			files = append(files, file)
		}
	}
	return files
}

func TestTheProgramInstallsByVersion(t *testing.T) {
	t.Parallel()
	run := proxied(t)
	out, err := run(t.TempDir(), "install", library+"/examples/authproxy@"+testVersion)
	require.NoError(t, err, out)
	bin, err := run(t.TempDir(), "env", "GOBIN")
	require.NoError(t, err)
	out2, err := exec.CommandContext(t.Context(), filepath.Join(strings.TrimSpace(bin), "authproxy"), "version").Output()
	require.NoError(t, err)
	assert.Contains(t, string(out2), "authproxy "+testVersion)
}

// The sums of our own modules are not known before they are published. With
// -update, go.mod and go.sum are written.
func TestTheModulesAreTidy(t *testing.T) {
	run := proxied(t)
	for _, dir := range []string{"../../challenge/redisstore", "."} {
		if *update {
			tidy(t, run, dir)
		}
		out, err := run(dir, "mod", "tidy", "-diff")
		if err == nil {
			continue
		}
		for line := range strings.Lines(out) {
			changed := strings.HasPrefix(line, "+") || strings.HasPrefix(line, "-")
			if changed && !strings.HasPrefix(line, "+++") && !strings.HasPrefix(line, "---") && !strings.Contains(line, library) {
				t.Fatalf("%s: run go test -run TheModulesAreTidy -update\n%s", dir, out)
			}
		}
	}
}

func tidy(t *testing.T, run func(string, ...string) (string, error), dir string) {
	out, err := run(dir, "mod", "tidy")
	require.NoError(t, err, out)
	name := filepath.Join(dir, "go.sum")
	sums, err := os.ReadFile(name)
	require.NoError(t, err)
	var kept strings.Builder
	for line := range strings.Lines(string(sums)) {
		if !strings.HasPrefix(line, library+" ") && !strings.HasPrefix(line, library+"/") {
			kept.WriteString(line)
		}
	}
	require.NoError(t, os.WriteFile(name, []byte(kept.String()), 0o644))
}

func TestImportersGetNoBallast(t *testing.T) {
	run := proxied(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "go.mod"), []byte("module example.com/vpn\n\ngo 1.26.0\n\nrequire "+library+" "+testVersion+"\n"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "vpn.go"), []byte("package vpn\n\nimport (\n\t_ \""+library+"\"\n\t_ \""+library+"/primary/ldapauth\"\n)\n"), 0o644))
	out, err := run(dir, "mod", "tidy")
	require.NoError(t, err, out)
	graph, err := run(dir, "mod", "graph")
	require.NoError(t, err, graph)
	require.Contains(t, graph, "layeh.com/radius")
	for _, ballast := range []string{"ini.v1", "prometheus", "lumberjack", "go-systemd", "redis", "chromedp", "golangci"} {
		assert.NotContains(t, graph, ballast)
	}
}
