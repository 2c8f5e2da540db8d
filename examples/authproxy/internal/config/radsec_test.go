package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/radsectest"
)

const radsecSection = "[radius_server_challenge]\nikey=a\nskey=b\napi_host=c\n"

// files are the lines for a certificate, whose key may not be read by others.
func files(t *testing.T) string {
	f := radsectest.NewCA(t).Write("radius.example.com")
	return "radsec_ca_file=" + f.CA + "\nradsec_cert_file=" + f.Cert + "\nradsec_key_file=" + f.Key + "\n"
}

func TestRadSecSections(t *testing.T) {
	both := files(t)
	f, err := read("a.cfg", []byte("[duo_only_client]\n"+radsecSection+"radsec_port=2083\nradius_name_1=vpn1.example.com\n"+both+
		"[radius_server_auto]\nikey=a\nskey=b\napi_host=c\ninterface=192.0.2.1\nradius_ip_1=192.0.2.7\nradius_secret_1=x\nradsec_port=2084\nradius_name_3=VPN1.example.com\n"+both))
	require.NoError(t, err)
	udp, tls := f.Servers[0].Listens(f.Main)
	assert.Equal(t, []string{"", ":2083"}, []string{udp, tls})
	udp, tls = f.Servers[1].Listens(f.Main)
	assert.Equal(t, []string{"192.0.2.1:1812", "192.0.2.1:2084"}, []string{udp, tls})
	certificate, err := f.Servers[0].Certificate()
	require.NoError(t, err)
	assert.Len(t, certificate.Certificate, 1)
}

// A new certificate in the same file makes another section.
func TestRadSecFilesCount(t *testing.T) {
	ca, dir := radsectest.NewCA(t), t.TempDir()
	load := func() *Section {
		ca.WriteTo(dir, "radius.example.com")
		text := "[duo_only_client]\n" + radsecSection + "radsec_port=2083\nradius_name_1=a\nradsec_ca_file=ca.pem\nradsec_cert_file=cert.pem\nradsec_key_file=key.pem\n"
		f, err := read(filepath.Join(dir, "a.cfg"), []byte(text))
		require.NoError(t, err)
		return f.Servers[0]
	}
	assert.False(t, load().Equal(load()))
}

func TestRadSecProblems(t *testing.T) {
	good, other := files(t), files(t)
	readable := filepath.Join(t.TempDir(), "key.pem")
	require.NoError(t, os.WriteFile(readable, []byte("hunter"), 0o600))
	require.NoError(t, os.Chmod(readable, 0o644))
	nothing := filepath.Join(t.TempDir(), "nothing.pem")
	require.NoError(t, os.WriteFile(nothing, []byte("hunter"), 0o600))
	locked := filepath.Join(t.TempDir(), "locked.pem")
	require.NoError(t, os.WriteFile(locked, []byte("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n"), 0o600))
	line := func(text, key string) string {
		for l := range strings.Lines(text) {
			if strings.HasPrefix(l, key) {
				return l
			}
		}
		return ""
	}
	const name = "radius_name_1=vpn1.example.com\n"
	for want, keys := range map[string]string{
		"radsec_port: requires radsec_ca_file, which is not set":        "radsec_port=2083\n" + name,
		"radsec_port: requires radius_name_1, which is not set":         "radius_ip_1=192.0.2.1\nradius_secret_1=x\nradsec_port=2083\n" + good,
		"radius_name_1: requires radsec_port, which is not set":         name,
		"radsec_cert_file: requires radsec_port, which is not set":      "radius_ip_1=192.0.2.1\nradius_secret_1=x\n" + good,
		"radius_ip_1: requires radius_secret_1, which is not set":       "radius_ip_1=192.0.2.1\nradsec_port=2083\n" + name + good,
		"radius_ip_1: is missing":                                       "",
		"radius_name_2: vpn1.example.com belongs to radius_name_1":      "radsec_port=2083\n" + name + "radius_name_2=VPN1.example.com\n" + good,
		"radius_name_1: \"*.example.com\" is not a DNS name":            "radsec_port=2083\nradius_name_1=*.example.com\n" + good,
		"radius_name_1: \"192.0.2.1\" is not a DNS name":                "radsec_port=2083\nradius_name_1=192.0.2.1\n" + good,
		"does not go with radsec_cert_file: private key does not match": "radsec_port=2083\n" + name + line(good, "radsec_ca") + line(good, "radsec_cert") + line(other, "radsec_key"),
		"others can read or change the keys in it":                      "radsec_port=2083\n" + name + line(good, "radsec_ca") + line(good, "radsec_cert") + "radsec_key_file=" + readable + "\n",
		"it holds no private key in PEM form":                           "radsec_port=2083\n" + name + line(good, "radsec_ca") + line(good, "radsec_cert") + "radsec_key_file=" + nothing + "\n",
		"the private key has a password":                                "radsec_port=2083\n" + name + line(good, "radsec_ca") + line(good, "radsec_cert") + "radsec_key_file=" + locked + "\n",
		"it holds no certificate in PEM form":                           "radsec_port=2083\n" + name + line(good, "radsec_ca") + "radsec_cert_file=" + nothing + "\n" + line(good, "radsec_key"),
		"port 2083 is already used by [radius_server_challenge]": "radsec_port=2083\n" + name + good +
			"[radius_server_auto]\nikey=a\nskey=b\napi_host=c\nradsec_port=2083\n" + name + good,
		"transport: requires radsec_ca_file, which is not set": name + "radsec_port=2083\n" + good + "client=radius_client\n[radius_client]\nhost=a\ntransport=tls\nsecret=x\n",
		"radsec_name: requires transport=tls":                  name + "radsec_port=2083\n" + good + "client=radius_client\n[radius_client]\nhost=a\nsecret=x\nradsec_name=b\n",
		"radsec_name_2: requires host_2":                       name + "radsec_port=2083\n" + good + "client=radius_client\n[radius_client]\nhost=a\ntransport=tls\nradsec_name_2=b\n" + good,
	} {
		_, err := read("a.cfg", []byte("[duo_only_client]\n"+radsecSection+strings.TrimSpace(keys)+"\n"))
		if assert.ErrorContains(t, err, want) {
			assert.NotContains(t, err.Error(), "hunter")
		}
	}
}
