package radmfa

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/text/encoding"

	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// FailMode says what happens to a user with the right first factor when the
// second factor's service cannot be contacted.
type FailMode int

const (
	// FailClosed rejects the user.
	FailClosed FailMode = iota
	// FailOpen lets the user in, with a warning in the log and an Event whose
	// FailedOpen is set.
	FailOpen
)

// The documented zero values of a Server.
const (
	defaultAddr             = ":1812"
	defaultChallengeTimeout = 5 * time.Minute
	defaultAuthTimeout      = time.Minute
	defaultMaxAttempts      = 3
)

// ErrServerClosed is what Serve, ServeTLS and ListenAndServe return after Shutdown or Close.
var ErrServerClosed = radius.ErrServerClosed

// Server adds a second factor to RADIUS logins. Do not modify or copy a Server
// after calling Serve. Its methods are safe for concurrent use.
type Server struct {
	// Addr is the UDP address that ListenAndServe listens on. Empty: ":1812".
	Addr string

	// Clients says which NAS may ask, and with which shared secret. Required by
	// Serve, not by ServeRADIUS and Login.
	Clients radius.ClientSource

	// Primary is the first factor. Required; primary.None means that there is
	// none.
	Primary primary.Authenticator

	// SecondFactor is the second factor, usually a *duo.Client. Required.
	SecondFactor SecondFactor

	// Fallback is the second factor for the time when the service of SecondFactor
	// cannot be contacted, such as codes of an app that work without it: then an
	// outage is neither open nor closed. Nil: the FailMode decides.
	Fallback SecondFactor

	// FailMode applies when the service cannot be contacted before a factor has
	// been started. Zero: FailClosed.
	FailMode FailMode

	// Policy decides what a login must prove, once the first factor is right. It
	// may change the Policy it gets, whose fields have their defaults; it may be
	// called concurrently. An error rejects the login. Nil: the defaults.
	Policy func(context.Context, *Login, *Policy) error

	// Auto starts the second factor with the first request, for a NAS that cannot
	// show a challenge. Nil: the user is asked.
	Auto *Auto

	// Dialogue shapes what the user is asked.
	Dialogue Dialogue

	// Prompt makes the text of the menu. Nil: prompt.Console{}, which falls back to
	// the short form for users with more than about one smartphone, since a
	// Reply-Message has room for 253 bytes: see its Split.
	Prompt prompt.Renderer

	// Texts returns the texts for a request's user, such as in the language of the
	// device or of the user; see prompt.Texts. It may be called concurrently. Nil:
	// the defaults.
	Texts func(*Request) prompt.Texts

	// Limits bounds pushes and wrong passcodes for each account. Servers count
	// together with a Store that is challenge.Shared and, unless that is the memory
	// of this process, a ClusterKey; else each for itself.
	Limits Limits

	// Remember lets a user who has proved the second factor log in without it for
	// some time. Zero: nobody is remembered.
	Remember Remember

	// AuthTimeout bounds the work on one request: the first factor, the service,
	// and a push that waits for a person. It should not be longer than the NAS
	// waits. Zero: 60 s.
	AuthTimeout time.Duration

	// Store keeps what a challenge must remember until it is answered. Nil: the
	// memory of this process, with room for 65,536 logins. Servers that share a
	// Store answer each other's challenges, and go on with each other's pushes.
	Store challenge.Store

	// ClusterKey is a secret of all Servers that share a Store: what the Store
	// keeps is sealed with it. Empty: sessions are sealed with their State alone,
	// and Remember needs a Store that is the memory of this process.
	ClusterKey radius.Secret

	// Node names this Server in events, where there are several. Empty: it is not
	// named.
	Node string

	// Encoding is the character set of the passwords and answers that the NAS
	// sends, and of user names that are not UTF-8, such as charmap.Windows1252. Nil:
	// UTF-8.
	Encoding encoding.Encoding

	// Describe may change how a login is presented to the service. The ClientIP it
	// gets is that in Calling-Station-Id; see AddrIn. Nil: the defaults.
	Describe func(*radius.Packet, *Description)

	// OnDrop is called for datagrams that Serve drops. See radius.Server.
	OnDrop func(radius.Drop)

	// OnEvent is called at the end of each stage of a login, in the goroutine of
	// that login.
	OnEvent func(context.Context, Event)

	// Logger gets each login at level Info, its stages at Debug, and what needs an
	// operator's attention as warnings and errors. It never gets a password,
	// passcode, key or State. Nil: slog.Default().
	Logger *slog.Logger

	once       sync.Once
	transport  *radius.Server
	memory     challenge.MemoryStore // the Store where none is given
	remembered challenge.MemoryStore // the same for Remember
	sealers    struct {
		sync.Once
		cluster, own *sealer
	}
	presence  presence
	open      openChallenges
	pushes    counts
	passcodes counts
	attempts  inFlight[string]
	answers   inFlight[answerKey]
}

