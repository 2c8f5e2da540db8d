// Package radmfa adds a second factor to RADIUS logins by Access-Challenge.
//
// A VPN gateway or any other network access server (NAS) sends a user's name and
// password. A [Server] checks them with the first factor, asks the Duo service
// what the user has, answers with a challenge that holds a menu of those, and
// lets the user in or not by what the service says to the answer:
//
//	NAS                             Server                      first factor, service
//	 |--- Access-Request ------------>|
//	 |    (name, password)            |--- right name and password? ---->|
//	 |                                |--- preauth --------------------->|
//	 |<-- Access-Challenge -----------|
//	 |    (State, text menu)          |
//	 |--- Access-Request ------------>|
//	 |    (State, "1")                |--- auth: push to the phone ----->|
//	 |<-- Access-Accept or -Reject ---|
//
// # A server
//
//	clients, err := radius.NewClients(radius.Client{
//		Name:   "vpn",
//		Prefix: netip.MustParsePrefix("192.0.2.1/32"),
//		Secret: "the shared secret of the VPN gateway",
//	})
//	...
//	server := &radmfa.Server{
//		Clients: clients,
//		Primary: primary.AuthenticatorFunc(checkPassword),
//		SecondFactor: &duo.Client{
//			Host:           "api-XXXXXXXX.duosecurity.com",
//			IntegrationKey: "DIXXXXXXXXXXXXXXXXXX",
//			SecretKey:      duo.Secret(os.Getenv("SKEY")),
//		},
//	}
//	err = server.ListenAndServe()
//
// The NAS must wait for a person: set its RADIUS timeout to 60 s with one try,
// and PAP as its protocol. The package works as well on a NAS that cannot be told
// so; see "One login, one push". For a NAS that cannot show a challenge see [Auto].
//
// # The parts
//
//   - [github.com/radmfa/radmfa/radius]: the transport, on UDP and over TLS
//     (RadSec). A Server is itself a radius.Handler, for a radius.Server of your own.
//   - [github.com/radmfa/radmfa/primary]: the first factor; primary.None means
//     that the NAS has checked the password. primary/ldapauth asks Active Directory
//     and other directories, primary/radiusauth other RADIUS servers.
//   - [github.com/radmfa/radmfa/duo]: the client of the service's Auth API.
//   - [github.com/radmfa/radmfa/prompt]: the menu's text, and what an answer means.
//   - [github.com/radmfa/radmfa/challenge]: what must be remembered between a
//     challenge and its answer.
//
// Each can be used without the others, and what a Server needs of them is an
// interface.
//
// # The flow
//
// A login goes down through steps, all of which flow.go names in order. A step
// does one thing and returns the next, or decides:
//
//	ServeRADIUS -> Request -> first factor -> policy -> preauth -> choose -> prove -> approval -> Reply -> packet
//	   radius.go              firstfactor.go  policy.go  preauth.go choose.go   prove.go             radius.go
//
// A password that must be changed is changed after that (password.go).
//
// A challenge is a decision that stores the step at which the answer goes on, and
// everything known until then, in a session (session.go, sealed by seal.go). The
// answer claims the session (claim.go), so that it is decided once, however often
// and wherever it arrives. Server.Login is the flow without RADIUS: what calls it
// instead of ServeRADIUS is another face of the same Server.
//
// # Who must prove what
//
// The account is what the first factor found, not what was typed: from there on
// nothing else is used. A Policy decides for each login whether a second factor is
// needed, which factors may be used, the fail mode, and how the login is presented;
// the answers to its challenges are bound by that. Limits bounds what can be tried
// in an account's name.
//
// # What the user sees
//
// The menu lists the pushes, calls and SMS batches that the user's devices are
// able to do. The answer is the number of an option, the name of a factor
// ("push", "phone2"), or a passcode. A typing error is asked again, up to
// MaxAttempts; a denied push and a wrong passcode end the login. Asking for
// passcodes by SMS ends it too, unless SMSAsksAgain is set: the user logs in again
// with one of them.
//
// Server.Texts gives the texts, and the words that may be typed, in the language
// of the user; prompt.DefaultTexts has them all, and examples/german is a
// translation. The texts of the service are in the language that is set there.
//
// A user whom the service lets in without a second factor gets an Access-Accept
// at once, one whom it denies an Access-Reject, and one who must enroll the
// address where to do it. The attributes that the first factor returned go into
// the Access-Accept, whichever way it comes about, and never into a challenge.
//
// # Passwords that must be changed
//
// A first factor that is a primary.PasswordChanger, such as ldapauth with
// AllowPasswordChange, may say that a password is right but must be changed. The
// user proves the second factor, is asked for a new password twice, and is let in
// once the first factor has changed it. What the directory demands is shown when it
// refuses one, and the login is rejected after MaxAttempts. The challenges ask the
// NAS not to show what is typed (Prompt, RFC 2869 section 5.10), which not every NAS
// heeds.
//
// Whom the service or the Policy asks for no second factor may change the password
// too. A login that fails open, or with Auto, does not: it is rejected, and so is one
// whose Store others can read if there is no ClusterKey. A remembered login asks for
// the second factor.
//
// # When something does not work
//
// A first factor that cannot be asked rejects. A service that cannot be contacted
// for preauth (no connection, silence, a status of 5xx, an answer that makes no
// sense) rejects with [FailClosed], the default; with [FailOpen] it lets the user
// in, with a warning in the log; and a Fallback is asked instead, where there is
// one. FailClosed is right where a login without a second factor is worse than
// none, as for administrators. FailOpen is right where nobody being able to work
// is worse, and others watch the logins during an outage: an attacker who has a
// password may wait for one, or cause one. A Fallback, such as the codes of an app
// that need no service (examples/totp), keeps both, for users who have set it up;
// others are rejected. Everything else rejects: wrong keys and every other refusal, a want of this machine, and whatever
// goes wrong once a factor has been started.
//
// # One login, one push
//
// A retransmission of a request joins the one in flight, and gets the same bytes
// for 30 s after the reply. An answer that comes again under a new Identifier,
// from another port, or at another server with the same Store, waits for the
// decision of the first and gets the same. A State is good for one answer, from
// the device and for the user it was given to, until ChallengeTimeout has passed.
//
// Servers that share a Store (and a ClusterKey) behave as one. When one dies
// during a push, another that is asked goes on waiting for the same push within
// seconds; when it died before that could be noted, the user logs in again. What
// was started is never started again.
//
// # Logs and events
//
// Each answered request is a line at level Info, each stage one at Debug, and
// what needs an operator's attention is a warning or an error. OnEvent gets the same
// as values, for metrics and audit: a Cause says in a word why a login ended. No
// password, passcode, key, shared secret or State reaches either.
//
// # Tests of your own program
//
// The fakes behave like the real thing and need no network: the service is
// duo/duotest, the NAS and a network that loses packets are radius/radiustest, a
// first factor is primary/primarytest, a directory primary/ldapauth/ldapauthtest;
// duo/secondfactortest tests a second factor of your own. Inside a
// testing/synctest bubble a push that takes 42 seconds takes no time. The example
// of this package shows all of them.
package radmfa
