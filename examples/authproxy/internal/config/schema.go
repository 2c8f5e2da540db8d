package config

import (
	"math"
	"slices"
)

// Role is what sections of a kind are for.
type Role int

// The roles.
const (
	RoleMain   Role = iota
	RoleClient      // how the first factor is checked
	RoleServer      // what listens for requests
)

// SectionKind describes the sections of one kind, such as [ad_client] and
// [ad_client2].
type SectionKind struct {
	Name string
	Role Role
	Keys []Key
}

// Numbering says whether a key can be given several times.
type Numbering int

// The numberings.
const (
	Single  Numbering = iota
	Listed            // host, host_2, host_3, ...
	Indexed           // radius_ip_1, radius_ip_2, ...
)

// Key describes a key. Where it holds a secret, the same key with the suffix
// _file takes the secret from a file.
type Key struct {
	Name      string // without number
	Numbering Numbering
	Value     Kind
	Default   string // empty: none
	Required  bool
	Unless    string // a key which, where it is set, makes this one not required
	Ours      bool   // the replaced proxy does not know it
	Meaning   string

	// Refused are values that cannot be honoured, in lower case, and why.
	Refused map[string]string
}

// Label is the name as it stands in documents: "host, host_N".
func (k *Key) Label() string {
	switch k.Numbering {
	case Listed:
		return k.Name + ", " + k.Name + "_N"
	case Indexed:
		return k.Name + "_N"
	default:
		return k.Name
	}
}

// The kinds of sections.
const (
	Main       = "main"
	AD         = "ad_client"
	RADIUS     = "radius_client"
	NoPrimary  = "duo_only_client"
	Challenge  = "radius_server_challenge"
	Auto       = "radius_server_auto"
	Concat     = "radius_server_concat"
	SecondOnly = "radius_server_duo_only"
)

// Sections lists what a file may hold.
var Sections = []SectionKind{
	{Main, RoleMain, mainKeys},
	{AD, RoleClient, adKeys},
	{RADIUS, RoleClient, radiusKeys},
	{NoPrimary, RoleClient, nil},
	{Challenge, RoleServer, slices.Concat(serverKeys, challengeKeys)},
	{Auto, RoleServer, slices.Concat(serverKeys, autoKeys)},
	{Concat, RoleServer, slices.Concat(serverKeys, concatKeys)},
	{SecondOnly, RoleServer, slices.Concat(serverKeys, onlyKeys)},
}

// unservedSections are kinds of sections that are known and not served, and what
// to do.
var unservedSections = map[string]string{
	"cloud":                "synchronise the directory by the service's own means",
	"sso":                  "there is no single sign-on",
	"ldap_server_auto":     "move the device to RADIUS and [radius_server_auto]",
	"http_proxy":           "use an HTTP proxy of your own",
	"radius_server_eap":    "move the device to PAP and [radius_server_challenge] or [radius_server_auto]",
	"radius_server_iframe": "the web prompt in a frame no longer exists; use [radius_server_challenge]",
}

