package ldapauth

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/radmfa/radmfa/internal/clean"
	"github.com/radmfa/radmfa/primary"
)

// The texts for users, which give nothing away: the directory says these things
// only when the password was right. That an account is locked it says with any
// password, so that has no text.
const (
	expiredText         = "Your password has expired. Change it and log in again."
	mustChangeText      = "You must change your password before you can log in here."
	disabledText        = "Your account is disabled."
	accountExpiredText  = "Your account has expired."
	hoursText           = "You may not log in at this time."
	workstationText     = "You may not log in from here."
	wrongPasswordReason = "wrong password"
)

// refusesUser reports whether a directory that answers a user's bind with code
// has decided on the user, rather than failed.
func refusesUser(code uint16) bool {
	switch code {
	case ldap.LDAPResultInvalidCredentials,
		ldap.LDAPResultConstraintViolation,         // too many wrong passwords (389 DS)
		ldap.LDAPResultNoSuchObject,                // gone since the search
		ldap.LDAPResultInappropriateAuthentication, // the entry has no password
		ldap.LDAPResultUnwillingToPerform:          // inactive (389 DS)
		return true
	}
	return false
}

// verdict says why the directory refused a user's bind, to the user (perhaps
// nothing) and to the operator.
func verdict(answer *ldap.Error, controls []ldap.Control) (message, reason string) {
	if p := policyControl(controls); p != nil {
		switch p.Error {
		case ldap.BeheraPasswordExpired:
			return expiredText, "the password has expired"
		case ldap.BeheraAccountLocked:
			return "", "the account is locked"
		case ldap.BeheraChangeAfterReset:
			return mustChangeText, "the password must be changed first"
		}
	}
	if answer.ResultCode != ldap.LDAPResultInvalidCredentials {
		return "", describe(answer)
	}
	if code, ok := adCode(answer.Err.Error()); ok {
		return adVerdict(code)
	}
	return "", wrongPasswordReason + ", or an account that may not log in"
}

// adCode finds the Windows error code in the text of Active Directory's result
// 49: "80090308: LdapErr: DSID-0C09044E, comment: AcceptSecurityContext error,
// data 52e, v1db1".
func adCode(text string) (string, bool) {
	_, rest, found := strings.Cut(strings.ToLower(text), ", data ")
	if !found {
		return "", false
	}
	end := strings.IndexFunc(rest, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'a' || r > 'f')
	})
	if end < 0 {
		end = len(rest)
	}
	return rest[:end], 0 < end && end <= 8
}

// What Active Directory says only of a right password.
const (
	adExpired    = "532"
	adMustChange = "773"
)

// adVerdict explains the codes with which Active Directory refuses a bind.
func adVerdict(code string) (message, reason string) {
	switch code {
	case "525":
		return "", "no such user"
	case "52e":
		return "", wrongPasswordReason
	case "52f":
		return "", "account restriction, such as membership in Protected Users"
	case "530":
		return hoursText, "not permitted to log on at this time"
	case "531":
		return workstationText, "not permitted to log on from this workstation"
	case adExpired:
		return expiredText, "the password has expired"
	case "533":
		return disabledText, "the account is disabled"
	case "701":
		return accountExpiredText, "the account has expired"
	case adMustChange:
		return mustChangeText, "the password must be changed first"
	case "775":
		return "", "the account is locked"
	}
	return "", "refused with Active Directory's code " + code
}

// policyControl returns the answer to the password policy control
// (draft-behera-ldap-password-policy), or nil.
func policyControl(controls []ldap.Control) *ldap.ControlBeheraPasswordPolicy {
	p, _ := ldap.FindControl(controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy)
	return p
}

// mustChange reports whether a bind succeeded only so that the password can be
// changed. 389 DS says so with an older control.
func mustChange(controls []ldap.Control) bool {
	p := policyControl(controls)
	return p != nil && p.Error == ldap.BeheraChangeAfterReset ||
		ldap.FindControl(controls, ldap.ControlTypeVChuPasswordMustChange) != nil
}

// describe gives a directory's answer without control characters.
func describe(answer *ldap.Error) string {
	text := fmt.Sprintf("result %d %s", answer.ResultCode, ldap.LDAPResultCodeMap[answer.ResultCode])
	if diagnostic := clean.Line(answer.Err.Error()); diagnostic != "" && diagnostic != "<nil>" {
		text += " (" + diagnostic + ")"
	}
	return text
}

