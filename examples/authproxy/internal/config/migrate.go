package config

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/radmfa/radmfa/radius"
)

// Migration is a configuration that is to move to another folder, with its
// secrets in files of their own.
type Migration struct {
	// Files are what the configuration names, and at last the configuration itself:
	// in UTF-8, line by line as it was, without secrets.
	Files []MovedFile

	// Todo is what cannot be moved, and what must be done about it.
	Todo Problems
}

// MovedFile is a file that a Migration needs.
type MovedFile struct {
	Name    string        // slashed, relative to the folder of the configuration
	Content radius.Secret // empty: the operator has to type it
	Origin  string        // where the content is from, as "line 3" or a path
}

// secretsDir is the folder of the files with secrets.
const secretsDir = "secrets"

// Migrate reads a file that is to move to another folder. What it names is looked
// for where it says, or else beside it: a folder that was copied from another
// machine still has the paths of that machine. Its error contains no secret.
func Migrate(path string) (*Migration, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, Problems{{File: path, Text: fmt.Sprintf("the file cannot be read: %v", unwrapPath(err))}}
	}
	return migrate(path, data)
}

// migrate is Migrate of a file whose content is known.
func migrate(path string, data []byte) (*Migration, error) {
	text, problems := decode(data)
	if problems != nil {
		problems.sort(path)
		return nil, problems
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	m := &migrator{loader: loader{dir: dir}, names: map[string]string{}}
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		m.line = i + 1
		lines[i] = m.migrate(strings.TrimRight(line, "\r"))
	}
	m.problems.sort(path)
	rewritten := MovedFile{Name: FileName, Content: radius.Secret(strings.Join(lines, "\n")), Origin: path}
	return &Migration{Files: append(m.files, rewritten), Todo: m.problems}, nil
}

// migrator goes through a file line by line.
type migrator struct {
	loader

	line    int
	section string // in lower case
	files   []MovedFile
	names   map[string]string // of files, to their origins
}

// commented is a comment that may be a line that was switched off.
var commented = regexp.MustCompile(`^[;#\s]+(.*)$`)

// migrate returns what is to stand in the place of a line.
func (m *migrator) migrate(line string) string {
	trimmed := strings.TrimSpace(line)
	if h := header.FindStringSubmatch(trimmed); h != nil {
		m.section = strings.ToLower(h[1])
		return line
	}
	if c := commented.FindStringSubmatch(trimmed); c != nil {
		return m.comment(line, c[1])
	}
	p := pair.FindStringSubmatch(trimmed)
	if p == nil || p[2] == "" || hasControl(trimmed) {
		return line
	}
	name, value := strings.ToLower(p[1]), p[2]
	base, suffix := splitSecret(name)
	key := m.find(base)
	switch {
	case key != nil && key.Value.file && suffix == "":
		return m.named(line, key, name, value)
	case !holdsSecret(key, base):
		m.unwritable(name, value)
		return line
	case suffix == fileSuffix:
		return m.secretFrom(line, name, value)
	case suffix == protectedSuffix && m.kind() == nil:
		return line // nothing reads it
	case suffix == protectedSuffix:
		return m.protected(name, base)
	case variable.MatchString(value):
		m.todo(name, "needs the environment variable "+variable.FindStringSubmatch(value)[1]+" in the environment of the service")
		return line
	default:
		return base + fileSuffix + "=" + m.add(secretsDir+"/"+m.fileName(base), value+"\n", "line "+strconv.Itoa(m.line))
	}
}

// kind is that of the section, or nil where it is not served.
func (m *migrator) kind() *SectionKind { return kindOf(numberSuffix.ReplaceAllString(m.section, "")) }

// find returns the key with a name: that of the section, or of any other, since
// lines that have no effect can hold a secret too.
func (m *migrator) find(name string) *Key {
	if kind := m.kind(); kind != nil {
		if key := kind.find(name); key != nil {
			return key
		}
	}
	for i := range Sections {
		if key := Sections[i].find(name); key != nil {
			return key
		}
		if key := Sections[i].key(name); key != nil {
			return key
		}
	}
	return nil
}

// secretName is how keys of sections that are not served are called when they
// hold a secret.
var secretName = regexp.MustCompile(`skey|rikey|secret|passw|passphrase`)

func holdsSecret(key *Key, name string) bool {
	if key != nil {
		return key.Value.secret
	}
	return secretName.MatchString(name)
}