var mainKeys = []Key{
	{Name: "debug", Value: boolean, Default: "false", Meaning: "log each stage of each login"},
	{Name: "log_dir", Value: text, Meaning: "folder of the log files; default: that of systemd's `LogsDirectory=`, `log` beside the folder `conf` that the file is in, or else `log` beside the file"},
	{Name: "log_file", Value: boolean, Default: "true", Meaning: "log to `authproxy.log` in `log_dir`"},
	{Name: "log_stdout", Value: boolean, Default: "false", Meaning: "log to the standard output"},
	{Name: "log_syslog", Value: syslogTo, Default: "false", Meaning: "log to syslog (not on Windows)"},
	{Name: "syslog_facility", Value: facility, Default: "daemon", Meaning: "facility of `log_syslog`, with the prefix `LOG_` or without"},
	{Name: "log_auth_events", Value: boolean, Default: "false", Meaning: "write events to `authevents.log` in `log_dir`, or to the standard output when `log_file` is false"},
	{Name: "log_sso_events", Value: boolean, Default: "false", Meaning: "there is no single sign-on, so there are no such events"},
	{Name: "log_max_files", Value: integer(0, math.MaxInt), Default: "6", Meaning: "old log files to keep, 0: all"},
	{Name: "log_max_size", Value: integer(0, math.MaxInt), Default: "10485760", Meaning: "bytes (rounded up to MiB) after which a new log file begins, 0: never"},
	{Name: "log_format", Value: enum("text", "json"), Default: "text", Ours: true, Meaning: "form of the log lines"},
	{Name: "http_ca_certs_file", Value: authority, Meaning: "authorities of the service's certificate; default: the system's"},
	{Name: "http_proxy_host", Value: bareHost, Meaning: "HTTP proxy for calls to the service; default: that of the environment (HTTPS_PROXY)"},
	{Name: "http_proxy_port", Value: port, Default: "80", Meaning: "port of `http_proxy_host`"},
	{Name: "interface", Value: address, Meaning: "address to listen on; default: all, IPv4 and IPv6"},
	{Name: "test_connectivity_on_startup", Value: boolean, Default: "false", Meaning: "do what `authproxy check` does at start, into the log"},
	{Name: "fips_mode", Value: boolean, Default: "false", Meaning: "has no effect: RADIUS is made of MD5, which is no FIPS algorithm"},
	{Name: "minimum_tls_version", Value: tlsVersion, Default: "1.2", Meaning: "oldest version of TLS for calls to the service; never older than 1.2"},
	{Name: "cipher_list", Value: text, Meaning: "has no effect: the ciphers are those of Go"},
	{Name: "redis_url", Value: redisURL, Ours: true, Meaning: "Redis that several nodes share: `redis://host:6379`, with TLS `rediss://`, several hosts with commas; `?master=name` for Sentinel, `?cluster=true` for a Cluster, `?db=1`; default: none, the memory of this process"},
	{Name: "redis_username", Value: text, Ours: true, Meaning: "account at Redis"},
	{Name: "redis_password", Value: secret, Ours: true, Meaning: "password of the account at Redis"},
	{Name: "redis_ca_file", Value: authority, Ours: true, Meaning: "authorities of the certificate of Redis; default: the system's"},
	{Name: "cluster_key", Value: secret, Ours: true, Meaning: "secret of all nodes, at least 32 characters, which seals what they share; required with `redis_url`"},
	{Name: "node_name", Value: text, Ours: true, Meaning: "name of this node in logs and events; default with `redis_url`: the host name"},
	{Name: "metrics_address", Value: listen, Ours: true, Meaning: "where `/metrics` (Prometheus) and `/healthz` are served; default: nowhere"},
	{Name: "status_address", Value: listen, Ours: true, Meaning: "where the status page is served, which names users; an address that other machines reach is refused without `status_password`; default: nowhere"},
	{Name: "status_password", Value: secret, Ours: true, Meaning: "password for the status page, at least 12 characters, whatever the name typed beside it"},
	{Name: "status_socket", Value: text, Ours: true, Meaning: "socket at which `authproxy status` and `explain` ask the daemon; default: `authproxy.sock` in systemd's `RuntimeDirectory=`, in `log_dir`, or beside the file"},
}

// Facilities are the names that syslog_facility knows.
var Facilities = []string{
	"kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp",
	"local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
}

var adKeys = []Key{
	{Name: "host", Numbering: Listed, Value: host, Required: true, Meaning: "directory servers; the next is asked when one does not answer"},
	{Name: "port", Value: port, Meaning: "port; default: 389, with `transport=ldaps` 636"},
	{Name: "service_account_username", Value: text, Meaning: "account that searches; required unless `bind_dn` is set"},
	{Name: "service_account_password", Value: secret, Required: true, Meaning: "password of the account that searches"},
	{Name: "bind_dn", Value: text, Meaning: "DN of the account that searches, used with `auth_type=plain`"},
	{Name: "search_dn", Value: dn, Required: true, Meaning: "entry below which users are"},
	{Name: "security_group_dn", Value: groupDN, Meaning: "group that users must be direct members of, or have as their primary group"},
	{Name: "ldap_filter", Value: filter, Meaning: "filter that users must match"},
	{Name: "username_attribute", Value: ldapName, Default: "sAMAccountName", Meaning: "attribute that holds the user name"},
	{Name: "at_attribute", Value: ldapName, Default: "userPrincipalName", Meaning: "attribute that holds names with an @"},
	{Name: "auth_type", Value: enum("plain", "ntlm2", "ntlm1", "sspi"), Default: "ntlm2", Meaning: "how passwords are proved: `plain` or `ntlm2`", Refused: map[string]string{
		"sspi":  "the account of the Windows service cannot be used: set auth_type=plain, transport=starttls and a service account",
		"ntlm1": "NTLMv1 is broken: set auth_type=ntlm2, or auth_type=plain with transport=starttls",
	}},
	{Name: "ntlm_domain", Value: text, Meaning: "NetBIOS domain, with `auth_type=ntlm2`"},
	{Name: "ntlm_workstation", Value: text, Meaning: "name of this computer, with `auth_type=ntlm2`"},
	{Name: "transport", Value: enum("clear", "starttls", "ldaps"), Default: "clear", Meaning: "how connections are protected"},
	{Name: "password_change", Value: boolean, Default: "false", Ours: true, Meaning: "let users whose password has expired or must be changed set a new one after the second factor, in `[radius_server_challenge]`; needs `transport=starttls` or `ldaps`"},
	{Name: "timeout", Value: seconds, Default: "10", Meaning: "seconds for one host"},
	{Name: "ssl_ca_certs_file", Value: authority, Meaning: "authorities of the servers' certificates; default: the system's. Unlike before, certificates are always verified"},
	{Name: "ssl_verify_hostname", Value: boolean, Default: "true", Meaning: "whether the certificate must be for the host's name"},
	{Name: "minimum_tls_version", Value: tlsVersion, Default: "1.2", Meaning: "oldest version of TLS; never older than 1.2"},
	{Name: "cipher_list", Value: text, Meaning: "has no effect: the ciphers are those of Go"},
}

