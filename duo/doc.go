// Package duo is a client of the Duo Auth API, version 2: it asks whether a user
// needs a second factor ([Client.Preauth]), uses one ([Client.Auth], or
// [Client.AuthAsync] and [Client.Wait]) and enrolls users.
//
//	client := &duo.Client{
//		Host:           "api-XXXXXXXX.duosecurity.com",
//		IntegrationKey: ikey,
//		SecretKey:      skey,
//	}
//	pre, err := client.Preauth(ctx, &duo.PreauthRequest{Username: "jdoe"})
//	...
//	answer, err := client.Auth(ctx, &duo.AuthRequest{Username: "jdoe", Factor: duo.FactorPush})
//	if err == nil && answer.Allowed() {
//
// A decision is never an error: a denied push is an [AuthResponse]. An error
// says that there was no decision. It is an [*Error], unless the Client or the
// request lacks something. [Error.Unavailable] tells an outage of the service, for
// which a caller may have a rule of its own, from a refusal and from a want of
// this machine, which the operator has to look after.
//
// # Faults
//
// Client.Timeout limits calls that do not wait for a person; ctx limits all calls. A request is repeated when its connection broke, and after the pause
// that the service asks for with HTTP status 429, unless ctx would end before. A
// request that rings a phone or makes a user is repeated only where the service
// cannot have acted on it. During an outage Preauth asks a quick probe first, see
// Client.OnOutage.
//
// # Clock
//
// The service refuses requests that were signed more than a few minutes ago or
// ahead. When it does, the client learns the difference between the clocks, and
// signs that and all later requests by the clock of the service.
//
// # TLS
//
// The service's certificate is verified against the system's authorities, or
// Client.TLSConfig. There is no list of pinned ones that could become outdated.
// HTTP proxies are used by CONNECT, so they see nothing of a call.
//
// # Text of the service
//
// Messages, names of devices and the like have lost control characters, other
// than line feeds where a text may have several lines, and are no longer than 4
// KiB each. Where they are shown on a web page they still have to be escaped.
//
// Package duotest, a directory below, is a service for tests.
package duo
