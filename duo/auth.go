package duo

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
)

// AuthRequest asks for a second factor. Factor and either Username or UserID are
// required.
type AuthRequest struct {
	Username string
	UserID   string
	Factor   Factor

	// Device is the id of the device to push to, call or text. Empty: DeviceAuto.
	// It is not used with FactorPasscode and FactorPrompt.
	Device string

	// Passcode is what the user typed, with FactorPasscode.
	Passcode Secret

	// Prompt is what Prompt.Factors has for the option that the user typed, or
	// what the user typed, with FactorPrompt. It may be a passcode.
	Prompt Secret

	// TxID is that of the PreauthResponse whose VerificationCode the user was
	// shown. Empty: not a verified push, or one whose code comes later.
	TxID string

	// IPAddr and Hostname are the same as in a PreauthRequest.
	IPAddr   netip.Addr
	Hostname string

	// Type is the word before "request" in a push. Empty: the service's "Login".
	Type string

	// DisplayUsername is the name that a push shows. Empty: the service's.
	DisplayUsername string

	// PushInfo is shown with a push, by name. It must be under 20,000 bytes when
	// encoded. Empty: not sent.
	PushInfo url.Values
}

// Result is how far a transaction is.
type Result string

// The results of a transaction. A caller takes others as ResultDeny.
const (
	ResultAllow   Result = "allow"
	ResultDeny    Result = "deny"
	ResultWaiting Result = "waiting" // of AuthStatus only
)

// Status says more than a Result. Callers must not depend on it: the service
// may add more, and leaves some out.
type Status string

// The statuses of the Auth API.
const (
	StatusCalling    Status = "calling"     // waiting: the phone rings
	StatusAnswered   Status = "answered"    // waiting: somebody took the call
	StatusPushed     Status = "pushed"      // waiting: the push is out
	StatusPushFailed Status = "push_failed" // waiting: the push did not reach the phone
	StatusAllow      Status = "allow"       // allow
	StatusBypass     Status = "bypass"      // allow: no second factor was needed
	StatusDeny       Status = "deny"        // deny: refused, or a wrong passcode
	StatusFraud      Status = "fraud"       // deny: the user says it was somebody else
	StatusTimeout    Status = "timeout"     // deny: nobody answered, for 60 s
	StatusLockedOut  Status = "locked_out"  // deny: too many failures before
	StatusSent       Status = "sent"        // deny: passcodes are on their way
)

// AuthResponse is the end of a transaction.
type AuthResponse struct {
	Result        Result
	Status        Status
	StatusMessage string // for the user; may have several lines

	// TrustedDeviceToken is for PreauthRequest.TrustedDeviceToken of later logins
	// from this device, where the service remembers devices; else empty.
	TrustedDeviceToken Secret
}

// Allowed reports whether the user is let in.
func (r *AuthResponse) Allowed() bool { return r.Result == ResultAllow }

// Auth uses a second factor and waits for its result: a minute for a push that
// nobody answers, and without end when the service hangs and ctx has no deadline.
// FactorSMS has the result ResultDeny with StatusSent. A request that the service
// may have received is never repeated, since each is a push or a call.
func (c *Client) Auth(ctx context.Context, r *AuthRequest) (*AuthResponse, error) {
	params, err := r.params()
	if err != nil {
		return nil, err
	}
	response, _, err := c.do(ctx, &call{
		name: "auth", method: http.MethodPost, params: params, waits: true, once: true,
	})
	if err != nil {
		return nil, err
	}
	status, err := decodeStatus("auth", response)
	if err != nil {
		return nil, err
	}
	return &status.AuthResponse, nil
}

// AuthAsync begins to use a second factor and returns the id of the transaction,
// for Wait or AuthStatus. It waits for no person.
func (c *Client) AuthAsync(ctx context.Context, r *AuthRequest) (txid string, err error) {
	params, err := r.params()
	if err != nil {
		return "", err
	}
	setFlag(params, "async", true)
	response, _, err := c.do(ctx, &call{
		name: "auth", method: http.MethodPost, params: params, once: true,
	})
	if err != nil {
		return "", err
	}
	var begun struct {
		TxID line `json:"txid"`
	}
	if err := decode("auth", response, &begun); err != nil {
		return "", err
	}
	if begun.TxID == "" {
		return "", unintelligible("auth", "the response has no transaction id")
	}
	return string(begun.TxID), nil
}

func (r *AuthRequest) params() (url.Values, error) {
	params, err := userParams(r.Username, r.UserID, r.IPAddr, r.Hostname)
	if err != nil {
		return nil, err
	}
	if r.Factor == "" {
		return nil, errors.New("duo: AuthRequest.Factor is missing")
	}
	params.Set("factor", string(r.Factor))
	set(params, "txid", r.TxID)
	switch r.Factor {
	case FactorPasscode:
		params.Set("passcode", string(r.Passcode))
		return params, nil
	case FactorPrompt:
		params.Set("prompt", string(r.Prompt))
	default:
		params.Set("device", cmp.Or(r.Device, DeviceAuto))
	}
	set(params, "type", r.Type)
	set(params, "display_username", r.DisplayUsername)
	set(params, "pushinfo", r.PushInfo.Encode())
	return params, nil
}