// explain makes an error that says what was being done, what the directory
// answered, and what to set. It returns nil for nil.
func (d *directory) explain(step string, err error) error {
	if err == nil {
		return nil
	}
	failure := &failure{text: step + ": " + clean.Line(err.Error()), err: err}
	var answer *ldap.Error
	if errors.As(err, &answer) && answer.ResultCode < ldap.ErrorNetwork {
		failure.text = step + ": " + describe(answer)
		failure.hint = d.hint(step, answer)
		return failure
	}
	switch {
	case strings.Contains(err.Error(), "x509: "):
		failure.final = true
		failure.hint = certificateHint(err.Error())
	case d.Bind == NTLM && strings.HasPrefix(step, "bind "):
		failure.hint = primary.FieldErrorf("a directory without NTLM may hang up (Samba does): then set {Bind} to {Simple}")
	}
	return failure
}

// certificateHint says what to do about a certificate that is not accepted.
// go-ldap keeps only the text of what crypto/x509 says.
func certificateHint(text string) error {
	has := func(part string) bool { return strings.Contains(text, part) }
	switch {
	case has("has expired or is not yet valid"):
		return errors.New("the directory needs a new certificate, or a clock is wrong")
	case has("legacy Common Name"):
		return errors.New("the certificate has no subject alternative name: give the directory one that names the host there")
	case has("certificate is valid for"), has("cannot validate certificate for"), has("not valid for any names"):
		return primary.FieldErrorf("set {Hosts} to the names in its certificate")
	}
	return primary.FieldErrorf("set {TLSConfig.RootCAs} to the CA of the directory")
}

// failure is an error with a text of its own that still is what it wraps.
type failure struct {
	text  string
	hint  error // what to set; may be nil
	err   error // may be nil
	final bool  // the directory did its part, so asking again does not help
}

func failf(format string, args ...any) *failure {
	return &failure{text: fmt.Sprintf(format, args...), final: true}
}

func (f *failure) Error() string {
	if f.hint != nil {
		return f.text + ": " + f.hint.Error()
	}
	return f.text
}

func (f *failure) Unwrap() []error { return []error{f.hint, f.err} }

// hint says what a result means for the settings, or is nil.
func (d *directory) hint(step string, answer *ldap.Error) error {
	switch answer.ResultCode {
	case ldap.LDAPResultOperationsError:
		if d.ServiceUser == "" {
			return primary.FieldErrorf("the directory lets nobody search without a bind: set {ServiceUser}")
		}
	case ldap.LDAPResultProtocolError, ldap.LDAPResultAuthMethodNotSupported:
		if step == "StartTLS" {
			return primary.FieldErrorf("the directory offers no StartTLS: set {Transport} to {LDAPS}")
		}
		if d.Bind == NTLM {
			return primary.FieldErrorf("the directory knows no NTLM: set {Bind} to {Simple}")
		}
	case ldap.LDAPResultStrongAuthRequired, ldap.LDAPResultConfidentialityRequired:
		return d.hintTLS()
	case ldap.LDAPResultReferral:
		return primary.FieldErrorf("another directory holds this entry: set {Hosts} to its servers")
	case ldap.LDAPResultNoSuchObject:
		return errors.New("the entry does not exist, or the service account may not see it")
	case ldap.LDAPResultInsufficientAccessRights:
		return errors.New("give the service account the right to do this")
	case ldap.LDAPResultInvalidDNSyntax:
		return primary.FieldErrorf("the directory wants a DN: set {ServiceUser} to one")
	case ldap.LDAPResultInvalidCredentials:
		return d.hintCredentials(answer)
	}
	return nil
}

// hintTLS is for directories that want more than d sends.
func (d *directory) hintTLS() error {
	switch {
	case d.Bind == NTLM:
		return primary.FieldErrorf("the directory wants binds signed or sealed, which NTLM here is not: " +
			"set {Bind} to {Simple}, and {Transport} to {StartTLS} or {LDAPS}")
	case d.Transport == Clear:
		return primary.FieldErrorf("the directory takes passwords only over TLS: set {Transport} to {StartTLS} or {LDAPS}")
	}
	return fmt.Errorf("the directory wants a stronger bind than a password over %s", d.Transport)
}

func (d *directory) hintCredentials(answer *ldap.Error) error {
	format, reason := "check {ServiceUser} and {ServicePassword}", ""
	if code, ok := adCode(answer.Err.Error()); ok {
		_, reason = adVerdict(code)
		reason += ": "
	}
	if d.Bind == Simple && !strings.ContainsAny(d.ServiceUser, `=@\`) {
		format += `; {ServiceUser} must be a DN, or on Active Directory name@domain or DOMAIN\name`
	}
	return primary.FieldErrorf("%s"+format, reason)
}
