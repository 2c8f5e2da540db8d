package duo_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// A login: what the service says of the user, then a push to the first phone.
func Example() {
	// In a program: &duo.Client{Host: "api-XXXXXXXX.duosecurity.com", ...}
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	client := svc.Client()
	ctx := context.Background()

	pre, err := client.Preauth(ctx, &duo.PreauthRequest{Username: "jdoe"})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, d := range pre.Devices {
		fmt.Println(d.DisplayName, d.Can(duo.FactorPush))
	}
	answer, err := client.Auth(ctx, &duo.AuthRequest{
		Username: "jdoe",
		Factor:   duo.FactorPush,
		Device:   pre.Devices[0].ID,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Allowed(), answer.StatusMessage)
	// Output:
	// iOS (XXX-XXX-1234) true
	// true Success. Logging you in...
}

// Whoever waits can be told what happens.
func ExampleClient_Wait() {
	svc := &duotest.Service{Users: map[string]*duotest.User{
		"jdoe": {Devices: []duotest.Device{{Kind: duotest.Landline, Answer: duotest.Deny}}},
	}}
	client := svc.Client()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()

	txid, err := client.AuthAsync(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPhone})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := client.Wait(ctx, txid, func(s *duo.AuthStatusResponse) {
		fmt.Println(s.StatusMessage)
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(answer.Allowed(), answer.StatusMessage)
	// Output:
	// Dialing XXX-XXX-1234...
	// Answered. Press any key on your phone to log in.
	// false Login request denied.
}

// An outage can be let pass, a refusal should wake the operator.
func ExampleError_Unavailable() {
	svc := new(duotest.Service)
	client := svc.Client()
	svc.Break("/auth/v2/check", duotest.Fault{Status: 503}, duotest.Fault{Code: 40103})
	for range 2 {
		_, err := client.Check(context.Background())
		var e *duo.Error
		fmt.Println(errors.As(err, &e) && e.Unavailable(), err)
	}
	// Output:
	// true duo: check: HTTP status 503: the answer is empty
	// false duo: check: error 40103: Invalid signature in request credentials (check the secret key and the API host)
}
