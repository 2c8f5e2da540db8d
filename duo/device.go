package duo

import "slices"

// Factor is a way to prove the second factor, as the service names it.
type Factor string

// The factors of the Auth API. The service may add more.
const (
	FactorAuto     Factor = "auto"     // push or call, as the service chooses
	FactorPush     Factor = "push"     // a push to Duo Mobile
	FactorPhone    Factor = "phone"    // a phone call
	FactorSMS      Factor = "sms"      // sends a batch of passcodes; never lets anyone in
	FactorPasscode Factor = "passcode" // a passcode from app, SMS, token or administrator
	FactorPrompt   Factor = "prompt"   // what the service's own prompt calls an option
)

// DeviceAuto is the device id that lets the service take the first device able
// to do the factor.
const DeviceAuto = "auto"

// Device is one of a user's phones or tokens in a PreauthResponse.
type Device struct {
	ID           string   `json:"device"`
	Type         string   `json:"type"`         // "phone" or "token"
	DisplayName  string   `json:"display_name"` // such as "iOS (XXX-XXX-1234)"
	Name         string   `json:"name"`         // the user's own name for it; may be empty
	Number       string   `json:"number"`       // masked, such as "XXX-XXX-1234"; may be empty
	Capabilities []Factor `json:"capabilities"` // empty for tokens: they only show passcodes
	NextSMSCode  string   `json:"sms_nextcode"` // first digit of the next SMS passcode; empty when none was sent
}

// Can reports whether the device is able to do the factor.
func (d *Device) Can(f Factor) bool { return slices.Contains(d.Capabilities, f) }
