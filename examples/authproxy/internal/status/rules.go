package status

import "github.com/radmfa/radmfa/duo"

// rule says what a reason of the library means to an operator.
type rule struct {
	reason string // how the reason begins; of the first factor, a part of it
	words  string // in place of the reason; empty: the reason says it

	// keys of the file that decide: those of [main] have "main/" before them,
	// those of the section that checks the first factor "client/".
	keys []string

	// elsewhere is what decides that is not in the file.
	elsewhere string
}

// The rules are looked at in order. A test finds each reason in the library's
// source.

// wrongFirstFactor begins the reasons of firstFactorRules.
const wrongFirstFactor = "the first factor is wrong: "

var firstFactorRules = []rule{
	{reason: "no entry below", words: "the directory shows no such user", keys: []string{"client/search_dn", "client/username_attribute", "client/ldap_filter"}},
	{reason: "is in none of the allowed groups", words: "not a member of security_group_dn", keys: []string{"client/security_group_dn"}},
	{reason: "is spelled otherwise", keys: []string{"client/username_attribute"}, elsewhere: "the directory: what the service account may read"},
	{reason: "names no user", words: "the name is no user's", keys: []string{"client/username_attribute", "client/at_attribute"}},
	{reason: "both have", words: "two entries of the directory have this name", keys: []string{"client/search_dn", "client/ldap_filter"}},
	{reason: "is not the directory's own", words: "the domain before the name is not the directory's", keys: []string{"client/ntlm_domain"}, elsewhere: "the directory: its NetBIOS and DNS names"},
	{reason: "the password must be changed first", words: "the password must be changed first", keys: []string{"client/password_change"}, elsewhere: "the directory: pwdLastSet of the account (OpenLDAP: pwdReset)"},
	{reason: "the password has expired", words: "the password has expired", keys: []string{"client/password_change"}, elsewhere: "the directory: its maximum age of passwords"},
	{reason: "the account is locked", words: "the account is locked", elsewhere: "the directory: lockoutTime of the account (OpenLDAP: pwdAccountLockedTime)"},
	{reason: "the account is disabled", words: "the account is disabled", elsewhere: "the directory: userAccountControl of the account"},
	{reason: "the account has expired", words: "the account has expired", elsewhere: "the directory: accountExpires of the account"},
	{reason: "not permitted to log on at this time", words: "the account may not log on at this time", elsewhere: "the directory: logonHours of the account"},
	{reason: "not permitted to log on from this workstation", words: "the account may not log on from here", keys: []string{"client/ntlm_workstation"}, elsewhere: "the directory: userWorkstations of the account"},
	{reason: "account restriction", words: "the account may not log on in this way", keys: []string{"client/auth_type"}, elsewhere: "the directory: membership in Protected Users"},
	{reason: "wrong password, or an account that may not log in", words: "the password is wrong, or the account may not log in", elsewhere: "the directory"},
	{reason: "wrong password", words: "the password is wrong", elsewhere: "the directory"},
	{reason: "no such user", words: "the directory has no such user", elsewhere: "the directory"},
	{reason: "refused the user", words: "the RADIUS server refused the user", keys: []string{"client/host"}, elsewhere: "that server: its log says why"},
	{reason: "the NAS uses CHAP or MS-CHAP, which only a RADIUS server can verify", words: "the device sends a hash (CHAP) in place of the password: set it to PAP", elsewhere: "the device"},
	{reason: "the password is not UTF-8: set the character set", words: "the password is not in the character set that is set", keys: []string{"pw_codec"}},
	{reason: "the password cannot be encoded as", words: "the password cannot be written in the server's character set", keys: []string{"client/pw_codec"}},
}

