package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary/ldapauth"
	"github.com/radmfa/radmfa/primary/radiusauth"
)

// notInFile are fields that no key sets, so that no operator of the daemon meets
// them but as a number in round brackets.
var notInFile = regexp.MustCompile(`^(MaxConns|IdleTimeout|RefusedFor|Reply|GroupBaseDN|NASIdentifier|RequestAttributes)$`)

// TestErrorsNameNoFieldWithoutAKey: the library's errors mark the fields that they
// name, and the daemon knows the key of each.
func TestErrorsNameNoFieldWithoutAKey(t *testing.T) {
	for dir, of := range map[string]struct {
		fields reflect.Type
		words  *words
	}{
		"ldapauth":   {reflect.TypeFor[ldapauth.Authenticator](), directoryWords(loaded(t, "[ad_client]\nhost=a\nservice_account_username=a\nservice_account_password=b\nsearch_dn=dc=a\n").Clients[0])},
		"radiusauth": {reflect.TypeFor[radiusauth.Authenticator](), upstreamWords(loaded(t, "[radius_client]\nhost=192.0.2.1\nsecret=b\n").Clients[0])},
	} {
		for where, text := range literals(t, filepath.Join("..", "..", "primary", dir)) {
			for _, m := range regexp.MustCompile(`\{([A-Za-z.]+)\}`).FindAllStringSubmatch(text, -1) {
				assert.True(t, of.words.word(m[1]) != "" || notInFile.MatchString(m[1]), "%s: %s has no key", where, m[1])
			}
			for _, m := range regexp.MustCompile(`\b(?:set|check|field|raise|lower) ([A-Z]\w+)`).FindAllStringSubmatch(text, -1) {
				_, isField := of.fields.FieldByName(m[1])
				assert.False(t, isField, "%s: use primary.FieldErrorf with {%s}", where, m[1])
			}
		}
	}
}

// literals are the strings in the sources of a package, by their place.
func literals(t *testing.T, dir string) map[string]string {
	paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	found := map[string]string{}
	files := token.NewFileSet()
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		source, err := os.ReadFile(path)
		require.NoError(t, err)
		file, err := parser.ParseFile(files, path, source, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
				found[files.Position(l.Pos()).String()] = l.Value
			}
			return true
		})
	}
	return found
}
