package duo_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// answers are all ways in which a transaction can end.
var answers = map[string]struct {
	user    *duotest.User
	request duo.AuthRequest
	result  duo.Result
	status  duo.Status
	message string
	states  []duo.Status // on the way
	takes   time.Duration
}{
	"push approved": {
		user: phone(duotest.Approve), request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultAllow, status: duo.StatusAllow, message: "Success. Logging you in...",
		states: []duo.Status{duo.StatusPushed},
	},
	"auto is a push": {
		user: phone(duotest.Approve), request: duo.AuthRequest{Factor: duo.FactorAuto},
		result: duo.ResultAllow, status: duo.StatusAllow, message: "Success. Logging you in...",
		states: []duo.Status{duo.StatusPushed},
	},
	"push approved late": {
		user: phone(duotest.After(42*time.Second, duotest.Approve)), request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultAllow, status: duo.StatusAllow, message: "Success. Logging you in...",
		states: []duo.Status{duo.StatusPushed}, takes: 42 * time.Second,
	},
	"push denied": {
		user: phone(duotest.Deny), request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultDeny, status: duo.StatusDeny, message: "Login request denied.",
		states: []duo.Status{duo.StatusPushed},
	},
	"push reported": {
		user: phone(duotest.ReportFraud), request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultDeny, status: duo.StatusFraud, message: "Login request denied.",
		states: []duo.Status{duo.StatusPushed},
	},
	"push ignored": {
		user: phone(duotest.Ignore), request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultDeny, status: duo.StatusTimeout, message: "Login timed out.",
		states: []duo.Status{duo.StatusPushed}, takes: time.Minute,
	},
	"user locked out": {
		user:    phone(func(context.Context, duotest.Push) duo.Status { return duo.StatusLockedOut }),
		request: duo.AuthRequest{Factor: duo.FactorPush},
		result:  duo.ResultDeny, status: duo.StatusLockedOut, message: "Account locked out.",
		states: []duo.Status{duo.StatusPushed},
	},
	"a status not known yet": {
		user:    phone(func(context.Context, duotest.Push) duo.Status { return "sleepy" }),
		request: duo.AuthRequest{Factor: duo.FactorPush},
		result:  duo.ResultDeny, status: "sleepy", message: "Login request denied.",
		states: []duo.Status{duo.StatusPushed},
	},
	"call approved": {
		user: phone(duotest.Approve), request: duo.AuthRequest{Factor: duo.FactorPhone},
		result: duo.ResultAllow, status: duo.StatusAllow, message: "Success. Logging you in...",
		states: []duo.Status{duo.StatusCalling, duo.StatusAnswered},
	},
	"passcode right": {
		user:    &duotest.User{Passcodes: []string{"123456"}},
		request: duo.AuthRequest{Factor: duo.FactorPasscode, Passcode: "123456"},
		result:  duo.ResultAllow, status: duo.StatusAllow, message: "Success. Logging you in...",
	},
	"passcode wrong": {
		user:    &duotest.User{Passcodes: []string{"123456"}},
		request: duo.AuthRequest{Factor: duo.FactorPasscode, Passcode: "654321"},
		result:  duo.ResultDeny, status: duo.StatusDeny, message: "Incorrect passcode. Please try again.",
	},
	"sms sent": {
		user: &duotest.User{}, request: duo.AuthRequest{Factor: duo.FactorSMS},
		result: duo.ResultDeny, status: duo.StatusSent, message: "New SMS passcodes sent.",
	},
	"bypass": {
		user: &duotest.User{Preauth: duo.PreauthAllow}, request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultAllow, status: duo.StatusBypass, message: "Success. Logging you in...",
	},
	"user denied": {
		user: &duotest.User{Preauth: duo.PreauthDeny}, request: duo.AuthRequest{Factor: duo.FactorPush},
		result: duo.ResultDeny, status: duo.StatusDeny, message: "Login request denied.",
	},
}

func TestAuthWaitsForTheResult(t *testing.T) {
	for name, tt := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				tt.request.Username = "jdoe"
				got, err := service("jdoe", tt.user).Client().Auth(t.Context(), &tt.request)
				require.NoError(t, err)
				assert.Equal(t, &duo.AuthResponse{Result: tt.result, Status: tt.status, StatusMessage: tt.message}, got)
				assert.Equal(t, tt.result == duo.ResultAllow, got.Allowed())
				assert.Equal(t, tt.takes, time.Since(start))
			})
		})
	}
}

func TestWaitTellsTheStatesOfATransaction(t *testing.T) {
	for name, tt := range answers {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				client := service("jdoe", tt.user).Client()
				tt.request.Username = "jdoe"
				txid, err := client.AuthAsync(t.Context(), &tt.request)
				require.NoError(t, err)
				var states []duo.Status
				got, err := client.Wait(t.Context(), txid, func(s *duo.AuthStatusResponse) {
					assert.Equal(t, duo.ResultWaiting, s.Result)
					assert.NotEmpty(t, s.StatusMessage)
					states = append(states, s.Status)
				})
				require.NoError(t, err)
				assert.Equal(t, &duo.AuthResponse{Result: tt.result, Status: tt.status, StatusMessage: tt.message}, got)
				assert.Equal(t, tt.states, states)
				assert.Equal(t, tt.takes, time.Since(start))
			})
		})
	}
}
