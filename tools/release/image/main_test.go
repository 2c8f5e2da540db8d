package main

import (
	"archive/tar"
	"bytes"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/validate"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// built makes an image with a text as its program and returns the tarball.
func built(t *testing.T) []byte {
	t.Helper()
	dir := t.TempDir()
	program, license, out := filepath.Join(dir, "authproxy-linux-amd64"), filepath.Join(dir, "LICENSE"), filepath.Join(dir, "image.tar")
	require.NoError(t, os.WriteFile(program, []byte("the program"), 0o600))
	require.NoError(t, os.WriteFile(license, []byte("the licence"), 0o600))
	require.NoError(t, run("amd64", "v1.2.3", out, []string{program, license}))
	content, err := os.ReadFile(out)
	require.NoError(t, err)
	return content
}

// unpacked are the files of a tarball, and their headers.
func unpacked(t *testing.T, r io.Reader) (map[string][]byte, map[string]*tar.Header) {
	t.Helper()
	files, headers := map[string][]byte{}, map[string]*tar.Header{}
	for packed := tar.NewReader(r); ; {
		header, err := packed.Next()
		if errors.Is(err, io.EOF) {
			return files, headers
		}
		require.NoError(t, err)
		content, err := io.ReadAll(packed)
		require.NoError(t, err)
		files[header.Name], headers[header.Name] = content, header
	}
}

func TestTwoBuildsAreEqual(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	assert.True(t, bytes.Equal(built(t), built(t)))
}

func TestTheImageRunsUnprivileged(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	outer, _ := unpacked(t, bytes.NewReader(built(t)))
	dir := t.TempDir()
	for name, content := range outer {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
		if name[len(name)-1] != '/' {
			require.NoError(t, os.WriteFile(path, content, 0o600))
		}
	}
	index, err := layout.ImageIndexFromPath(dir)
	require.NoError(t, err)
	require.NoError(t, validate.Index(index))
	manifest, err := index.IndexManifest()
	require.NoError(t, err)
	require.Len(t, manifest.Manifests, 1)
	image, err := index.Image(manifest.Manifests[0].Digest)
	require.NoError(t, err)
	config, err := image.ConfigFile()
	require.NoError(t, err)
	assert.Equal(t, "linux/amd64", config.OS+"/"+config.Architecture)
	assert.Equal(t, "65532:65532", config.Config.User)
	assert.Equal(t, []string{"/usr/bin/authproxy"}, config.Config.Entrypoint)
	assert.Equal(t, int64(1700000000), config.Created.Unix())

	files, headers := unpacked(t, mutate.Extract(image))
	assert.Equal(t, "the program", string(files["usr/bin/authproxy"]))
	assert.Equal(t, "the licence", string(files["usr/share/doc/authproxy/LICENSE"]))
	assert.Equal(t, int64(0o755), headers["usr/bin/authproxy"].Mode)
	assert.Contains(t, string(files["etc/passwd"]), "authproxy:x:65532:65532:")
	pool := x509.NewCertPool()
	assert.True(t, pool.AppendCertsFromPEM(files["etc/ssl/certs/ca-certificates.crt"]))
	for name, header := range headers {
		assert.Equal(t, int64(1700000000), header.ModTime.Unix(), name)
		assert.Zero(t, header.Mode&0o022, "others may not write %s", name)
	}

	var docker []struct{ Config string }
	require.NoError(t, json.Unmarshal(outer["manifest.json"], &docker))
	assert.Contains(t, outer, docker[0].Config)
}

func TestATimeIsRequired(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "")
	require.ErrorContains(t, run("amd64", "v1", filepath.Join(t.TempDir(), "o"), []string{"main.go"}), "SOURCE_DATE_EPOCH")
}
