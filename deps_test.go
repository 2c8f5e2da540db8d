package radmfa_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/radmfa/radmfa"

// everywhere lists the small internal packages that every package may import.
var everywhere = []string{"internal/clean", "internal/deadline", "internal/names", "internal/signing"}

// mayImport is the import direction: for each package of ours, those of ours
// that it may import beside the ones above. Tests may import what they like, and
// a package XXXtest what XXX may, and XXX.
var mayImport = map[string][]string{
	"radius":             {},
	"primary":            {"radius"},
	"primary/ldapauth":   {"radius", "primary"},
	"primary/radiusauth": {"radius", "primary"},
	"duo":                {},
	"prompt":             {"duo"},
	"challenge":          {},
	"":                   {"radius", "primary", "duo", "prompt", "challenge"},
}

// onlyIn says where a module of others may be imported, tests aside.
var onlyIn = map[string][]string{
	"github.com/go-ldap/ldap/v3":       {"primary/ldapauth", "primary/ldapauth/ldapauthtest", "internal/"},
	"github.com/stretchr/testify":      {},
	"go.uber.org/goleak":               {},
	"github.com/duosecurity":           {},
	"github.com/prometheus":            {"examples/"},
	"github.com/redis":                 {},
	"gopkg.in/ini.v1":                  {"examples/"},
	"golang.org/x/term":                {"examples/"},
	"github.com/rogpeppe/go-internal/": {},
}

func TestImportsGoOneWay(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...").Output()
	require.NoError(t, err)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		pkg := ours(fields[0])
		for _, imported := range fields[1:] {
			checkImport(t, pkg, imported)
		}
	}
}

func checkImport(t *testing.T, pkg, imported string) {
	t.Helper()
	if imported == module || strings.HasPrefix(imported, module+"/") {
		if !allowed(pkg, ours(imported)) {
			t.Errorf("package %q must not import %q", pkg, ours(imported))
		}
		return
	}
	for path, places := range onlyIn {
		inPlace := slices.ContainsFunc(places, func(place string) bool {
			return pkg == place || strings.HasSuffix(place, "/") && strings.HasPrefix(pkg, place)
		})
		if strings.HasPrefix(imported, path) && !inPlace {
			t.Errorf("package %q must not import %q", pkg, imported)
		}
	}
}

func allowed(pkg, imported string) bool {
	switch {
	case slices.Contains(everywhere, imported),
		strings.HasPrefix(pkg, "examples/"), strings.HasPrefix(pkg, "internal/"):
		return true
	case strings.HasSuffix(pkg, "test"):
		parent := pkg[:strings.LastIndex(pkg, "/")]
		return imported == parent || slices.Contains(mayImport[parent], imported)
	default:
		return slices.Contains(mayImport[pkg], imported)
	}
}

// ours returns the path of a package within the module; the root is "".
func ours(path string) string {
	return strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
}
