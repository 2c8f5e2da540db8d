package main

import (
	"bytes"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
)

const importUsage = `usage: authproxy import [-to FOLDER] [-force] DIR

Takes over the configuration of another installation. DIR is its folder conf, or
the folder above it. The file authproxy.cfg goes to FOLDER (%s unless it is
given), its secrets go into files below FOLDER/secrets, and the certificates and
other files that it names go beside it. DIR stays as it is. Without -force no file
in FOLDER is overwritten, unless it is the sample of the package.
`

// The modes of an imported configuration: root writes, the service's group reads.
const (
	importFolderMode = 0o750
	importFileMode   = 0o640
)

// sample is the file that the packages install. While nobody has changed it, an
// import may take its place.
//
//go:embed packaging/authproxy.cfg
var sample []byte

// defaultImportFolder is where the service reads its file.
func defaultImportFolder() string {
	if runtime.GOOS != "windows" {
		return "/etc/authproxy"
	}
	if program, err := os.Executable(); err == nil {
		return filepath.Join(filepath.Dir(program), "conf")
	}
	return "conf"
}

// importCommand reads the command line of import. Its flags may stand after DIR.
func importCommand(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("authproxy import", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() { _, _ = fmt.Fprintf(stderr, importUsage, defaultImportFolder()) }
	to := flags.String("to", defaultImportFolder(), "")
	force := flags.Bool("force", false, "")
	err := flags.Parse(args)
	from := flags.Arg(0)
	if err == nil && flags.NArg() > 1 {
		err = flags.Parse(flags.Args()[1:])
	} else if err == nil && from != "" {
		err = flags.Parse(nil)
	}
	switch {
	case errors.Is(err, flag.ErrHelp):
		return exitOK
	case err != nil:
		return exitUsage
	case from == "" || flags.NArg() > 0:
		flags.Usage()
		return exitUsage
	}
	return importFrom(from, *to, *force, stdout)
}

// importFrom takes over a configuration, and tells what was done and what is left
// to do. It prints no secret.
func importFrom(from, to string, force bool, stdout io.Writer) int {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(stdout, format+"\n", args...) }
	migration, err := config.Migrate(findImport(from))
	if err != nil {
		say("%v", err)
		return exitFailed
	}
	if taken := occupied(to, migration.Files); len(taken) > 0 && !force {
		say("nothing was imported, as there is already\n  %s\nuse -force to overwrite, or -to for another folder", strings.Join(taken, "\n  "))
		return exitFailed
	}
	for _, file := range migration.Files {
		path := filepath.Join(to, filepath.FromSlash(file.Name))
		if kept(path, file) {
			say("kept  %s", path)
			continue
		}
		if err := install(path, []byte(file.Content)); err != nil {
			say("the import stopped: %v", err)
			return exitFailed
		}
		say("wrote %s from %s", path, file.Origin)
	}
	target := filepath.Join(to, configName)
	status := validate(target, stdout)
	if len(migration.Todo) == 0 {
		return status
	}
	say("left to do:")
	for _, todo := range migration.Todo {
		todo.File = target // each line has the number that it had
		say("  %s", todo)
	}
	return exitFailed
}

// findImport returns the file in an installation, in its folder conf, or the file
// itself.
func findImport(from string) string {
	for _, path := range []string{filepath.Join(from, configName), filepath.Join(from, "conf", configName)} {
		if _, err := os.Stat(path); err == nil {
			return path
		}
	}
	if info, err := os.Stat(from); err == nil && !info.IsDir() {
		return from
	}
	return filepath.Join(from, configName)
}

// occupied lists the files whose content an import would lose.
func occupied(to string, files []config.MovedFile) []string {
	var taken []string
	for _, file := range files {
		path := filepath.Join(to, filepath.FromSlash(file.Name))
		present, err := os.ReadFile(path)
		switch {
		case errors.Is(err, fs.ErrNotExist), kept(path, file),
			err == nil && string(present) == string(file.Content),
			err == nil && file.Name == configName && bytes.Equal(present, sample):
		default:
			taken = append(taken, path)
		}
	}
	return taken
}

// kept reports whether a file stays as it is: one that was empty until the
// operator typed a secret into it.
func kept(path string, file config.MovedFile) bool {
	_, err := os.Stat(path)
	return err == nil && file.Content == ""
}

// install writes a file, whole or not at all. Its group, and the group of folders
// that are made, is that of the folder above, so that the service can read it.
func install(path string, content []byte) error {
	folder := filepath.Dir(path)
	if err := installFolder(folder); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(folder, ".import-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temporary.Name()) }()
	_, err = temporary.Write(content)
	if err := errors.Join(err, temporary.Sync(), temporary.Close(),
		inheritGroup(temporary.Name(), folder), os.Chmod(temporary.Name(), importFileMode)); err != nil {
		return err
	}
	return os.Rename(temporary.Name(), path)
}

func installFolder(folder string) error {
	if info, err := os.Stat(folder); err == nil && info.IsDir() {
		return nil
	}
	above := filepath.Dir(folder)
	if err := installFolder(above); err != nil {
		return err
	}
	if err := os.Mkdir(folder, importFolderMode); err != nil {
		return err
	}
	return errors.Join(inheritGroup(folder, above), os.Chmod(folder, importFolderMode))
}
