package radmfa

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"

	"golang.org/x/text/encoding"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// FailMode says what happens to a user with the right first factor when the
// second factor's service cannot be contacted.
type FailMode int

const (
	// FailSafe lets the user in, with a warning in the log and an Event whose
	// FailedOpen is set. The zero value, as in the product that this replaces.
	FailSafe FailMode = iota
	// FailSecure rejects the user.
	FailSecure
)

// SecondFactor is the part of *duo.Client that a Server uses. It must be safe
// for concurrent use. An error for which duo.IsUnavailable is true makes the
// FailMode count; Auth must not start anything twice.
type SecondFactor interface {
	Preauth(ctx context.Context, r *duo.PreauthRequest) (*duo.PreauthResponse, error)
	Auth(ctx context.Context, r *duo.AuthRequest) (*duo.AuthResponse, error)
}

// AsyncSecondFactor is what a SecondFactor may also be, as *duo.Client is. A
// Server then knows the transaction that a person is asked in, and tells events
// what the service says meanwhile.
type AsyncSecondFactor interface {
	// AuthAsync starts a transaction.
	AuthAsync(ctx context.Context, r *duo.AuthRequest) (txid string, err error)
	// Wait waits for its end, and calls progress with each state before.
	Wait(ctx context.Context, txid string, progress func(*duo.AuthStatusResponse)) (*duo.AuthResponse, error)
}

// The documented zero values of a Server.
const (
	defaultAddr             = ":1812"
	defaultChallengeTimeout = 5 * time.Minute
	defaultAuthTimeout      = time.Minute
	defaultMaxAttempts      = 3
)

// ErrServerClosed is what Serve and ListenAndServe return after Shutdown or Close.
var ErrServerClosed = radius.ErrServerClosed

// Server adds a second factor to RADIUS logins. Its exported fields must not
// change once it serves, and it must not be copied then. Its methods are safe
// for concurrent use.
type Server struct {
	// Addr is the UDP address that ListenAndServe listens on. Empty: ":1812".
	Addr string

	// Clients says which NAS may ask, and with which shared secret. Required by
	// Serve, not by ServeRADIUS.
	Clients radius.ClientSource

	// Primary is the first factor. Required; primary.None says that there is none.
	Primary primary.Authenticator

	// SecondFactor is the second factor, usually a *duo.Client. Required.
	SecondFactor SecondFactor

	// Store keeps what a challenge must remember until it is answered. Nil: the
	// memory of this process, with room for 65,536 logins. Servers that share a
	// Store answer each other's challenges.
	Store challenge.Store

	// Prompt makes the text of the menu. Nil: prompt.Console{}, which falls back to
	// the short form for users with more than one smartphone or so, since a
	// Reply-Message has room for 253 bytes: see its Split.
	Prompt prompt.Renderer

	// Auto starts the second factor with the first request, for a NAS that cannot
	// show a challenge. Nil: the user is asked. The same request under another
	// Identifier shares the decision, until 5 s after it.
	Auto *Auto

	// FailMode counts when the service cannot be contacted before a factor has
	// been started. Zero: FailSafe.
	FailMode FailMode

	// EnrollReject sends the enrollment text to a user who must enroll first in
	// an Access-Reject. False: in an Access-Challenge, since many a NAS shows
	// the text of nothing else; every answer to it is rejected.
	EnrollReject bool

	// SMSAsksAgain asks for the passcode in the same login after a batch has been
	// sent by SMS. False: that attempt is rejected, as documented by the
	// service, and the user logs in again.
	SMSAsksAgain bool

	// Exempt reports whether a user needs no second factor. Nil: everybody does.
	Exempt func(username string) bool

	// ChallengeTimeout is how long a user may take to answer a challenge. Zero:
	// 5 minutes.
	ChallengeTimeout time.Duration

	// AuthTimeout bounds the work on one Access-Request: the first factor, the
	// service, and a push that waits for a person. It should not be longer than
	// the NAS waits. When it ends during preauth, the FailMode counts only if the
	// service had 5 s to answer. Zero: 60 s.
	AuthTimeout time.Duration

	// MaxAttempts is how many answers to a menu may be typing errors before the
	// login is rejected. A wrong passcode or a denied push always ends it. Zero: 3.
	MaxAttempts int

	// NoTextPrompt does not ask the service for a menu of its own making. False:
	// it is asked, and its menu is shown where it sends one.
	NoTextPrompt bool

	// NoVerifiedPush does not tell the service that a verification code can be
	// shown. False: where the service demands verified pushes, the code stands
	// above the menu.
	NoVerifiedPush bool

	// PushLimit bounds the pushes, calls and SMS batches that are sent to one
	// user, so that somebody with a stolen password cannot wear the user down.
	// Zero: no bounds. Each Server counts for itself.
	PushLimit PushLimit

	// RememberFor lets a user who has proved the second factor log in without it
	// for this long, with the same name, NAS and client address; the first factor
	// and preauth are asked all the same. It is kept in the Store. A login
	// without a known ClientIP (none, 0.0.0.0, a loopback address) is never
	// remembered. Zero: nobody is.
	RememberFor time.Duration

	// Encoding is the character set of the passwords and answers that the NAS
	// sends, and of user names that are not UTF-8, such as charmap.Windows1252. Nil:
	// UTF-8.
	Encoding encoding.Encoding

	// ClientIP returns the address of the user's machine, for the policies of the
	// service, or the zero Addr. Nil: that in the Calling-Station-Id. See AddrIn.
	ClientIP func(*radius.Packet) netip.Addr

	// ServiceName returns the name that the service knows a user by. Nil: the
	// User-Name as it is. See BareName.
	ServiceName func(username string) string

	// Describe says how a login is presented to the service, and in a push. Nil: a
	// push shows the name of the radius.Client as "NAS".
	Describe func(*radius.Packet) Description

	// OnDrop is called for datagrams that Serve drops. See radius.Server.
	OnDrop func(radius.Drop)

	// OnEvent is called at the end of each stage of a login, in the goroutine of
	// that login.
	OnEvent func(context.Context, Event)

	// Logger gets each login at level Info, its stages at Debug, and what an
	// operator should look at as warnings and errors. It never gets a password,
	// passcode, key or State. Nil: slog.Default().
	Logger *slog.Logger

	once      sync.Once
	transport *radius.Server
	memory    challenge.MemoryStore // the Store where none is given
	pushes    pushGuard
	joints    joints
}