var radiusKeys = []Key{
	{Name: "host", Numbering: Listed, Value: bareHost, Required: true, Meaning: "RADIUS servers, by address or name; the next is asked when one does not answer"},
	{Name: "port", Numbering: Listed, Value: port, Meaning: "port of the host with the same number; default: 1812, with `transport=tls` 2083"},
	{Name: "secret", Numbering: Listed, Value: secret, Required: true, Unless: "radsec_ca_file", Meaning: "secret shared with all of them, or with the host of the same number; default with `transport=tls`: `radsec`"},
	{Name: "transport", Value: enum("udp", "tls"), Default: "udp", Ours: true, Meaning: "how the servers are asked: by datagrams, or over TLS (RadSec, RFC 6614)"},
	{Name: "radsec_ca_file", Value: authority, Ours: true, Meaning: "authorities of the servers' certificates; required with `transport=tls`, as are the next two"},
	{Name: "radsec_cert_file", Value: certificate, Ours: true, Meaning: "certificate that is shown to the servers, followed by those of intermediate authorities"},
	{Name: "radsec_key_file", Value: privateKey, Ours: true, Meaning: "its private key, without password; others must not be able to read the file"},
	{Name: "radsec_name", Numbering: Listed, Value: dnsName, Ours: true, Meaning: "DNS name in the certificate of the host with the same number; default: the host"},
	{Name: "retries", Value: integer(1, 100), Default: "3", Meaning: "tries at each server"},
	{Name: "retry_wait", Value: seconds, Default: "2", Meaning: "seconds between tries"},
	{Name: "nas_ip", Value: address, Meaning: "NAS-IP-Address to send; default: this host's"},
	{Name: "pass_through_all", Value: boolean, Default: "false", Meaning: "send on all attributes of the server's answer"},
	{Name: "pass_through_attr_names", Value: attrs, Meaning: "attributes of the server's answer to send on, by name, or by number as in `26.3076.85`"},
	{Name: "pw_codec", Value: codec, Default: "utf-8", Meaning: "character set of passwords at the server"},
	{Name: "force_message_authenticator", Value: signed, Default: "auto", Ours: true, Meaning: "whether replies must carry a Message-Authenticator (CVE-2024-3596); `auto`: once all of a server's replies have, at least 20 over ten minutes"},
}

