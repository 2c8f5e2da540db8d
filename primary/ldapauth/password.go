package ldapauth

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/radius"
)

var _ primary.PasswordChanger = (*Authenticator)(nil)

// The texts for users whose new password is refused.
const (
	refusedText      = "The new password was refused."
	tooShortText     = "The new password is too short."
	tooSimpleText    = "The new password is too simple."
	usedBeforeText   = "The new password was used before."
	tooYoungText     = "Your password was changed too recently to be changed again."
	mayNotChangeText = "You may not change your password. Please ask your administrator."
)

// How a password is changed: the first byte of a MustChange's State. The DN of
// the entry follows.
const (
	byUnicodePwd = 'u' // Active Directory
	byOwner      = 'o' // RFC 3062
)

// change is one change of a password.
type change struct {
	how      byte
	dn       string
	old, new radius.Secret
	sent     bool
}

// ChangePassword implements primary.PasswordChanger. On Active Directory the
// service account deletes the old and adds the new value of unicodePwd
// ([MS-ADTS] 3.1.1.3.1.5), which needs no rights; elsewhere the user modifies the
// password (RFC 3062). A host that does not get as far as the change gives way to
// the next; what was sent once is not sent again.
func (a *Authenticator) ChangePassword(ctx context.Context, r *primary.Request, newPassword radius.Secret) error {
	dir, err := a.directory()
	switch {
	case err != nil:
		return err
	case !a.AllowPasswordChange:
		return primary.FieldErrorf("ldapauth: passwords are not changed: {AllowPasswordChange} is not set")
	case len(r.State) < 2:
		return rejectf("the change of the password has no State")
	case r.Password == "":
		return rejectf("the old password is empty")
	case newPassword == "", strings.Contains(string(newPassword), "\x00"):
		return again(r, refusedText, "the new password is empty or contains a NUL")
	}
	return dir.change(ctx, r, &change{how: r.State[0], dn: string(r.State[1:]), old: r.Password, new: newPassword})
}

// mustChange is the mark of a password that can be changed, if that is permitted.
func (d *directory) mustChange(u *user, how byte) *primary.MustChange {
	if !d.AllowPasswordChange {
		return nil
	}
	return &primary.MustChange{Result: u.result(), State: append([]byte{how}, u.dn...)}
}

// again refuses a new password where another may do.
func again(r *primary.Request, message, reason string) *primary.Rejection {
	return &primary.Rejection{Message: message, Reason: reason, MustChange: &primary.MustChange{State: r.State}}
}

