package duotest

import (
	"fmt"
	"strings"

	"github.com/radmfa/radmfa/duo"
)

// User is somebody that the service knows. The zero value has to use a second
// factor and has one smartphone whose owner approves everything.
type User struct {
	// ID is the user_id. Empty: one made from the name.
	ID string

	// Preauth is what preauth says: duo.PreauthAllow is a user with bypass,
	// duo.PreauthDeny one that is locked out. Empty: duo.PreauthAuth.
	Preauth duo.PreauthResult

	// Message is the status_msg that goes with Preauth. Empty: a usual one.
	Message string

	// Devices are the user's phones and tokens. Nil: one smartphone. Not nil but
	// empty: none.
	Devices []Device

	// Passcodes are accepted any number of times, like those that a token shows
	// or an administrator gave out. Those of SMS come on top, and are accepted
	// once.
	Passcodes []string

	// Verified says whether pushes ask for a code, and when the client learns it.
	Verified Verified

	// Remember makes the service give out a trusted_device_token with each
	// success, with which later logins need no second factor.
	Remember bool
}

// Verified is how pushes to a user are verified.
type Verified int

// The ways to verify a push.
const (
	NotVerified   Verified = iota // the user only approves
	CodeInPreauth                 // the code comes with preauth, if the client says it supports that
	CodeInStatus                  // the code comes with auth_status
)

// Kind is the kind of a device.
type Kind int

// The kinds of devices.
const (
	Smartphone Kind = iota // push, call, SMS, and passcodes of its app
	Landline               // calls only
	Token                  // shows passcodes
)

// Device is a phone or a token. The zero value is a smartphone whose owner
// approves everything.
type Device struct {
	Kind Kind

	// ID, Number, DisplayName and Name are what preauth says. Empty ID, Number
	// and DisplayName are made up: the first phone's number is "XXX-XXX-1234",
	// the second's "XXX-XXX-1235".
	ID          string
	Number      string
	DisplayName string
	Name        string

	// Capabilities are what the device is able to do. Nil: what its Kind is.
	Capabilities []duo.Factor

	// Answer decides pushes and calls. Nil: Approve.
	Answer Answer
}

// can is what a device is able to do.
func (d *Device) can() []duo.Factor {
	switch {
	case d.Capabilities != nil:
		return d.Capabilities
	case d.Kind == Smartphone:
		return []duo.Factor{duo.FactorAuto, duo.FactorPush, duo.FactorSMS, duo.FactorPhone, "mobile_otp"}
	case d.Kind == Landline:
		return []duo.Factor{duo.FactorAuto, duo.FactorPhone}
	}
	return []duo.Factor{}
}

// devices are a user's devices with nothing left to make up.
func (u *User) devices(name string) []Device {
	from := u.Devices
	if from == nil {
		from = []Device{{}}
	}
	devices := make([]Device, len(from))
	for i, d := range from {
		if d.ID == "" {
			d.ID = fmt.Sprintf("DP%s%d", strings.ToUpper(name), i+1)
		}
		if d.Number == "" && d.Kind != Token {
			d.Number = fmt.Sprintf("XXX-XXX-%04d", 1234+i)
		}
		if d.DisplayName == "" {
			d.DisplayName = displayName(&d)
		}
		if d.Answer == nil {
			d.Answer = Approve
		}
		d.Capabilities = d.can()
		devices[i] = d
	}
	return devices
}

func displayName(d *Device) string {
	switch d.Kind {
	case Landline:
		return "Landline (" + d.Number + ")"
	case Token:
		return "Token (" + d.ID + ")"
	}
	return "iOS (" + d.Number + ")"
}

func (u *User) id(name string) string {
	if u.ID != "" {
		return u.ID
	}
	return "DU" + strings.ToUpper(name)
}

func (u *User) preauth() duo.PreauthResult {
	if u.Preauth == "" {
		return duo.PreauthAuth
	}
	return u.Preauth
}

// find is the user that a call is about.
func (s *Service) find(c *Call) (string, *User, *failure) {
	name, id := c.Params.Get("username"), c.Params.Get("user_id")
	switch {
	case name == "" && id == "":
		return "", nil, missing("username")
	case name != "" && id != "":
		return "", nil, invalid("user_id")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if u := s.Users[name]; u != nil {
		return name, u, nil
	}
	for n, u := range s.Users {
		if id != "" && u.id(n) == id {
			return n, u, nil
		}
	}
	switch {
	case id != "":
		return "", nil, invalid("user_id")
	case s.Unknown != nil:
		return name, s.Unknown, nil
	}
	return name, &User{Preauth: duo.PreauthEnroll}, nil
}

// userState is what the service remembers of a user.
type userState struct {
	sms       []string // passcodes that were sent and not used
	batches   int      // of passcodes
	codeAsked bool     // the client of the last preauth supports verified pushes
	tokens    map[string]bool
}

// of returns the state of a user. The caller holds s.mu.
func (s *Service) of(name string) *userState {
	if s.state == nil {
		s.state = make(map[string]*userState)
	}
	if s.state[name] == nil {
		s.state[name] = &userState{tokens: make(map[string]bool)}
	}
	return s.state[name]
}
