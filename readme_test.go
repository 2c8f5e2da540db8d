package radmfa_test

import (
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// block returns a fenced block of README.md.
func block(t *testing.T, fence string) string {
	readme, err := os.ReadFile("README.md")
	require.NoError(t, err)
	_, rest, found := strings.Cut(string(readme), fence+"\n")
	require.True(t, found)
	code, _, found := strings.Cut(rest, "\n```\n")
	require.True(t, found)
	return code
}

// The program compiles as it stands.
func TestTheProgramOfTheREADMECompiles(t *testing.T) {
	code := block(t, "```go")
	_, err := parser.ParseFile(token.NewFileSet(), "main.go", code, parser.AllErrors)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("testdata", "readme") //nolint:usetesting // it must be inside the module
	require.NoError(t, err)
	defer func() { _ = os.RemoveAll(dir) }()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), []byte(code+"\n"), 0o600))
	out, err := exec.CommandContext(t.Context(), "go", "vet", "./"+dir).CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// The transcript is what the quickstart prints.
func TestTheTranscriptOfTheREADME(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", "./examples/quickstart", "-login", "jdoe:correct horse:1").Output()
	require.NoError(t, err)
	var lines []string
	for line := range strings.Lines(string(out)) {
		lines = append(lines, strings.TrimRight(line, " \n"))
	}
	assert.Equal(t, block(t, "```"), strings.Join(lines, "\n"))
}