var rules = []rule{
	{reason: "the first factor cannot be asked", keys: []string{"client/host"}},

	// The service, before a factor.
	{reason: "the service denies this user", elsewhere: "the service: the user's status there, or the application's policy"},
	{reason: "bypass: the service asks this user for no second factor", words: "the service asks this user for no second factor", elsewhere: "the service: the user's status there, or the application's policy"},
	{reason: "the user must enroll first", words: "the user is not enrolled at the service", keys: []string{"duo_username"}, elsewhere: "the service: its policy for new users"},
	{reason: "the policy permits none of the user's factors", words: "the service permits none of the user's factors", elsewhere: "the service: the application's policy"},
	{reason: "the service cannot be contacted, and no password is changed", elsewhere: "a password is changed only after the second factor"},
	{reason: "the service cannot be contacted", keys: []string{"failmode"}},
	{reason: "the time was up before the service could", words: "the first factor took so long that no time was left for the service", keys: []string{"client/host", "client/timeout"}},
	{reason: "the service cannot be asked", keys: []string{"api_host"}},
	{reason: "exempt from the second factor", words: "exempt from the second factor", keys: []string{"exempt_username"}},

	// The second factor.
	{reason: "what is appended to the password is no factor", keys: []string{"delimiter", "delimited_password_length"}},
	{reason: "no passcode is appended, and no factor can be started", words: "no passcode is appended to the password, and the user has none of the factors", keys: []string{"factors"}},
	{reason: "too many answers that are no option", words: "the user's answers were no option and no passcode", elsewhere: "the user"},
	{reason: "over the limit on wrong passcodes", words: "too many wrong passcodes within 15 minutes", keys: []string{"max_wrong_passcodes"}},
	{reason: "over the limit on pushes", words: "too many pushes, calls or SMS", keys: []string{"max_pushes_waiting", "max_pushes_per_minute"}},
	{reason: "passcodes were sent, which is no login", words: "passcodes were sent by SMS; the user logs in again with one", keys: []string{"sms_asks_again"}},
	{reason: "the user reported the login as fraud", words: "the user reported fraud: somebody else may have the password", elsewhere: "the user, on the phone"},
	{reason: "nobody answered the login request", words: "nobody answered on the phone", elsewhere: "the user; the device must wait for 60 s"},
	{reason: "nobody confirmed the login in time", words: "nobody answered on the phone in time", elsewhere: "the user; the device must wait for 60 s"},
	{reason: "the user is locked out at the service", elsewhere: "the service: the user's status there"},
	{reason: "the user denied the login request", elsewhere: "the user, on the phone"},
	{reason: "the service denied the login", elsewhere: "the service: the user's status there, or the application's policy"},
	{reason: "the answer is no option and no passcode", elsewhere: "the user"},
	{reason: "the passcode is wrong", elsewhere: "the service: what the user's device or token shows"},

	// New passwords.
	{reason: "the first factor cannot change passwords", keys: []string{"client/password_change"}},
	{reason: "the password cannot be changed", elsewhere: "the directory: its rules for passwords"},
	{reason: "it is not known whether the password was changed", elsewhere: "the directory, which did not answer"},
	{reason: "too many new passwords that differ or are refused", elsewhere: "the user; the directory: its rules for passwords"},

	// Requests and challenges.
	{reason: "the User-Password is not readable", words: "the password cannot be read: the shared secret of the device is another one", keys: []string{"radius_secret"}, elsewhere: "the device"},
	{reason: "the User-Name is not UTF-8", keys: []string{"pw_codec"}},
	{reason: "the User-Password is not UTF-8", keys: []string{"pw_codec"}},
	{reason: "the NAS uses EAP", elsewhere: "the device"},
	{reason: "the request has neither a password nor a State", elsewhere: "the device"},
	{reason: "the State is unknown or has expired", words: "the answer came too late, or for a challenge of before a restart", elsewhere: "the device; redis_url keeps challenges over restarts"},
	{reason: "the challenge cannot be", keys: []string{"main/redis_url"}},
	{reason: "the login cannot be stored", keys: []string{"main/redis_url"}},
}

// refusals are rules by the service's code.
var refusals = map[int]rule{
	duo.CodeBadIntegration: {keys: []string{"ikey", "api_host"}},
	duo.CodeBadSignature:   {keys: []string{"skey", "api_host"}},
	duo.CodeBadTimestamp:   {elsewhere: "the clock of this machine"},
	duo.CodeForbidden:      {keys: []string{"ikey"}, elsewhere: "the service: the kind of application that the keys belong to"},
}