// Dialogue shapes what the user is asked. The zero value is as documented by the
// service.
type Dialogue struct {
	// ChallengeTimeout is how long a user may take to answer a challenge. Zero:
	// 5 minutes.
	ChallengeTimeout time.Duration

	// MaxAttempts is how many answers to a menu may lead nowhere (a typing error, a
	// batch of SMS passcodes, an expired code) before the login is rejected. A
	// wrong passcode or a denied push always ends it. Zero: 3.
	MaxAttempts int

	// EnrollReject sends the enrollment text to a user who must enroll first in
	// an Access-Reject. False: in an Access-Challenge, because many NASes display
	// text only from a challenge; every answer to it is rejected.
	EnrollReject bool

	// SMSAsksAgain asks for the passcode in the same login after a batch has been
	// sent by SMS. False: that attempt is rejected, as documented by the service,
	// and the user logs in again.
	SMSAsksAgain bool

	// NoTextPrompt does not ask the service for a menu of its own making. False:
	// it is asked, and its menu is shown where it sends one.
	NoTextPrompt bool

	// NoVerifiedPush does not tell the service that a verification code can be
	// shown. False: where the service demands verified pushes, the code is above
	// the menu.
	NoVerifiedPush bool
}

func (d *Dialogue) maxAttempts() int { return orDefault(d.MaxAttempts, defaultMaxAttempts) }

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
// returns ErrServerClosed. It closes conn. It may be called for several
// connections. To control the transport (buffers, limits, counters), use the Server
// as the Handler of your own radius.Server, and shut that one down instead.
func (s *Server) Serve(conn net.PacketConn) error {
	if err := s.mayServe(); err != nil {
		return errors.Join(err, conn.Close())
	}
	return s.radius().Serve(conn)
}

// ServeTLS is Serve for RADIUS over TLS (RadSec, RFC 6614): it accepts connections
// from the listener, usually on port 2083, of Clients with a TLSName. See
// radius.Server.ServeTLS for what config needs.
func (s *Server) ServeTLS(listener net.Listener, config *tls.Config) error {
	if err := s.mayServe(); err != nil {
		return errors.Join(err, listener.Close())
	}
	return s.radius().ServeTLS(listener, config)
}

// mayServe reports what is missing to serve.
func (s *Server) mayServe() error {
	err := s.Validate()
	if s.Clients == nil {
		err = errors.Join(err, errors.New("radmfa: Server.Clients is nil: no NAS may ask"))
	}
	return err
}

