package config

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/radmfa/radmfa/radius"
)

// File is a configuration that can be used.
type File struct {
	Path    string
	Main    *Section
	Clients []*Section
	Servers []*Section

	// Unserved are the names of sections that are known and not served here.
	Unserved []string

	// Warnings are about what is honoured, and hardly meant or not safe.
	Warnings Problems
}

// Load reads a file. Its error is a Problems with everything that is wrong; the
// File has then no more than its Warnings.
func Load(path string) (*File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return &File{}, Problems{{File: path, Text: fmt.Sprintf("the file cannot be read: %v", unwrapPath(err))}}
	}
	return read(path, data)
}

// read is Load of a file whose content is known.
func read(path string, data []byte) (*File, error) {
	l := &loader{file: &File{Path: path}, dir: filepath.Dir(path)}
	raw, problems := parse(data)
	l.problems = problems
	l.sections(raw)
	if l.file.Main == nil {
		l.file.Main = &Section{Name: Main, kind: kindOf(Main)}
	}
	if len(raw) > 0 || len(problems) == 0 {
		l.relations()
	}
	l.forgiveUnused()
	l.misplaced()
	l.advise()
	l.readable()
	l.file.Warnings.sort(path)
	if l.problems.sort(path); len(l.problems) > 0 {
		return &File{Warnings: l.file.Warnings}, l.problems
	}
	return l.file, nil
}

// forgiveUnused turns what is wrong in a client section that no server section
// uses into warnings: it never stops the daemon.
func (l *loader) forgiveUnused() {
	unused := func(p Problem) bool {
		return slices.ContainsFunc(l.file.Clients, func(c *Section) bool { return c.Name == p.Section }) &&
			!slices.ContainsFunc(l.file.Servers, func(s *Section) bool { return s.Client != nil && s.Client.Name == p.Section }) &&
			len(l.file.Servers) > 0 && !l.mayBeUsed(p.Section)
	}
	for _, p := range l.problems {
		if unused(p) {
			p.Text += " (no server section uses this section)"
			l.file.Warnings = append(l.file.Warnings, p)
		}
	}
	l.problems = slices.DeleteFunc(l.problems, unused)
}

// mayBeUsed reports whether a server section that is not clear about its client
// could mean this one.
func (l *loader) mayBeUsed(client string) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool { return p.Key == "client" && p.Section != client })
}

// loader collects a file and its problems.
type loader struct {
	file     *File
	dir      string // of the file: paths are relative to it
	problems Problems
}

func (l *loader) problem(line int, section, key, format string, args ...any) {
	l.problems = append(l.problems, Problem{Line: line, Section: section, Key: key, Text: fmt.Sprintf(format, args...)})
}

var numberSuffix = regexp.MustCompile(`\d+$`)

// sections reads each section by its kind.
func (l *loader) sections(raw []rawSection) {
	lines := map[string]int{}
	for _, r := range raw {
		if first, twice := lines[r.name]; twice {
			l.problem(r.line, r.name, "", "duplicate section (first on line %d); add a number, such as [%s2]", first, r.name)
			continue
		}
		lines[r.name] = r.line
		kind := kindOf(numberSuffix.ReplaceAllString(r.name, ""))
		if kind == nil || kind.Role == RoleMain && r.name != Main {
			l.unknownSection(r)
			continue
		}
		s := &Section{Name: r.name, Line: r.line, kind: kind, values: map[string]value{}}
		l.keys(s, r.keys)
		switch kind.Role {
		case RoleMain:
			l.file.Main = s
		case RoleClient:
			l.file.Clients = append(l.file.Clients, s)
		case RoleServer:
			l.file.Servers = append(l.file.Servers, s)
		}
	}
}

func kindOf(name string) *SectionKind {
	for i := range Sections {
		if Sections[i].Name == name {
			return &Sections[i]
		}
	}
	return nil
}

func (l *loader) unknownSection(r rawSection) {
	if why := unservedSections[numberSuffix.ReplaceAllString(r.name, "")]; why != "" {
		l.file.Unserved = append(l.file.Unserved, r.name)
		l.warning(r.line, r.name, "", "is not served here: "+why)
		return
	}
	var names []string
	for _, k := range Sections {
		names = append(names, k.Name)
	}
	hint := didYouMean(r.name, names)
	if hint == "" {
		hint = "; there are " + strings.Join(names, ", ")
	}
	l.problem(r.line, r.name, "", "unknown section%s", hint)
}

// keys reads the keys of a section, and says which are missing.
func (l *loader) keys(s *Section, raw []rawKey) {
	for _, r := range raw {
		if r.times > 1 {
			l.problem(r.line, s.Name, r.name, "is set %d times: keep one", r.times)
			continue
		}
		l.key(s, r)
	}
	for i := range s.kind.Keys {
		key := &s.kind.Keys[i]
		if s.requires(key) && len(s.numbers(key)) == 0 && !l.told(s, key) {
			name := key.Name
			if key.Numbering == Indexed {
				name += "_1"
			}
			l.problem(s.Line, s.Name, name, "%s: expected %s", missing, key.expected())
		}
	}
}