// comment takes the secret out of a line that was switched off.
func (m *migrator) comment(line, rest string) string {
	p := pair.FindStringSubmatch(rest)
	if p == nil || p[2] == "" {
		return line
	}
	base, suffix := splitSecret(strings.ToLower(p[1]))
	if suffix == fileSuffix || !holdsSecret(m.find(base), base) || variable.MatchString(p[2]) {
		return line
	}
	m.todo(p[1], "the value in this comment was left out, as it may be a secret")
	return "; " + p[1] + "="
}

// named moves a file that the configuration names, once it is known to be what
// the key expects: nothing else is copied.
func (m *migrator) named(line string, key *Key, name, value string) string {
	path := m.locate(value)
	content, err := readRegular(path)
	switch {
	case err != nil:
	case key.Value.content != nil:
		err = key.Value.content(path, content)
	case key.Value.check != nil:
		err = key.Value.check(path)
	}
	if err != nil {
		m.todo(name, fmt.Sprintf("the file %q was not copied: %v", value, err))
		return line
	}
	return name + "=" + m.add(baseName(path), string(content), path)
}

// secretFrom moves a secret that has a file already.
func (m *migrator) secretFrom(line, name, value string) string {
	path := m.locate(value)
	if _, err := readRegular(path); err != nil {
		m.todo(name, fmt.Sprintf("the file %q was not copied: %v", value, err))
		return line
	}
	secret, err := m.secretFile(path)
	if err != nil {
		m.todo(name, err.Error())
		return line
	}
	return name + "=" + m.add(secretsDir+"/"+m.fileName(strings.TrimSuffix(name, fileSuffix)), string(secret)+"\n", path)
}

// protected makes a file for a secret that has to be typed anew.
func (m *migrator) protected(name, base string) string {
	file := m.add(secretsDir+"/"+m.fileName(base), "", "line "+strconv.Itoa(m.line))
	m.todo(name, "only the Windows machine that encrypted this value can decrypt it: type the secret into the file "+file+", which is empty")
	return base + fileSuffix + "=" + file
}

// unwritable names a folder for logs that the packaged service may not write to.
func (m *migrator) unwritable(name, value string) {
	if m.section == Main && name == "log_dir" && runtime.GOOS != "windows" && !strings.HasPrefix(value+"/", "/var/log/authproxy/") {
		m.todo(name, "the packaged service may write to /var/log/authproxy only, which is its default: remove this line, or let the unit write there with ReadWritePaths=")
	}
}

func (m *migrator) todo(key, text string) { m.problem(m.line, m.section, key, "%s", text) }

// locate returns where a file is: where the configuration says, or beside it.
func (m *migrator) locate(name string) string {
	path := m.path(name)
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if beside := filepath.Join(m.dir, baseName(name)); beside != path {
		if _, err := os.Stat(beside); err == nil {
			return beside
		}
	}
	return path
}

// baseName is the last part of a path of this system or of Windows.
func baseName(path string) string { return path[strings.LastIndexAny(path, `/\`)+1:] }

// add notes a file and returns its name, which may get a number.
func (m *migrator) add(name, content, origin string) string {
	name = unsafeInName.ReplaceAllString(name, "_")
	for n := 2; ; n++ {
		folded := strings.ToLower(name) // Windows knows no case
		switch first, taken := m.names[folded]; {
		case !taken && folded != FileName:
			m.names[folded] = origin
			m.files = append(m.files, MovedFile{Name: name, Content: radius.Secret(content), Origin: origin})
			return name
		case first == origin:
			return name // one file, named twice
		}
		name = strings.TrimSuffix(name, "-"+strconv.Itoa(n-1)) + "-" + strconv.Itoa(n)
	}
}

// FileName is the name of a configuration.
const FileName = "authproxy.cfg"

// unsafeInName is what a file name must not have: its parts may come from anywhere.
var unsafeInName = regexp.MustCompile(`[^A-Za-z0-9._/-]|\.\.`)

// fileName is the name of a secret's file, such as ad_client.skey.
func (m *migrator) fileName(base string) string {
	return strings.ReplaceAll(cmp.Or(m.section, "nosection")+"."+base, "/", "_")
}

// readRegular returns the content of a file, which must not be a device or large.
func readRegular(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, unwrapPath(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > maxSize:
		return nil, fmt.Errorf("it has more than %d bytes", maxSize)
	}
	content, err := os.ReadFile(path)
	return content, unwrapPath(err)
}