// serverKeys are those of every server section.
var serverKeys = []Key{
	{Name: "ikey", Value: ikey, Required: true, Meaning: "integration key"},
	{Name: "skey", Value: secret, Required: true, Meaning: "secret key"},
	{Name: "api_host", Value: apiHost, Required: true, Meaning: "host of the service, with port or without"},
	{Name: "api_port", Value: port, Meaning: "port of the service; default: 443"},
	{Name: "radius_ip", Numbering: Indexed, Value: clients, Required: true, Unless: "radius_name", Meaning: "devices that may ask"},
	{Name: "radius_secret", Numbering: Indexed, Value: secret, Required: true, Unless: "radius_name", Meaning: "secret shared with the devices of the same number"},
	{Name: "client", Value: text, Meaning: "section that checks the first factor; may be missing when there is only one"},
	{Name: "port", Value: port, Default: "1812", Meaning: "UDP port to listen on, for the devices of `radius_ip_N`"},
	{Name: "radsec_port", Value: port, Ours: true, Meaning: "TCP port to listen on for RADIUS over TLS (RadSec, RFC 6614), usually 2083; default: none"},
	{Name: "radsec_ca_file", Value: authority, Ours: true, Meaning: "authorities that issue the devices' certificates; required with `radsec_port`, as are the next three"},
	{Name: "radsec_cert_file", Value: certificate, Ours: true, Meaning: "this server's certificate, followed by those of intermediate authorities"},
	{Name: "radsec_key_file", Value: privateKey, Ours: true, Meaning: "its private key, without password; others must not be able to read the file"},
	{Name: "radius_name", Numbering: Indexed, Value: dnsName, Ours: true, Meaning: "DNS name in the certificate of a device that may ask over TLS; with `radius_ip_N` of the same number, they are one device. The secret is `radsec`"},
	{Name: "interface", Value: address, Meaning: "address to listen on; default: that of `[main]`"},
	{Name: "failmode", Value: enum("safe", "secure", "totp"), Default: "safe", Meaning: "what happens after a right first factor when the service cannot be contacted: `safe` accepts, `secure` rejects; ours: `totp` asks for a code of `totp_file`"},
	{Name: "totp_file", Value: otpKeys, Ours: true, Meaning: "keys of authenticator apps for `failmode=totp`, a line `name = key` (base32) for each account that the service would be asked about; others must not be able to read the file"},
	{Name: "api_timeout", Value: limit, Default: "10", Meaning: "seconds for each call to the service that does not wait for a person, with its repetitions; 0: no limit"},
	{Name: "exempt_username", Numbering: Indexed, Value: text, Meaning: "accounts that need no second factor, in any case of letters"},
	{Name: "client_ip_attr", Value: attribute, Default: "Calling-Station-Id", Meaning: "attribute with the user's address, or `paloalto`"},
	{Name: "pass_through_all", Value: boolean, Meaning: "as in `[radius_client]`, for this section only"},
	{Name: "pass_through_attr_names", Value: attrs, Meaning: "as in `[radius_client]`, for this section only"},
	{Name: "pw_codec", Value: codec, Default: "utf-8", Meaning: "character set of what the devices send"},
	{Name: "force_message_authenticator", Value: signed, Default: "auto", Meaning: "whether requests must carry a Message-Authenticator (CVE-2024-3596); `auto`: once all of a device's requests have, at least 20 over ten minutes"},
	{Name: "radius_message_authenticator", Numbering: Indexed, Value: signed, Ours: true, Meaning: "`force_message_authenticator` for the devices of the same number"},
	{Name: "radius_is_proxy", Numbering: Indexed, Value: boolean, Ours: true, Meaning: "whether the devices of the same number are RADIUS proxies, whose unsigned requests may carry more than 128 bytes of Proxy-State"},
	{Name: "health_username", Numbering: Indexed, Value: text, Ours: true, Meaning: "users of health checks, who are rejected at once, without log, event or first factor"},
	{Name: "duo_username", Value: enum("account", "typed"), Default: "account", Ours: true, Meaning: "the name that the service is asked about: `account`, as the directory spells it, whatever was typed; or `typed`, for sites whose users are enrolled under what they type"},
	{Name: "http_proxy_host", Value: bareHost, Meaning: "as in `[main]`, for this section only"},
	{Name: "http_proxy_port", Value: port, Meaning: "as in `[main]`, for this section only"},
	{Name: "texts_file", Value: textFile, Ours: true, Meaning: "texts for users in another language, and words they may type, a line `id = text` for each; see below"},
	{Name: "max_pushes_per_minute", Value: integer(0, 1000), Default: "10", Ours: true, Meaning: "pushes, calls and SMS to one user; 0: no limit"},
	{Name: "max_pushes_waiting", Value: integer(0, 1000), Default: "3", Ours: true, Meaning: "pushes, calls and SMS that may wait for one user at once; 0: no limit"},
	{Name: "max_wrong_passcodes", Value: integer(0, 1000), Default: "10", Ours: true, Meaning: "wrong passcodes of one user within 15 minutes; 0: no limit"},
}

var challengeKeys = []Key{
	{Name: "prompt_format", Value: enum("console", "html", "short"), Default: "console", Meaning: "form of the menu; one over 253 bytes falls back to `short`"},
	{Name: "enroll_challenge", Value: boolean, Default: "true", Meaning: "tell users how to enroll in an Access-Challenge (every answer is rejected), or else in an Access-Reject"},
	{Name: "prompt_split", Value: boolean, Default: "false", Ours: true, Meaning: "send a long menu in up to three Reply-Messages before falling back"},
	{Name: "prompt_no_markup", Value: boolean, Default: "false", Ours: true, Meaning: "leave `<`, `>` and `&` out of console texts, for ocserv"},
	{Name: "sms_asks_again", Value: boolean, Default: "false", Ours: true, Meaning: "ask for the passcode in the same login after an SMS"},
}

// concatKeys are those of sections that start the second factor at once.
var concatKeys = []Key{
	{Name: "factors", Value: factors, Default: "auto", Meaning: "what is started when the user appends nothing: the first of auto, push, phone, passcode that the user's devices can do"},
	{Name: "delimiter", Value: text, Default: ",", Meaning: "what stands between password and factor"},
}

var autoKeys = slices.Concat(concatKeys, []Key{
	{Name: "delimited_password_length", Value: integer(1, 128), Meaning: "the password has so many characters, what follows is the factor; takes the place of `delimiter`"},
	{Name: "allow_concat", Value: boolean, Default: "true", Meaning: "try digits at the end of the password as a passcode when the password is wrong with them"},
})

var onlyKeys = concatKeys[:1]
