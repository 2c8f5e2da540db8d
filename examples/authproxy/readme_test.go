package main

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/prompt"
)

var update = flag.Bool("update", false, "write the tables of README.md anew")

const (
	tablesBegin = "<!-- keys: written by go test -run README -update -->\n"
	tablesEnd   = "<!-- /keys -->\n"
)

// TestREADMEListsEveryKey: the tables of README.md say what the reader does.
func TestREADMEListsEveryKey(t *testing.T) {
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(content), tablesBegin)
	require.True(t, found)
	got, after, found := strings.Cut(rest, tablesEnd)
	require.True(t, found)
	want := keyTables()
	if *update {
		require.NoError(t, os.WriteFile("README.md", []byte(before+tablesBegin+want+tablesEnd+after), 0o644)) //nolint:gosec // a document
		return
	}
	assert.Equal(t, want, got)
}

// TestREADMEListsTheEventKeys: those of authevents.log.
func TestREADMEListsTheEventKeys(t *testing.T) {
	content, err := os.ReadFile("README.md")
	require.NoError(t, err)
	source, err := os.ReadFile("events.go")
	require.NoError(t, err)
	for _, part := range strings.Split(string(source), `json:"`)[1:] {
		name, _, _ := strings.Cut(strings.SplitN(part, `"`, 2)[0], ",")
		assert.Contains(t, string(content), "| `"+name+"` |")
	}
}

func keyTables() string {
	var b strings.Builder
	var servers []config.SectionKind
	for _, kind := range config.Sections {
		if kind.Role != config.RoleServer {
			keyTable(&b, "`["+kind.Name+"]`", kind.Keys)
			continue
		}
		servers = append(servers, kind)
	}
	shared := func(key config.Key) bool {
		return !slices.ContainsFunc(servers, func(kind config.SectionKind) bool {
			return !slices.ContainsFunc(kind.Keys, func(k config.Key) bool { return k.Name == key.Name })
		})
	}
	var common []config.Key
	for _, key := range servers[0].Keys {
		if shared(key) {
			common = append(common, key)
		}
	}
	keyTable(&b, "Every server section", common)
	for _, kind := range servers {
		keyTable(&b, "`["+kind.Name+"]`, besides", slices.DeleteFunc(slices.Clone(kind.Keys), shared))
	}
	textTable(&b)
	return b.String()
}

// textTable is all that texts_file can change.
func textTable(b *strings.Builder) {
	b.WriteString("### Texts\n\nThe ids for `texts_file`, and the defaults; `words.*` are words, separated by commas, that users may type beside `push`,\n" +
		"`phone` and `sms`. `%s` is a name, a number or an address. A text in double quotes keeps its blanks. The service's own\ntexts are in the language that is set there.\n\n| id | default |\n|---|---|\n")
	texts := prompt.DefaultTexts()
	for _, id := range slices.Sorted(maps.Keys(texts)) {
		fmt.Fprintf(b, "| `%s` | `%q` |\n", id, texts[id])
	}
	b.WriteString("\n")
}

func keyTable(b *strings.Builder, title string, keys []config.Key) {
	fmt.Fprintf(b, "\n### %s\n\n", title)
	if len(keys) == 0 {
		b.WriteString("No keys.\n")
		return
	}
	b.WriteString("| key | value | default | meaning |\n|---|---|---|---|\n")
	for _, key := range keys {
		def := "-"
		switch {
		case key.Required && key.Unless != "":
			unless := keys[slices.IndexFunc(keys, func(k config.Key) bool { return k.Name == key.Unless })]
			def = "required without `" + unless.Label() + "`"
		case key.Required:
			def = "required"
		case key.Default != "":
			def = "`" + key.Default + "`"
		}
		fmt.Fprintf(b, "| `%s`%s | %s | %s | %s |\n", key.Label(), mark(key), key.Value.Expect, def, key.Meaning+refused(key))
	}
}

// mark is for keys that the replaced proxy does not know.
func mark(key config.Key) string {
	if key.Ours {
		return " (ours)"
	}
	return ""
}

// refused says which values cannot be honoured.
func refused(key config.Key) string {
	var list []string
	for value, why := range key.Refused {
		list = append(list, "`"+value+"` is refused: "+why)
	}
	slices.Sort(list)
	return strings.Join(append([]string{""}, list...), "; ")
}
