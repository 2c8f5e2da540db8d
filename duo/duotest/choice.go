package duotest

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"

	"github.com/radmfa/radmfa/duo"
)

// batch is how many passcodes an SMS holds.
const batch = 10

// choice is the factor that a call of auth asks for.
type choice struct {
	factor   duo.Factor
	device   *Device // of push, phone and sms
	passcode string
}

func choose(name string, user *User, params url.Values) (choice, *failure) {
	devices := user.devices(name)
	factor := duo.Factor(params.Get("factor"))
	switch factor {
	case "":
		return choice{}, missing("factor")
	case duo.FactorPasscode:
		if params.Has("device") {
			return choice{}, invalid("device")
		}
		if !params.Has("passcode") {
			return choice{}, missing("passcode")
		}
		return choice{factor: factor, passcode: params.Get("passcode")}, nil
	case duo.FactorPrompt:
		return choosePrompt(devices, params.Get("prompt"))
	case duo.FactorPush, duo.FactorPhone, duo.FactorSMS, duo.FactorAuto:
		return chooseDevice(devices, factor, params.Get("device"))
	}
	return choice{}, invalid("factor")
}

func chooseDevice(devices []Device, factor duo.Factor, id string) (choice, *failure) {
	if id == "" {
		return choice{}, missing("device")
	}
	if id != duo.DeviceAuto {
		devices = slices.DeleteFunc(slices.Clone(devices), func(d Device) bool { return d.ID != id })
	}
	factors := []duo.Factor{factor}
	if factor == duo.FactorAuto {
		factors = []duo.Factor{duo.FactorPush, duo.FactorPhone}
	}
	for _, f := range factors {
		if fit := able(devices, f); len(fit) > 0 {
			return choice{factor: f, device: &fit[0]}, nil
		}
	}
	return choice{}, invalid("device")
}

var promptName = regexp.MustCompile(`^(verified_push|push|phone|sms)([0-9]{1,3})$`)

// choosePrompt reads what the factor map of a text prompt calls an option. What
// is none is a passcode.
func choosePrompt(devices []Device, value string) (choice, *failure) {
	m := promptName.FindStringSubmatch(value)
	if m == nil {
		return choice{factor: duo.FactorPasscode, passcode: value}, nil
	}
	factor := duo.Factor(m[1])
	if factor == "verified_push" {
		factor = duo.FactorPush
	}
	fit := able(devices, factor)
	n, _ := strconv.Atoi(m[2]) // three digits at most
	if n < 1 || n > len(fit) {
		return choice{}, invalid("prompt")
	}
	return choice{factor: factor, device: &fit[n-1]}, nil
}

// able are the devices that are able to do a factor.
func able(devices []Device, f duo.Factor) []Device {
	return slices.DeleteFunc(slices.Clone(devices), func(d Device) bool {
		return !slices.Contains(d.Capabilities, f)
	})
}

// try is what comes of a passcode. The caller holds s.mu.
func (s *Service) try(name string, user *User, passcode string) duo.Status {
	state := s.of(name)
	if i := slices.Index(state.sms, passcode); i >= 0 {
		state.sms = slices.Delete(state.sms, i, i+1)
		return duo.StatusAllow
	}
	if passcode != "" && slices.Contains(user.Passcodes, passcode) {
		return duo.StatusAllow
	}
	return duo.StatusDeny
}

// SMS returns the passcodes that were sent to a user last and are still good.
func (s *Service) SMS(username string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.of(username).sms)
}

// sendSMS makes a new batch of passcodes, which ends the one before. The first
// digits go from 1 to 9 and 0.
func (u *userState) sendSMS() {
	u.sms = nil
	for i := range batch {
		u.sms = append(u.sms, fmt.Sprintf("%d%06d", (i+1)%10, 104729*(u.batches*batch+i+1)%1000000))
	}
	u.batches++
}

// nextSMS is the hint for the user which passcode is the next one.
func (u *userState) nextSMS() string {
	if len(u.sms) == 0 {
		return ""
	}
	return u.sms[0][:1]
}
