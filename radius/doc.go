// Package radius is the RADIUS transport of radmfa: a server, on UDP and over TLS,
// whose handlers may take a minute, and a client.
//
// Packets, attributes and handlers are those of layeh.com/radius. The transport
// is not, because a login that waits for a person needs more of it:
//
//   - A retransmission of a request that is being handled is not handled again;
//     one that comes up to 30 s after the reply gets the same bytes once more
//     (RFC 5080 section 2.2.2). A request is known by its source address and
//     port, Identifier and Request Authenticator, so a new request on a busy
//     Identifier is a new request.
//   - Every Message-Authenticator present is verified, and every reply carries
//     one as its first attribute (RFC 3579 section 3.2), which is what protects
//     against forged replies (CVE-2024-3596). [MessageAuthenticatorPolicy] says
//     what happens to requests without one.
//   - Proxy-State is copied to the reply in order (RFC 2865 section 5.33), and
//     Status-Server is answered at once, also while handlers wait (RFC 5997).
//   - The memory and the number of requests in flight are bounded; a datagram
//     from an unknown sender, or one that does not verify, costs no allocation
//     and no goroutine.
//
// [Server.ServeTLS] is RADIUS over TLS (RadSec, RFC 6614, with the rules of
// draft-ietf-radext-radiusdtls-bis): clients are found by the DNS name in their
// certificate, and everything above holds for them. There is no RADIUS/1.1, DTLS or
// pre-shared key.
//
// Every packet that reaches a [Server] is handled (or joined to its twin that
// is being handled), answered by the transport (from memory, or because it is a
// Status-Server), or passed to OnDrop with the reason: one of the three.
//
// An [Exchanger] is the other side: it signs, sends, retransmits and verifies. With
// a [TLSPool] it asks over TLS.
//
// Package radius/radiustest holds a NAS and an in-memory network for tests.
package radius
