package prompt_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

func TestNewGroupsOptionsByFactor(t *testing.T) {
	texted := phone
	texted.NextSMSCode = "2"

	got := prompt.New("jdoe", []duo.Device{token, landline, texted, tablet})

	assert.Equal(t, &prompt.Menu{Product: "Duo", Username: "jdoe", Choices: []prompt.Choice{
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

func TestNewBoundsAMenu(t *testing.T) {
	long := phone
	long.Number = strings.Repeat("é", 400)
	m := prompt.New("jdoe", slices.Repeat([]duo.Device{long}, 400))
	assert.Len(t, m.Choices, 99)
	assert.True(t, utf8.ValidString(m.Choices[0].Label))
	assert.LessOrEqual(t, len(m.Choices[0].Label), 200)
}
