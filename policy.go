package radmfa

import (
	"slices"
	"time"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// Login is a login whose first factor is right, as a Server's Policy sees it.
type Login struct {
	// Account is the account's name as the first factor knows it, and Groups are
	// the account's groups. Where it names none, Account is the name as typed.
	Account string
	Groups  []string

	// Attributes are those of the first factor, for the Access-Accept. They must
	// not be changed.
	Attributes radius.Attributes

	// Request is what began the login, or carried the answer to the first
	// factor's own challenge.
	Request *Request
}

// Policy says what a login must prove after the first factor. It stays with the
// login: the answer to a challenge is bound by it.
type Policy struct {
	// Exempt lets the user in without a second factor.
	Exempt bool

	// Username is the name that the service knows the account by. Empty: the
	// account's name. See BareName.
	Username string

	// Factors are those that may be used: FactorPush, FactorPhone, FactorSMS,
	// FactorPasscode. Nil: all.
	Factors []duo.Factor

	// FailMode is that of this login. Default: the Server's.
	FailMode FailMode

	// RememberFor is how long a success is remembered. Default: the Server's.
	RememberFor time.Duration

	// Attributes are added to the Access-Accept.
	Attributes radius.Attributes

	// Description says how the login is presented to the service and in a push.
	// Default: that of the request.
	Description
}

// permits reports whether a factor may be used.
func (p *Policy) permits(f duo.Factor) bool {
	return p.Factors == nil || slices.Contains(p.Factors, f)
}

// restrict leaves in a menu only what may be used.
func (p *Policy) restrict(m *prompt.Menu) {
	if p.Factors == nil {
		return
	}
	m.Choices = slices.DeleteFunc(m.Choices, func(c prompt.Choice) bool { return !p.permits(c.Factor) })
	m.NoPasscode = !p.permits(duo.FactorPasscode)
}

// policy settles what the account must prove.
func (l *login) policy() step {
	s, ses := l.server, l.ses
	p := &ses.policy
	p.FailMode, p.RememberFor = s.FailMode, s.Remember.For
	if s.Policy != nil {
		about := &Login{Account: ses.account, Groups: l.groups, Attributes: ses.attributes, Request: l.request}
		if err := s.Policy(l.ctx, about, p); err != nil {
			return l.fail(CauseInternal, "the policy cannot be applied", err)
		}
	}
	ses.attributes = slices.Concat(ses.attributes, p.Attributes)
	p.Attributes = nil
	if p.Exempt {
		return l.accept(CauseExempt, "", "exempt from the second factor")
	}
	return atPreauth
}
