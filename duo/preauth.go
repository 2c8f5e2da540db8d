package duo

import (
	"context"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/radmfa/radmfa/internal/clean"
)

// codeLifetime is how long a verification code is good for where the service
// does not say.
const codeLifetime = 60 * time.Second

// PreauthRequest asks what a user may do. Username or UserID is required, and
// only one of them.
type PreauthRequest struct {
	Username string
	UserID   string

	// IPAddr is the address of the user's device. Rules of the service about
	// networks and places have no effect without it. Zero: not sent.
	IPAddr netip.Addr

	// Hostname is the name of the device that the user logs in from. Empty: not
	// sent.
	Hostname string

	// TrustedDeviceToken is the one of an earlier AuthResponse. Empty: not sent.
	TrustedDeviceToken Secret

	// VerifiedPush says that the caller can show a verification code. Where the
	// service demands verified pushes, the answer then holds one.
	VerifiedPush bool

	// TextPrompt asks for a Prompt. Not every kind of application gets one.
	TextPrompt bool
}

// PreauthResult is what the service decides before a second factor is used.
type PreauthResult string

// The results of Preauth. A caller takes others as PreauthDeny.
const (
	PreauthAuth   PreauthResult = "auth"   // a second factor is to be used
	PreauthAllow  PreauthResult = "allow"  // none is needed
	PreauthDeny   PreauthResult = "deny"   // the user may not log in
	PreauthEnroll PreauthResult = "enroll" // the user has to enroll a device first
)

// PreauthResponse says how a login goes on.
type PreauthResponse struct {
	Result        PreauthResult
	StatusMessage string // for the user; may have several lines

	// EnrollPortalURL is where the user enrolls, with PreauthEnroll.
	EnrollPortalURL string

	// Devices are the user's, with PreauthAuth. Those without an id are left out.
	Devices []Device

	// TxID and VerificationCode are not empty when pushes are verified: the user
	// is to be shown the code, then a push with this TxID asks for it.
	TxID             string
	VerificationCode string

	// Expiration is when TxID and VerificationCode end, by this machine's clock.
	// It is zero when there are none.
	Expiration time.Time

	// Prompt is nil, or the service's own text for the user.
	Prompt *Prompt
}

// Prompt is a menu that the service has made.
type Prompt struct {
	// Text is to be shown as it is. It may have several lines.
	Text string

	// Factors says what AuthRequest.Prompt is for an option that the user typed,
	// such as "push1" for "1". What is not in it is sent as it was typed. The
	// option "default" is for users who typed nothing.
	Factors map[string]string
}

// Preauth asks whether a user has to use a second factor, and with which
// devices. During an outage it fails at once, see Client.OnOutage.
func (c *Client) Preauth(ctx context.Context, r *PreauthRequest) (*PreauthResponse, error) {
	params, err := userParams(r.Username, r.UserID, r.IPAddr, r.Hostname)
	if err != nil {
		return nil, err
	}
	set(params, "trusted_device_token", string(r.TrustedDeviceToken))
	setFlag(params, "client_supports_verified_push", r.VerifiedPush)
	setFlag(params, "text_prompt", r.TextPrompt)

	if ctx.Err() != nil { // which says nothing of the service
		return nil, &Error{Call: "preauth", Err: &waitedError{ctx.Err()}}
	}
	var resp *PreauthResponse
	err = c.guarded(ctx, func() error {
		resp, err = c.preauth(ctx, params)
		return err
	})
	return resp, err
}

func (c *Client) preauth(ctx context.Context, params url.Values) (*PreauthResponse, error) {
	response, a, err := c.do(ctx, &call{name: "preauth", method: http.MethodPost, params: params})
	if err != nil {
		return nil, err
	}
	var r struct {
		Result  line     `json:"result"`
		Message text     `json:"status_msg"`
		Portal  line     `json:"enroll_portal_url"`
		Devices []Device `json:"devices"`
		TxID    line     `json:"txid"`
		Code    line     `json:"verification_code"`
		Expires number   `json:"expiration"`
		Prompt  *struct {
			Text    text            `json:"text"`
			Factors map[string]line `json:"factors"`
		} `json:"prompt"`
	}
	if err := decode("preauth", response, &r); err != nil {
		return nil, err
	}
	if r.Result == "" {
		return nil, unintelligible("preauth", "the response has no result")
	}
	p := &PreauthResponse{
		Result:           PreauthResult(r.Result),
		StatusMessage:    string(r.Message),
		EnrollPortalURL:  string(r.Portal),
		Devices:          withID(r.Devices),
		TxID:             string(r.TxID),
		VerificationCode: string(r.Code),
	}
	if p.TxID != "" || p.VerificationCode != "" {
		p.Expiration = a.until(r.Expires)
		if p.Expiration.IsZero() {
			p.Expiration = time.Now().Add(codeLifetime)
		}
	}
	if r.Prompt != nil && r.Prompt.Text != "" {
		p.Prompt = &Prompt{Text: string(r.Prompt.Text), Factors: make(map[string]string)}
		for option, factor := range r.Prompt.Factors {
			p.Prompt.Factors[cut(clean.Line(option))] = string(factor)
		}
	}
	return p, nil
}

// userParams are the parameters that preauth and auth share.
func userParams(name, id string, addr netip.Addr, host string) (url.Values, error) {
	if (name == "") == (id == "") {
		return nil, errors.New("duo: want either Username or UserID")
	}
	params := make(url.Values)
	set(params, "username", name)
	set(params, "user_id", id)
	set(params, "hostname", host)
	if addr.IsValid() {
		params.Set("ipaddr", addr.Unmap().WithZone("").String())
	}
	return params, nil
}

// set sets a parameter that is sent only when it says something.
func set(params url.Values, name, value string) {
	if value != "" {
		params.Set(name, value)
	}
}

func setFlag(params url.Values, name string, on bool) {
	if on {
		params.Set(name, "1")
	}
}
