// Image writes the daemon's container image as a tarball, without a container
// engine: the program, certificate authorities and an unprivileged user, on an
// empty base. The same arguments give the same bytes.
//
//	SOURCE_DATE_EPOCH=1700000000 image -arch amd64 -version v1.2.3 -o image.tar authproxy LICENSE NOTICES
//
// The tarball is an OCI layout, as podman and skopeo read it, and has the
// manifest.json that docker load wants.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// user is who the daemon runs as: the number that images without a base use.
const user = 65532

func main() {
	arch := flag.String("arch", "", "architecture of the program: amd64 or arm64")
	version := flag.String("version", "", "version of the program")
	out := flag.String("o", "", "tarball to write")
	flag.Parse()
	if *arch == "" || *version == "" || *out == "" || flag.NArg() == 0 {
		_, _ = fmt.Fprintln(os.Stderr, "usage: image -arch ARCH -version VERSION -o TARBALL PROGRAM [DOCUMENT...]")
		os.Exit(2)
	}
	if err := run(*arch, *version, *out, flag.Args()); err != nil {
		_, _ = fmt.Fprintln(os.Stderr, "image:", err)
		os.Exit(1)
	}
}

func run(arch, version, out string, files []string) error {
	seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64)
	if err != nil {
		return errors.New("set SOURCE_DATE_EPOCH to the time of the source, in seconds since 1970")
	}
	created := time.Unix(seconds, 0).UTC()
	entries, err := contents(files)
	if err != nil {
		return err
	}
	image, err := build(entries, arch, version, created)
	if err != nil {
		return err
	}
	return write(image, "authproxy:"+version, out, created)
}

// contents are the files of the image.
func contents(files []string) ([]entry, error) {
	authorities, err := authorities()
	if err != nil {
		return nil, err
	}
	program, err := os.ReadFile(files[0])
	if err != nil {
		return nil, err
	}
	entries := []entry{
		{name: "etc/", mode: 0o755},
		{name: "etc/authproxy/", mode: 0o750, gid: user}, // where authproxy.cfg is mounted
		{name: "etc/group", mode: 0o644, content: fmt.Appendf(nil, "root:x:0:\nauthproxy:x:%d:\n", user)},
		{name: "etc/passwd", mode: 0o644, content: fmt.Appendf(nil, "root:x:0:0:root:/:/sbin/nologin\nauthproxy:x:%d:%[1]d:authproxy:/:/sbin/nologin\n", user)},
		{name: "etc/ssl/", mode: 0o755},
		{name: "etc/ssl/certs/", mode: 0o755},
		{name: "etc/ssl/certs/ca-certificates.crt", mode: 0o644, content: authorities},
		{name: "usr/", mode: 0o755},
		{name: "usr/bin/", mode: 0o755},
		{name: "usr/bin/authproxy", mode: 0o755, content: program},
		{name: "usr/share/", mode: 0o755},
		{name: "usr/share/doc/", mode: 0o755},
		{name: "usr/share/doc/authproxy/", mode: 0o755},
		{name: "var/", mode: 0o755},
		{name: "var/log/", mode: 0o755},
		{name: "var/log/authproxy/", mode: 0o750, uid: user, gid: user},
	}
	for _, path := range files[1:] {
		content, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry{name: "usr/share/doc/authproxy/" + filepath.Base(path), mode: 0o644, content: content})
	}
	return entries, nil
}

// build puts the files on an empty base and says how to run them.
func build(entries []entry, arch, version string, created time.Time) (v1.Image, error) {
	layer, err := layerOf(entries, created)
	if err != nil {
		return nil, err
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	image, err = mutate.Append(image, mutate.Addendum{Layer: layer, History: v1.History{
		Created: v1.Time{Time: created}, CreatedBy: "authproxy " + version,
	}})
	if err != nil {
		return nil, err
	}
	file, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	file = file.DeepCopy()
	file.OS, file.Architecture, file.Created = "linux", arch, v1.Time{Time: created}
	file.Config = v1.Config{
		User:         fmt.Sprintf("%d:%[1]d", user),
		Entrypoint:   []string{"/usr/bin/authproxy"},
		WorkingDir:   "/etc/authproxy",
		Env:          []string{"PATH=/usr/bin", "LOGS_DIRECTORY=/var/log/authproxy"},
		ExposedPorts: map[string]struct{}{"1812/udp": {}},
		Labels: map[string]string{
			"org.opencontainers.image.title":    "authproxy",
			"org.opencontainers.image.version":  version,
			"org.opencontainers.image.created":  created.Format(time.RFC3339),
			"org.opencontainers.image.licenses": "Apache-2.0",
			"org.opencontainers.image.source":   "https://github.com/radmfa/radmfa",
		},
	}
	return mutate.ConfigFile(image, file)
}