// expected says what is expected, and what it is for.
func (k *Key) expected() string {
	if strings.Contains(k.Value.Expect, k.Meaning) {
		return k.Value.Expect
	}
	return k.Value.Expect + " (" + k.Meaning + ")"
}

// told reports whether there is a problem with a key already, so that it need not
// be called missing.
func (l *loader) told(s *Section, key *Key) bool {
	return slices.ContainsFunc(l.problems, func(p Problem) bool {
		return p.Section == s.Name && p.Line != s.Line && strings.HasPrefix(p.Key, key.Name)
	})
}

// key reads one key.
func (l *loader) key(s *Section, r rawKey) {
	name, suffix := splitSecret(r.name)
	key := s.kind.find(name)
	if key == nil || suffix != "" && !key.Value.secret {
		l.unknownKey(s, r, name)
		return
	}
	name = s.canonical(key, name)
	if suffix == protectedSuffix {
		l.problem(r.line, s.Name, r.name, "Windows' encryption cannot be undone here: use %s%s=PATH with the secret in a file, or %s=${NAME} with it in an environment variable", name, fileSuffix, name)
		return
	}
	if r.value == "" {
		return // as if it were not there
	}
	v := value{line: r.line}
	if _, twice := s.values[name]; twice {
		l.problem(r.line, s.Name, r.name, "%s and %s%s are both set: keep one", name, name, fileSuffix)
		return
	}
	if problem := l.value(&v, key, suffix, r.value); problem != "" {
		l.problem(r.line, s.Name, r.name, "%s", problem)
		return
	}
	s.values[name] = v
	l.lookalike(s.Name, r)
	l.withoutEffect(s, key, r)
}

// value reads a value, or says what is wrong with it.
func (l *loader) value(v *value, key *Key, suffix, raw string) (problem string) {
	var err error
	switch {
	case suffix == fileSuffix:
		v.text, err = l.secretFile(raw)
	case key.Value.secret:
		v.text, err = secretValue(raw)
	case key.Value.file:
		v.content, err = l.read(raw)
		raw = l.path(raw)
		if err == nil && key.Value.content != nil {
			if problem := key.Value.content(raw, v.content); problem != nil {
				return fmt.Sprintf("the file %q cannot be used: %v", raw, problem)
			}
		}
		fallthrough
	default:
		v.text = radius.Secret(raw)
		if why := key.Refused[strings.ToLower(raw)]; why != "" {
			return fmt.Sprintf("%s cannot be honoured: %s", strings.ToLower(raw), why)
		}
		if err == nil && key.Value.check != nil && key.Value.check(raw) != nil {
			if key.Value.hidden {
				return fmt.Sprintf("is not %s: %v", key.Value.Expect, key.Value.check(raw))
			}
			return fmt.Sprintf("%q is not %s%s", raw, key.Value.Expect, hint(raw))
		}
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// hint is for those who write comments behind values, or values in quotes.
func hint(raw string) string {
	switch {
	case strings.ContainsAny(raw, ";#"):
		return "; put comments on a line of their own"
	case strings.ContainsAny(raw, `"'`):
		return "; write it without quotes"
	case variable.MatchString(raw):
		return "; ${NAME} is for secrets only"
	default:
		return ""
	}
}

// path makes a path relative to the file's folder.
func (l *loader) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(l.dir, name)
}

// read returns the content of a file that the configuration names.
func (l *loader) read(name string) ([]byte, error) {
	content, err := readRegular(l.path(name))
	if err != nil {
		return nil, fmt.Errorf("the file %q cannot be read: %w", l.path(name), err)
	}
	return content, nil
}

// find returns the key with a name as it stands in a file.
func (k *SectionKind) find(name string) *Key {
	base, number := splitNumber(name)
	for i := range k.Keys {
		key := &k.Keys[i]
		switch {
		case key.Name == name && key.Numbering != Indexed,
			key.Name == base && key.Numbering == Listed && number > 0,
			key.Name == base && key.Numbering == Indexed && number > 0:
			return key
		}
	}
	return nil
}

// key returns the key with a name that has no number.
func (k *SectionKind) key(name string) *Key {
	for i := range k.Keys {
		if k.Keys[i].Name == name {
			return &k.Keys[i]
		}
	}
	return nil
}

// canonical returns the name under which a value is kept: host for host_1.
func (s *Section) canonical(key *Key, name string) string {
	if _, number := splitNumber(name); key.Numbering == Listed && number == 1 {
		return key.Name
	}
	return name
}

// names lists the keys for somebody who has mistyped one.
func (k *SectionKind) names() []string {
	var names []string
	for _, key := range k.Keys {
		name := key.Name
		if key.Numbering == Indexed {
			name += "_1"
		}
		names = append(names, name)
	}
	slices.SortFunc(names, cmp.Compare)
	return names
}