// Validate checks the configuration without network access, including Primary,
// SecondFactor and Fallback if they have a Validate method. Serve calls it.
func (s *Server) Validate() error {
	problems := []error{s.complete()}
	for _, v := range []any{s.Primary, s.SecondFactor, s.Fallback} {
		if v, ok := v.(interface{ Validate() error }); ok {
			problems = append(problems, v.Validate())
		}
	}
	if s.FailMode != FailClosed && s.FailMode != FailOpen {
		problems = append(problems, fmt.Errorf("radmfa: Server.FailMode is %d, want FailClosed or FailOpen", s.FailMode))
	}
	if s.AuthTimeout < 0 || s.Dialogue.ChallengeTimeout < 0 || s.Remember.For < 0 || s.Dialogue.MaxAttempts < 0 {
		problems = append(problems, errors.New("radmfa: Server: timeouts and MaxAttempts must not be negative"))
	}
	if s.Remember.Store != nil && s.ClusterKey == "" {
		problems = append(problems, errors.New("radmfa: Server.Remember.Store needs a ClusterKey: who is remembered could be guessed from what it keeps"))
	}
	return errors.Join(problems...)
}

// Run serves on Addr until ctx ends, then lets the logins in flight end, as
// Shutdown does, for as long as AuthTimeout. It returns nil when they all have.
func (s *Server) Run(ctx context.Context) error {
	served := make(chan error, 1)
	go func() { served <- s.ListenAndServe() }()
	select {
	case err := <-served:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.authTimeout()+shutdownMargin)
	defer cancel()
	err := s.Shutdown(grace)
	if ended := <-served; !errors.Is(ended, ErrServerClosed) {
		err = errors.Join(err, ended)
	}
	return err
}

// shutdownMargin is for the replies of logins whose time is up.
const shutdownMargin = 2 * time.Second

// Shutdown stops reading requests and lets the logins in flight end: a user who
// is looking at a push gets the reply. When ctx ends first, they are rejected,
// and Shutdown returns ctx's error.
//
// With a Store other than a MemoryStore the process waits for nobody: it hands
// the logins in flight over to the other nodes, which answer the NAS's next
// request.
func (s *Server) Shutdown(ctx context.Context) error {
	if _, local := s.Store.(*challenge.MemoryStore); s.shared() && !local {
		if err := s.presence.handOver(ctx, s); err == nil {
			return s.radius().Close()
		}
	}
	return s.radius().Shutdown(ctx)
}

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

// complete reports what is missing to answer a login.
func (s *Server) complete() error {
	if s.Primary != nil && s.SecondFactor != nil {
		return nil
	}
	var problems []error
	if s.Primary == nil {
		problems = append(problems, errors.New("radmfa: Server.Primary is nil: use primary.None{} if there is no first factor"))
	}
	if s.SecondFactor == nil {
		problems = append(problems, errors.New("radmfa: Server.SecondFactor is nil: set it to a *duo.Client"))
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

// shared reports whether other processes may use the Store.
func (s *Server) shared() bool { return s.Store != nil }

// agreed returns the Store if Servers may agree in it on what has a guessable id,
// or nil.
func (s *Server) agreed() challenge.Shared {
	store, ok := s.Store.(challenge.Shared)
	_, local := s.Store.(*challenge.MemoryStore)
	if !ok || !local && s.ClusterKey == "" {
		return nil
	}
	return store
}

// box returns what seals an id's content in the Store. Without a ClusterKey a
// secret of this process hides the ids of remembered logins, which can be guessed.
func (s *Server) box(purpose, id string) box {
	s.sealers.Do(func() {
		s.sealers.cluster = newSealer(s.ClusterKey)
		s.sealers.own = s.sealers.cluster
		if s.ClusterKey == "" {
			s.sealers.own = newSealer(radius.Secret(rand.Text()))
		}
	})
	if purpose == purposeRemember {
		return s.sealers.own.box(purpose, id)
	}
	return s.sealers.cluster.box(purpose, id)
}

func (s *Server) authTimeout() time.Duration { return orDefault(s.AuthTimeout, defaultAuthTimeout) }

func (s *Server) challengeTimeout() time.Duration {
	return orDefault(s.Dialogue.ChallengeTimeout, defaultChallengeTimeout)
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
