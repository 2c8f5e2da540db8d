package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"

	"github.com/radmfa/radmfa/radius"
)

// The suffixes of a key that holds a secret.
const (
	fileSuffix      = "_file"
	protectedSuffix = "_protected"
)

// splitSecret takes the suffix off a key: skey_file, radius_secret_1_file,
// radius_secret_protected_1.
func splitSecret(name string) (base, suffix string) {
	for _, suffix := range []string{fileSuffix, protectedSuffix} {
		if base, found := strings.CutSuffix(name, suffix); found && !isPath(name) {
			return base, suffix
		}
	}
	base, number := splitNumber(name)
	if base, found := strings.CutSuffix(base, protectedSuffix); found && number > 0 {
		return base + "_" + strconv.Itoa(number), protectedSuffix
	}
	return name, ""
}

// isPath reports whether a key is itself one that ends in _file.
func isPath(name string) bool {
	for _, kind := range Sections {
		for _, key := range kind.Keys {
			if key.Name == name {
				return true
			}
		}
	}
	return false
}

var keyNumber = regexp.MustCompile(`^(.+)_([1-9][0-9]{0,5})$`)

// splitNumber takes the number off a key. It is zero when there is none.
func splitNumber(name string) (base string, number int) {
	m := keyNumber.FindStringSubmatch(name)
	if m == nil {
		return name, 0
	}
	number, _ = strconv.Atoi(m[2])
	return m[1], number
}

var variable = regexp.MustCompile(`^\$\{([A-Za-z_][A-Za-z0-9_]*)\}$`)

// secretValue returns a secret that stands in the file or, as ${NAME}, in the
// environment.
func secretValue(raw string) (radius.Secret, error) {
	m := variable.FindStringSubmatch(raw)
	if m == nil {
		return radius.Secret(raw), nil
	}
	if v := os.Getenv(m[1]); v != "" {
		return radius.Secret(v), nil
	}
	return "", fmt.Errorf("the environment variable %s is not set", m[1])
}

// secretFile returns a secret that stands in a file of its own. The line end of
// the last line does not belong to it.
func (l *loader) secretFile(name string) (radius.Secret, error) {
	content, err := l.read(name)
	if err != nil {
		return "", err
	}
	s := strings.TrimRight(string(content), "\r\n")
	if s == "" || strings.ContainsAny(s, "\r\n") {
		return "", fmt.Errorf("the file %q must hold the secret on one line, and nothing else", l.path(name))
	}
	return radius.Secret(s), nil
}

// unwrapPath takes the path out of an error, since the message has it already.
func unwrapPath(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