// change asks the hosts in turn until one gets as far as the change.
func (d *directory) change(ctx context.Context, r *primary.Request, p *change) error {
	var failures []error
	hosts := d.order()
	for i, h := range hosts {
		err := h.change(ctx, len(hosts)-i, p)
		var answer *ldap.Error
		switch {
		case err == nil:
			d.log.Info("a password was changed", "dn", clean.Line(p.dn), "host", h.addr)
			return nil
		case errors.Is(err, primary.ErrRejected):
			return err
		case p.sent && errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork:
			return d.refused(ctx, h, r, p, answer)
		case p.sent:
			return fmt.Errorf("ldapauth: %s: it is not known whether the password is changed: %w", h.addr, err)
		}
		failures = append(failures, fmt.Errorf("ldapauth: %s: %w", h.addr, err))
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// change makes the change at one host, on a connection of its own: one out of the
// pool may turn out to be dead only once the change is on its way.
func (h *host) change(ctx context.Context, hostsLeft int, p *change) error {
	ctx, cancel := h.limit(ctx, hostsLeft)
	defer cancel()
	r := binder
	if p.how == byUnicodePwd {
		r = searcher
	}
	c, err := h.open(ctx, r)
	if err != nil {
		return err
	}
	defer c.kill()
	return c.do(ctx, func(c *conn) error {
		if p.how == byOwner {
			if err := h.dir.bindToChange(c, p); err != nil {
				return err
			}
		}
		c.step = fmt.Sprintf("change the password of %q", p.dn)
		p.sent = true
		return p.send(c)
	})
}

// bindToChange binds as the user, who may do nothing else then.
func (d *directory) bindToChange(c *conn, p *change) error {
	c.step = fmt.Sprintf("bind as %q", p.dn)
	controls, err := d.bind(c, p.dn, p.old)
	var answer *ldap.Error
	if errors.As(err, &answer) && refusesUser(answer.ResultCode) {
		_, reason := verdict(answer, controls)
		return rejectf("%s: the old password is refused: %s", clean.Line(p.dn), reason)
	}
	return d.explain(c.step, err)
}

// send sends the change.
func (p *change) send(c *conn) error {
	if p.how == byUnicodePwd {
		r := ldap.NewModifyRequest(p.dn, nil)
		r.Delete("unicodePwd", []string{unicodePwd(p.old)})
		r.Add("unicodePwd", []string{unicodePwd(p.new)})
		return c.Modify(r)
	}
	const modifyPassword = "1.3.6.1.4.1.4203.1.11.1"
	value := ber.NewSequence("")
	for tag, field := range []string{p.dn, string(p.old), string(p.new)} {
		value.AppendChild(ber.NewString(ber.ClassContext, ber.TypePrimitive, ber.Tag(tag), field, ""))
	}
	r := ldap.NewExtendedRequest(modifyPassword, value)
	r.Controls = []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}
	_, err := c.Extended(r)
	return err
}

// unicodePwd is a password in quotes and UTF-16, as Active Directory wants it.
func unicodePwd(password radius.Secret) string {
	var b []byte
	for _, unit := range utf16.Encode([]rune(`"` + string(password) + `"`)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return string(b)
}

// refused says what a directory's refusal of the change means.
func (d *directory) refused(ctx context.Context, h *host, r *primary.Request, p *change, answer *ldap.Error) error {
	reason := clean.Line(p.dn) + ": the change of the password is refused: " + describe(answer)
	message, v := refusal(p.how, answer)
	switch v {
	case noVerdict:
		return fmt.Errorf("ldapauth: %s: %w", h.addr, d.explain("change the password", answer))
	case noOther:
		return &primary.Rejection{Message: message, Reason: reason}
	}
	rejection := again(r, message, reason)
	if err := h.use(ctx, searcher, func(c *conn) error { return d.rules(c, p, rejection.MustChange) }); err != nil {
		d.log.Warn("the rules for passwords cannot be read, so that the user is not told", "host", h.addr, "error", err)
	}
	return rejection
}

// What a refusal of a change means.
type refusalKind int

const (
	noVerdict  refusalKind = iota // the directory failed, rather than decided
	noOther                       // no other password would do
	tryAnother                    // another may do
)

// refusal returns what a refusal means, and what the user is told.
func refusal(how byte, answer *ldap.Error) (message string, kind refusalKind) {
	if how == byUnicodePwd {
		switch text := strings.ToUpper(answer.Err.Error()); {
		case strings.Contains(text, "00000056"): // ERROR_INVALID_PASSWORD: the old one is wrong
			return "", noOther
		case strings.Contains(text, "0000052D"): // ERROR_PASSWORD_RESTRICTION
			return refusedText, tryAnother
		case answer.ResultCode == ldap.LDAPResultConstraintViolation: // as Samba says
			return mayNotChangeText, noOther
		}
	}
	if p := policyControl(controlsOf(answer)); p != nil {
		switch p.Error {
		case ldap.BeheraPasswordTooShort:
			return tooShortText, tryAnother
		case ldap.BeheraPasswordInHistory:
			return usedBeforeText, tryAnother
		case ldap.BeheraInsufficientPasswordQuality:
			return tooSimpleText, tryAnother
		case ldap.BeheraPasswordTooYoung:
			return tooYoungText, noOther
		case ldap.BeheraPasswordModNotAllowed:
			return mayNotChangeText, noOther
		}
	}
	switch answer.ResultCode {
	case ldap.LDAPResultConstraintViolation:
		return refusedText, tryAnother
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultUnwillingToPerform:
		return mayNotChangeText, noOther
	}
	return "", noVerdict
}

// controlsOf returns the controls of a result that is an error, which go-ldap
// does not decode.
func controlsOf(answer *ldap.Error) (controls []ldap.Control) {
	if answer.Packet == nil || len(answer.Packet.Children) < 3 {
		return nil
	}
	for _, child := range answer.Packet.Children[2].Children {
		if control, err := ldap.DecodeControl(child); err == nil {
			controls = append(controls, control)
		}
	}
	return controls
}

// rules reads what the directory demands of a new password, as far as the service
// account may see it.
func (d *directory) rules(c *conn, p *change, m *primary.MustChange) error {
	c.step = "read the rules for passwords"
	user, err := d.read(c, p.dn, "msDS-ResultantPSO", "pwdPolicySubentry")
	if err != nil {
		return err
	}
	where, names := domainOf(p.dn), []string{"minPwdLength", "pwdHistoryLength", "pwdProperties"}
	switch own := user.GetEqualFoldAttributeValue("msDS-ResultantPSO"); {
	case p.how == byOwner:
		where, names = user.GetEqualFoldAttributeValue("pwdPolicySubentry"), []string{"pwdMinLength", "pwdInHistory"}
	case own != "":
		where, names = own, []string{"msDS-MinimumPasswordLength", "msDS-PasswordHistoryLength", "msDS-PasswordComplexityEnabled"}
	}
	if where == "" {
		return nil
	}
	policy, err := d.read(c, where, names...)
	if err != nil {
		return err
	}
	m.MinLength, _ = strconv.Atoi(policy.GetEqualFoldAttributeValue(names[0]))
	m.History, _ = strconv.Atoi(policy.GetEqualFoldAttributeValue(names[1]))
	const domainPasswordComplex = 1 // a bit of pwdProperties ([MS-SAMR] 2.2.1.8)
	properties, _ := strconv.Atoi(policy.GetEqualFoldAttributeValue("pwdProperties"))
	m.Complex = properties&domainPasswordComplex != 0 ||
		strings.EqualFold(policy.GetEqualFoldAttributeValue("msDS-PasswordComplexityEnabled"), "TRUE")
	return nil
}

// read returns one entry, which is empty where it cannot be seen.
func (d *directory) read(c *conn, dn string, attributes ...string) (*ldap.Entry, error) {
	result, err := c.Search(d.newSearch(dn, ldap.ScopeBaseObject, "(objectClass=*)", attributes...))
	if err != nil {
		return nil, d.explain(c.step, err)
	}
	if len(result.Entries) == 0 {
		return &ldap.Entry{}, nil
	}
	return result.Entries[0], nil
}

// domainOf returns the DN of the domain that an entry is in: its DC components.
func domainOf(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return ""
	}
	for len(parsed.RDNs) > 0 && !strings.EqualFold(parsed.RDNs[0].Attributes[0].Type, "DC") {
		parsed.RDNs = parsed.RDNs[1:]
	}
	return parsed.String()
}