// ListenAndServe listens on Addr and serves until Shutdown or Close is called;
// it then returns ErrServerClosed.
func (s *Server) ListenAndServe() error {
	addr := s.Addr
	if addr == "" {
		addr = defaultAddr
	}
	conn, err := net.ListenPacket("udp", addr)
	if err != nil {
		return fmt.Errorf("radmfa: %w", err)
	}
	return s.Serve(conn)
}

// Serve serves requests from conn until Shutdown or Close is called, and then
// returns ErrServerClosed. It closes conn. For more say in the transport (buffer
// sizes, limits, counters), mount the Server as the Handler of a radius.Server, and
// shut that down. It may be called for several connections.
func (s *Server) Serve(conn net.PacketConn) error {
	err := s.Validate()
	if s.Clients == nil {
		err = errors.Join(err, errors.New("radmfa: Server.Clients is nil: no NAS may ask"))
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	return s.radius().Serve(conn)
}

// Validate reports what is wrong with the fields, and with a Primary and a
// SecondFactor that have such a method, without asking anybody. Serve calls it.
func (s *Server) Validate() error {
	problems := []error{s.check()}
	for _, v := range []any{s.Primary, s.SecondFactor} {
		if v, ok := v.(interface{ Validate() error }); ok {
			problems = append(problems, v.Validate())
		}
	}
	if s.FailMode != FailSafe && s.FailMode != FailSecure {
		problems = append(problems, fmt.Errorf("radmfa: Server.FailMode is %d, want FailSafe or FailSecure", s.FailMode))
	}
	if s.AuthTimeout < 0 || s.ChallengeTimeout < 0 || s.RememberFor < 0 || s.MaxAttempts < 0 {
		problems = append(problems, errors.New("radmfa: no time and no number of attempts of a Server may be negative"))
	}
	return errors.Join(problems...)
}

// Shutdown stops reading requests and lets the logins in flight end: a user who
// is looking at a push gets the answer. When ctx ends first, they are rejected,
// and Shutdown returns ctx's error.
func (s *Server) Shutdown(ctx context.Context) error { return s.radius().Shutdown(ctx) }

// Close is a Shutdown that rejects the logins in flight at once.
func (s *Server) Close() error { return s.radius().Close() }

// Stats returns the counters of the transport of Serve.
func (s *Server) Stats() radius.Stats { return s.radius().Stats() }

// radius returns the transport of Serve.
func (s *Server) radius() *radius.Server {
	s.once.Do(func() {
		s.transport = &radius.Server{Clients: s.Clients, Handler: s, OnDrop: s.OnDrop, Logger: s.Logger}
	})
	return s.transport
}

// check reports what is missing to answer a login.
func (s *Server) check() error {
	var problems []error
	if s.Primary == nil {
		problems = append(problems, errors.New("radmfa: Server.Primary is nil: primary.None{} says that there is no first factor"))
	}
	if s.SecondFactor == nil {
		problems = append(problems, errors.New("radmfa: Server.SecondFactor is nil: a *duo.Client is one"))
	}
	return errors.Join(problems...)
}

// Format implements fmt.Formatter: fmt would follow pointers to what is secret.
func (s *Server) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "radmfa.Server(%s)", s.Addr) }

func (s *Server) store() challenge.Store {
	if s.Store != nil {
		return s.Store
	}
	return &s.memory
}

func (s *Server) renderer() prompt.Renderer {
	if s.Prompt != nil {
		return s.Prompt
	}
	return prompt.Console{}
}

func (s *Server) logger() *slog.Logger {
	if s.Logger != nil {
		return s.Logger
	}
	return slog.Default()
}

// orDefault returns value, or what its zero stands for.
func orDefault[T int | time.Duration](value, zero T) T {
	if value == 0 {
		return zero
	}
	return value
}
