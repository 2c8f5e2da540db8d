package duo_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

const hidden = "xyzzy5461"

func TestSecretsAreNotPrinted(t *testing.T) {
	svc := &duotest.Service{SecretKey: hidden}
	used := svc.Client()
	_, err := used.Check(t.Context())
	assert.NoError(t, err)

	for _, v := range []any{
		&duo.Client{SecretKey: hidden},
		used,
		svc,
		duo.PreauthRequest{TrustedDeviceToken: hidden},
		duo.AuthRequest{Passcode: hidden, Prompt: hidden},
		duo.AuthResponse{TrustedDeviceToken: hidden},
		duo.AuthStatusResponse{AuthResponse: duo.AuthResponse{TrustedDeviceToken: hidden}},
		duo.EnrollResponse{ActivationCode: hidden, ActivationBarcode: hidden},
		[]duo.Secret{hidden},
		map[string]duo.Secret{"key": hidden},
	} {
		var out bytes.Buffer
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		_ = json.NewEncoder(&out).Encode(v) // fails for types with functions
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "v", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("JSON", "v", v)
		assert.NotContains(t, out.String(), hidden, "%T", v)
		assert.NotContains(t, out.String(), fmt.Sprintf("%x", hidden), "%T", v)
	}
}

func TestSecretsAreInNoError(t *testing.T) {
	for name, tt := range faults {
		synctest.Test(t, func(t *testing.T) {
			svc := &duotest.Service{SecretKey: hidden}
			client := svc.Client()
			tt.fault.Times = -1
			svc.Break("", tt.fault)
			_, err := client.Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe", TrustedDeviceToken: hidden})
			errs := []error{err}
			_, err = client.EnrollStatus(t.Context(), "DU", hidden)
			errs = append(errs, err)
			for _, r := range []*duo.AuthRequest{
				{Username: "jdoe", Factor: duo.FactorPasscode, Passcode: hidden},
				{Username: "jdoe", Factor: duo.FactorPrompt, Prompt: hidden},
			} {
				_, err = client.AuthAsync(t.Context(), r)
				errs = append(errs, err)
			}
			for _, err := range errs {
				require.Error(t, err, name)
				assert.NotContains(t, fmt.Sprintf("%v %+v %#v %q", err, err, err, err), hidden)
			}
		})
	}
}
