package duotest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

// login stands for the program under test.
func login(client *duo.Client, username string) string {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	answer, err := client.Auth(ctx, &duo.AuthRequest{Username: username, Factor: duo.FactorPush})
	var e *duo.Error
	switch {
	case errors.As(err, &e) && e.Unavailable():
		return "outage"
	case err != nil:
		return "error"
	}
	return string(answer.Status)
}

// A test of a program that uses the service: somebody who approves, somebody who
// does not, and an outage.
func Example() {
	svc := &duotest.Service{Users: map[string]*duotest.User{
		"jdoe": {},
		"eve":  {Devices: []duotest.Device{{Answer: duotest.ReportFraud}}},
	}}
	client := svc.Client()

	fmt.Println(login(client, "jdoe"))
	fmt.Println(login(client, "eve"))
	svc.Break("/auth/v2/auth", duotest.Fault{Status: 503})
	fmt.Println(login(client, "jdoe"))
	fmt.Println(svc.Count("/auth/v2/auth"), "calls")
	// Output:
	// allow
	// fraud
	// outage
	// 3 calls
}

// A demonstration can leave the decision to the person before the screen.
func ExampleAnswer() {
	keys := make(chan rune, 1)
	ask := func(ctx context.Context, p duotest.Push) duo.Status {
		fmt.Printf("%s: %s request for %s from %s, approve? ", p.Number, p.Type, p.Username, p.Info.Get("NAS"))
		select {
		case key := <-keys:
			fmt.Println(string(key))
			if key == 'y' {
				return duo.StatusAllow
			}
			return duo.StatusDeny
		case <-ctx.Done():
			return ""
		}
	}
	svc := &duotest.Service{Unknown: &duotest.User{Devices: []duotest.Device{{Answer: ask}}}}
	keys <- 'y'
	answer, err := svc.Client().Auth(context.Background(), &duo.AuthRequest{
		Username: "jdoe",
		Factor:   duo.FactorPush,
		PushInfo: map[string][]string{"NAS": {"vpn.example.com"}},
	})
	fmt.Println(answer.StatusMessage, err)
	// Output:
	// XXX-XXX-1234: Login request for jdoe from vpn.example.com, approve? y
	// Success. Logging you in... <nil>
}

// SMS passcodes are sent in batches and are good once.
func ExampleService_SMS() {
	svc := &duotest.Service{Users: map[string]*duotest.User{"jdoe": {}}}
	client, ctx := svc.Client(), context.Background()

	answer, _ := client.Auth(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorSMS})
	fmt.Println(answer.Result, answer.StatusMessage)
	passcode := duo.Secret(svc.SMS("jdoe")[0])
	for range 2 {
		answer, _ = client.Auth(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPasscode, Passcode: passcode})
		fmt.Println(answer.Result, answer.StatusMessage)
	}
	// Output:
	// deny New SMS passcodes sent.
	// allow Success. Logging you in...
	// deny Incorrect passcode. Please try again.
}

// Programs that bring their own client reach the service over TLS.
func ExampleService_ServeHTTP() {
	server := httptest.NewTLSServer(&duotest.Service{})
	defer server.Close()
	client := &duo.Client{
		Host:           server.Listener.Addr().String(),
		IntegrationKey: duotest.DefaultIntegrationKey,
		SecretKey:      duotest.DefaultSecretKey,
		HTTPClient:     server.Client(),
	}
	_, err := client.Check(context.Background())
	fmt.Println(err)
	// Output: <nil>
}
