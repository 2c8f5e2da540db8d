package radmfa

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// Request asks for one step of a login: it begins one, or answers a challenge.
type Request struct {
	// Username is the name as the user typed it. Required; blanks around it are
	// ignored.
	Username string

	// Password is the password, or with State the answer to the challenge.
	Password radius.Secret

	// State is that of the Reply which Password answers. Empty: a login begins.
	State string

	// Device identifies the device that asks. A State belongs to the device that
	// got it.
	Device string

	// Attempt is the same for requests that repeat one another and for no others.
	// While the first is undecided, the others share its decision. Empty: it
	// cannot be told.
	Attempt string

	// NAS and Client are the address of the device and its name in logs, events
	// and pushes.
	NAS    netip.Addr
	Client string

	// Description says how the login is presented to the service.
	Description

	// Packet is the Access-Request, for first factors and policies that use more
	// of it, or nil. It must not be changed.
	Packet *radius.Packet
}

// login is one Request on its way through the steps.
type login struct {
	server  *Server
	ctx     context.Context // of this request: until
	until   deadline
	request *Request
	started time.Time

	ses      *session // what the login knows; a challenge remembers it
	begun    session  // of a login that begins
	groups   []string // of the account, once the first factor has named them
	readings []reading
	choice   prompt.Selection
	texts    prompt.Texts
	notice   string // to show above the next menu
	code     string // of a verified push, told while it was waited for
	claim    *claim // on the session in the Store, when this is an answer
	flight   flight // that equal requests share

	decision decision
}

// Login takes one step of a login, without any transport: ServeRADIUS is a face
// of it. It waits for whatever is due, which may be a person with a phone, but
// not longer than AuthTimeout or ctx. It reports every error to the Logger and
// OnEvent; the caller gets a Reply, always.
func (s *Server) Login(ctx context.Context, r Request) Reply {
	l := s.newLogin(ctx, &r)
	defer l.until.end()
	l.start()
	l.report()
	return l.decision.Reply
}

func (s *Server) newLogin(ctx context.Context, r *Request) *login {
	r.Username = strings.TrimSpace(r.Username) // or one user would have several names
	l := &login{server: s, request: r, started: time.Now()}
	l.until.set(ctx, s.authTimeout())
	l.ctx = &l.until
	l.begun = session{device: r.Device, typed: r.Username}
	if r.State == "" {
		l.begun.id = newLoginID()
	}
	l.begun.policy.Description = r.Description
	l.ses = &l.begun
	return l
}

func newLoginID() string { return strconv.FormatUint(rand.Uint64(), 36) }

// start decides the request.
func (l *login) start() {
	defer l.recover()
	if err := l.server.complete(); err != nil {
		l.fail(CauseInternal, "the Server is not complete", err)
		return
	}
	if l.server.Texts != nil {
		l.texts = l.server.Texts(l.request)
	}
	if problem := names.Check(l.request.Username); problem != nil {
		l.reject(CauseBadRequest, "", "the user name is refused: "+problem.Error())
		return
	}
	if l.request.State != "" {
		l.answer()
	} else {
		l.begin()
	}
	l.leaveToOthers()
}

// leaveToOthers leaves the request without a reply when this node is handing its
// logins over: what was decided after its context ended is no decision.
func (l *login) leaveToOthers() {
	if errors.Is(l.ctx.Err(), context.Canceled) && l.server.presence.handedOver() {
		l.ignore("handed over to another node", nil)
	}
}

// recover is deferred. It turns a panic of code that the Server calls into a
// rejection.
func (l *login) recover() {
	p := recover()
	if p == nil {
		return
	}
	l.decision = panicked(l.texts)
	l.server.logger().LogAttrs(context.WithoutCancel(l.ctx), slog.LevelError, "radmfa: a login panicked and is rejected",
		slog.Any("panic", p), slog.String("client", l.request.Client), slog.String("stack", string(debug.Stack())))
}

// begin starts a login. A request that repeats one in flight shares its
// decision.
func (l *login) begin() {
	key, shared := l.request.Attempt, true
	if key == "" {
		if l.server.Auto == nil {
			l.run(atFirstFactor)
			return
		}
		// It cannot be told whether the user tries twice or the NAS does: there
		// must be no second push, and no stranger may share the approval.
		key, shared = strings.Join([]string{"?", l.request.Device, l.request.Username, string(l.request.Password)}, "\x00"), false
	}
	f, first := l.server.attempts.join(key, &l.flight)
	switch {
	case !first && shared:
		l.share(f)
	case !first:
		l.ignore("another login of this user, which cannot be told from this one, is waiting", nil)
	default:
		defer func() { l.server.attempts.end(key, f, l.outcome(), l.repeatable(shared)) }()
		defer l.recover()
		if !shared || l.server.Auto == nil || !l.beginOnce() {
			l.run(atFirstFactor)
		}
	}
}

// repeatFirst is how long after its decision an automatic login is remembered, for
// a NAS that asks again. It is short: unlike the answer to a challenge, a first
// request may be meant anew.
const repeatFirst = 5 * time.Second

// repeatable returns how long the decision on a first request counts for requests
// like it. Only a rejection is repeated, since nobody else can use it; where
// attempts cannot be told apart, the others are ignored.
func (l *login) repeatable(shared bool) time.Duration {
	if l.server.Auto != nil && (!shared || l.decision.Result == ResultRejected) {
		return repeatFirst
	}
	return 0
}

// share waits for the decision on the request that this one repeats.
func (l *login) share(f *flight) {
	select {
	case <-f.done:
		l.decision = f.decision
		l.decision.repeated = true
	case <-l.ctx.Done():
		l.reject(CauseTimeout, textNotInTime, "the request that this one repeats is not decided yet")
	}
}
