package config

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/examples/totp"
	"github.com/radmfa/radmfa/internal/names"
)

// parseKeys reads a file of keys, a line "name = key" for each account. Its errors
// contain no key.
func parseKeys(content []byte) (map[string]duo.Secret, error) {
	keys := map[string]duo.Secret{}
	number := 0
	for line := range strings.Lines(strings.TrimPrefix(string(content), "\ufeff")) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' {
			continue
		}
		name, encoded, found := strings.Cut(line, "=")
		name = names.Fold(strings.TrimSpace(name))
		if !found || name == "" {
			return nil, fmt.Errorf("line %d is not of the form name = key", number)
		}
		if _, twice := keys[name]; twice {
			return nil, fmt.Errorf("line %d has an account that has a key already", number)
		}
		key, err := totp.ParseKey(encoded)
		if err != nil {
			return nil, fmt.Errorf("line %d: %s", number, strings.TrimPrefix(err.Error(), "totp: "))
		}
		keys[name] = key
	}
	if len(keys) == 0 {
		return nil, errors.New("it contains no key")
	}
	return keys, nil
}

// private refuses a file that others on this machine may read, or change.
func private(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unwrapPath(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0 {
		return fmt.Errorf("others can read or change the keys in it; run chmod 640 %s", path)
	}
	return nil
}

// checkKeys checks a file of keys, but for its path.
func checkKeys(path string, content []byte) error {
	if err := private(path); err != nil {
		return err
	}
	_, err := parseKeys(content)
	return err
}

// KeyOf returns a function that finds the key of an account in the section's
// totp_file, in any case of letters, or "".
func (s *Section) KeyOf() func(account string) duo.Secret {
	keys, _ := parseKeys(s.values["totp_file"].content)
	return func(account string) duo.Secret { return keys[names.Fold(account)] }
}

// fallback says whether failmode and totp_file go together.
func (l *loader) fallback(s *Section) {
	switch wanted := s.Word("failmode") == "totp"; {
	case wanted && !s.Set("totp_file") && !l.told(s, s.key("totp_file")):
		l.problem(s.values["failmode"].line, s.Name, "failmode", "requires totp_file, which is not set")
	case !wanted && s.Set("totp_file"):
		l.warnKey(s, "totp_file", "has no effect without failmode=totp")
	}
}
