package prompt_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var all = []duo.Factor{duo.FactorAuto, duo.FactorPush, duo.FactorSMS, duo.FactorPhone, "mobile_otp"}

// phone, tablet, landline and token are a user's devices as preauth lists them.
var (
	phone    = duo.Device{ID: "DP1", Type: "phone", DisplayName: "iOS (XXX-XXX-1234)", Number: "XXX-XXX-1234", Capabilities: all}
	tablet   = duo.Device{ID: "DP2", Type: "phone", DisplayName: "Tablet", Capabilities: []duo.Factor{duo.FactorAuto, duo.FactorPush}}
	landline = duo.Device{ID: "DP3", Type: "phone", DisplayName: "Landline (XXX-XXX-9999)", Number: "XXX-XXX-9999",
		Capabilities: []duo.Factor{duo.FactorPhone}}
	token = duo.Device{ID: "DH1", Type: "token", DisplayName: "Token 0815"}
)

// service is a menu that the service made.
func service() *prompt.Menu {
	return &prompt.Menu{
		Username: "jdoe",
		Text: "Duo login for jdoe\n\nChoose or enter a passcode:\n\n" +
			" 1. Duo Push to XXX-XXX-1234\n 2. Call XXX-XXX-1234\n 3. SMS to XXX-XXX-1234\n\nPasscode or option (1-3): ",
		Factors: map[string]string{
			"1": "verified_push1", "2": "voice1", "3": "smsrefresh1", "default": "verified_push1",
		},
	}
}
