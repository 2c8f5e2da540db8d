package duo

import (
	"encoding/json"
	"slices"
)

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

// UnmarshalJSON implements json.Unmarshaler.
func (d *Device) UnmarshalJSON(b []byte) error {
	var w struct {
		ID           line   `json:"device"`
		Type         line   `json:"type"`
		DisplayName  line   `json:"display_name"`
		Name         line   `json:"name"`
		Number       line   `json:"number"`
		Capabilities []line `json:"capabilities"`
		NextSMSCode  line   `json:"sms_nextcode"`
	}
	if err := json.Unmarshal(b, &w); err != nil {
		return err
	}
	*d = Device{
		ID:          string(w.ID),
		Type:        string(w.Type),
		DisplayName: string(w.DisplayName),
		Name:        string(w.Name),
		Number:      string(w.Number),
		NextSMSCode: string(w.NextSMSCode),
	}
	for _, f := range w.Capabilities {
		d.Capabilities = append(d.Capabilities, Factor(f))
	}
	return nil
}

// withID leaves out devices that cannot be named in a request.
func withID(devices []Device) []Device {
	return slices.DeleteFunc(devices, func(d Device) bool { return d.ID == "" })
}
