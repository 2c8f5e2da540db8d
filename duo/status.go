package duo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	maxPolls    = 80          // more than the seconds that a push lasts
	pollPause   = time.Second // least time between polls that bring nothing new
	maxPollFail = 3           // polls in a row that may fail
)

// AuthStatusResponse is the state of a transaction.
type AuthStatusResponse struct {
	AuthResponse

	// VerificationCode is not empty when the user is to type it on the phone, and
	// Preauth did not tell it.
	VerificationCode string
}

// AuthStatus waits until the state of a transaction changes, or longer: an Error
// with CodeInvalidParameter can mean that it did not change for a while. [Client.Wait]
// deals with that.
func (c *Client) AuthStatus(ctx context.Context, txid string) (*AuthStatusResponse, error) {
	if txid == "" {
		return nil, errors.New("duo: the transaction id is missing")
	}
	response, _, err := c.do(ctx, &call{
		name: "auth_status", method: http.MethodGet, params: url.Values{"txid": {txid}}, waits: true,
	})
	if err != nil {
		return nil, err
	}
	return decodeStatus("auth_status", response)
}

// Wait waits for the end of a transaction. Each new state before it goes to
// progress, if that is not nil, which must return soon. Wait tolerates a few
// failed polls, asks at most once a second while nothing changes, and gives up
// after 80 polls or when ctx ends. The transaction may have been started by another
// Client with the same keys, in another process.
func (c *Client) Wait(ctx context.Context, txid string, progress func(*AuthStatusResponse)) (*AuthResponse, error) {
	var last AuthStatusResponse
	failed, started := 0, time.Now()
	for range maxPolls {
		state, err := c.AuthStatus(ctx, txid)
		switch {
		case err == nil && state.Result != ResultWaiting:
			return &state.AuthResponse, nil
		case err == nil && *state != last:
			last, failed, started = *state, 0, time.Now()
			if progress != nil {
				progress(state)
			}
			continue
		case err == nil || isCode(err, CodeInvalidParameter):
			failed = 0
		case isUnavailable(err) && ctx.Err() == nil && failed+1 < maxPollFail:
			failed++
		default:
			return nil, err
		}
		if !sleep(ctx, pollPause-time.Since(started)) {
			return nil, &Error{Call: "auth_status", Err: fmt.Errorf("no answer in time: %w", ctx.Err())}
		}
		started = time.Now()
	}
	return nil, unintelligible("auth_status", "the transaction does not end")
}

func decodeStatus(call string, response json.RawMessage) (*AuthStatusResponse, error) {
	var r struct {
		Result  line `json:"result"`
		Status  line `json:"status"`
		Message text `json:"status_msg"`
		Token   line `json:"trusted_device_token"`
		Code    line `json:"verification_code"`
	}
	if err := decode(call, response, &r); err != nil {
		return nil, err
	}
	if r.Result == "" {
		return nil, unintelligible(call, "the response has no result")
	}
	return &AuthStatusResponse{
		AuthResponse: AuthResponse{
			Result:             Result(r.Result),
			Status:             Status(r.Status),
			StatusMessage:      string(r.Message),
			TrustedDeviceToken: Secret(r.Token),
		},
		VerificationCode: string(r.Code),
	}, nil
}
