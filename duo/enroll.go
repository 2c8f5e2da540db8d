package duo

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// EnrollRequest makes a new user of the service.
type EnrollRequest struct {
	Username string        // empty: the service makes one up
	ValidFor time.Duration // to activate a phone, in whole seconds; zero: the service's default, a day
}

// EnrollResponse is a new user, who is still to activate Duo Mobile on a phone.
// Who knows the code or the barcode can do that.
type EnrollResponse struct {
	Username          string
	UserID            string
	ActivationCode    Secret
	ActivationBarcode Secret    // URL of an image of the code
	Expiration        time.Time // of the code, by this machine's clock
}

// EnrollState is how far an enrollment is.
type EnrollState string

// The states of an enrollment.
const (
	EnrollSuccess EnrollState = "success" // the phone is activated
	EnrollInvalid EnrollState = "invalid" // the code is wrong or has expired
	EnrollWaiting EnrollState = "waiting" // the code has not been used yet
)

// Enroll makes a new user. A request that the service may have received is never
// repeated.
func (c *Client) Enroll(ctx context.Context, r *EnrollRequest) (*EnrollResponse, error) {
	params := make(url.Values)
	set(params, "username", r.Username)
	if s := int64(r.ValidFor / time.Second); s > 0 {
		params.Set("valid_secs", strconv.FormatInt(s, 10))
	}
	response, a, err := c.do(ctx, &call{name: "enroll", method: http.MethodPost, params: params, once: true})
	if err != nil {
		return nil, err
	}
	var w struct {
		Username line   `json:"username"`
		UserID   line   `json:"user_id"`
		Code     line   `json:"activation_code"`
		Barcode  line   `json:"activation_barcode"`
		Expires  number `json:"expiration"`
	}
	if err := decode("enroll", response, &w); err != nil {
		return nil, err
	}
	if w.Code == "" {
		return nil, unintelligible("enroll", "the response has no activation code")
	}
	return &EnrollResponse{
		Username:          string(w.Username),
		UserID:            string(w.UserID),
		ActivationCode:    Secret(w.Code),
		ActivationBarcode: Secret(w.Barcode),
		Expiration:        a.until(w.Expires),
	}, nil
}

// EnrollStatus asks whether the user of an EnrollResponse has activated a phone.
func (c *Client) EnrollStatus(ctx context.Context, userID string, activationCode Secret) (EnrollState, error) {
	params := url.Values{"user_id": {userID}, "activation_code": {string(activationCode)}}
	response, _, err := c.do(ctx, &call{name: "enroll_status", method: http.MethodPost, params: params})
	if err != nil {
		return "", err
	}
	var state line
	if err := decode("enroll_status", response, &state); err != nil {
		return "", err
	}
	if state == "" {
		return "", unintelligible("enroll_status", "the response is empty")
	}
	return EnrollState(state), nil
}
