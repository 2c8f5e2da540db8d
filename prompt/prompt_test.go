package prompt_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

func TestNewGroupsOptionsByFactor(t *testing.T) {
	texted := phone
	texted.NextSMSCode = "2"

	got := prompt.New("jdoe", []duo.Device{token, landline, texted, tablet})

	assert.Equal(t, &prompt.Menu{Username: "jdoe", Choices: []prompt.Choice{
		{Factor: duo.FactorPush, Device: "DP1", Label: "XXX-XXX-1234"},
		{Factor: duo.FactorPush, Device: "DP2", Label: "Tablet"},
		{Factor: duo.FactorPhone, Device: "DP3", Label: "XXX-XXX-9999"},
		{Factor: duo.FactorPhone, Device: "DP1", Label: "XXX-XXX-1234"},
		{Factor: duo.FactorSMS, Device: "DP1", Label: "XXX-XXX-1234", NextCode: "2"},
	}}, got)
}

func TestNewLabelsADeviceWithWhatThereIs(t *testing.T) {
	push := []duo.Factor{duo.FactorPush}
	for _, test := range []struct {
		device duo.Device
		want   string
	}{
		{duo.Device{Number: "XXX-XXX-1234", DisplayName: "iOS", Name: "Mine", Capabilities: push}, "XXX-XXX-1234"},
		{duo.Device{DisplayName: "iOS", Name: "Mine", Capabilities: push}, "iOS"},
		{duo.Device{Name: "Mine", Capabilities: push}, "Mine"},
		{duo.Device{Capabilities: push}, "your device"},
	} {
		assert.Equal(t, test.want, prompt.New("", []duo.Device{test.device}).Choices[0].Label)
	}
}

func TestNewWithoutDevicesHasNoOption(t *testing.T) {
	assert.Empty(t, prompt.New("jdoe", nil).Choices)
	assert.Empty(t, prompt.New("jdoe", []duo.Device{token}).Choices)
}

func TestAMenuKeepsItsMeaningInJSON(t *testing.T) {
	texted := phone
	texted.NextSMSCode = "2"
	own := prompt.New("j\xffdoe", []duo.Device{texted, tablet})
	own.Notice, own.VerificationCode = "That is no option: try again.", "376"
	for name, m := range map[string]*prompt.Menu{
		"own": own, "service": service(), "empty": {}, "token": prompt.New("jdoe", []duo.Device{token}),
	} {
		t.Run(name, func(t *testing.T) {
			encoded, err := json.Marshal(m)
			require.NoError(t, err)
			got := new(prompt.Menu)
			require.NoError(t, json.Unmarshal(encoded, got))

			for _, r := range []prompt.Renderer{prompt.Console{}, prompt.HTML{Split: true}, prompt.Short{}} {
				assert.Equal(t, r.Render(m), r.Render(got))
			}
			for _, answer := range []string{"1", "2", "push2", "sms", "phone", "123456", "what"} {
				want, wantErr := m.Parse(answer)
				selection, err := got.Parse(answer)
				assert.Equal(t, want, selection)
				assert.Equal(t, wantErr, err)
			}
		})
	}
}
