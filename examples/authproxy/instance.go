package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/challenge"
	"github.com/radmfa/radmfa/challenge/redisstore"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/examples/authproxy/internal/config"
	"github.com/radmfa/radmfa/examples/totp"
	"github.com/radmfa/radmfa/internal/names"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

// instance is a server section at work.
type instance struct {
	section *config.Section
	server  *radmfa.Server
	clients *radius.Clients
	tls     *tls.Config // for devices over TLS, or nil
	service tracedService
	first   firstFactor
	health  []string          // users of health checks
	redis   *redisstore.Store // nil: challenges stay in this process
	inUse   sync.WaitGroup    // requests and probes

	clockReadAt atomic.Int64 // when the service's clock was read, in Unix nanoseconds
	clockOff    atomic.Bool  // this machine's is, and it was said
}

// surroundings are what the instances of a process share.
type surroundings struct {
	logger *slog.Logger
	store  func(section string) challenge.Shared
	// observe is told each event of a section.
	observe func(section string, e radmfa.Event)
	// record is told it too, for those who ask for the state.
	record func(s *config.Section, e radmfa.Event)
	// certificate is told the certificate that somebody showed: "service" or
	// "first_factor".
	certificate func(section, peer string, state tls.ConnectionState)
	// outage is told whether logins find the service of a section out of reach.
	outage func(section string, began bool)
}

// discard are the surroundings of an instance that serves nobody.
func discard() surroundings {
	return surroundings{
		logger:      slog.New(slog.DiscardHandler),
		store:       func(string) challenge.Shared { return &challenge.MemoryStore{} },
		observe:     func(string, radmfa.Event) {},
		record:      func(*config.Section, radmfa.Event) {},
		certificate: func(string, string, tls.ConnectionState) {},
		outage:      func(string, bool) {},
	}
}

// buildAll makes an instance of every server section. Its error is a
// config.Problems.
func buildAll(file *config.File, around surroundings) ([]*instance, error) {
	var instances []*instance
	var problems config.Problems
	for _, s := range file.Servers {
		i, err := build(s, file.Main, around)
		if err != nil {
			problems = append(problems, problem(file, s, err))
			continue
		}
		instances = append(instances, i)
	}
	if len(problems) > 0 {
		closeAll(instances)
		return nil, problems
	}
	return instances, nil
}

func closeAll(instances []*instance) {
	for _, i := range instances {
		i.close()
	}
}

// build makes an instance of a server section.
func build(s, main *config.Section, around surroundings) (*instance, error) {
	logger := around.logger.With("section", s.Name)
	i := &instance{section: s, health: numbered(s, "health_username")}
	var err error
	if i.clients, err = nasClients(s); err != nil {
		return nil, err
	}
	if i.tls, err = serverTLS(s); err != nil {
		return nil, err
	}
	i.first = newFirstFactor(s, logger, func(state tls.ConnectionState) { around.certificate(s.Name, peerFirstFactor, state) })
	words := serviceWords{s, main}
	i.service = tracedService{
		Client: serviceClient(s, main, logger, around, words), words: words,
		certificate: func(state tls.ConnectionState) { around.certificate(s.Name, peerService, state) },
	}
	i.server = mfaServer(s)
	i.server.Clients = i.clients
	i.server.Primary = i.first
	i.server.SecondFactor = i.service
	i.server.Store = around.store(s.Name)
	i.share(main)
	i.server.Fallback = i.fallback(around)
	i.server.OnEvent = func(_ context.Context, e radmfa.Event) {
		around.observe(s.Name, e)
		around.record(s, e)
	}
	i.server.Logger = logger
	if err := i.server.Validate(); err != nil {
		i.close()
		return nil, err
	}
	return i, nil
}

// mfaServer is what a section says of the dialogue and of who must prove what.
func mfaServer(s *config.Section) *radmfa.Server {
	server := &radmfa.Server{
		Auto:     autoOf(s),
		Policy:   policy(s),
		Encoding: s.Codec("pw_codec"),
		Describe: describe(s),
		Limits: radmfa.Limits{
			Outstanding: limit(s, "max_pushes_waiting"), PerMinute: limit(s, "max_pushes_per_minute"),
			WrongPasscodes: limit(s, "max_wrong_passcodes"),
		},
	}
	if s.Word("failmode") == "safe" {
		server.FailMode = radmfa.FailOpen
	}
	if texts := s.Texts(); len(texts) > 0 {
		server.Texts = func(*radmfa.Request) prompt.Texts { return texts }
	}
	if s.Kind() == config.Challenge {
		server.Prompt = renderer(s)
		server.Dialogue.EnrollReject = !s.Bool("enroll_challenge")
		server.Dialogue.SMSAsksAgain = s.Bool("sms_asks_again")
	}
	return server
}

// usedCodes names the store of the codes that were used. All sections and nodes
// share it, so that a code is good once, whichever of them is asked.
const usedCodes = "totp"

// fallback is the second factor for outages, or nil.
func (i *instance) fallback(around surroundings) radmfa.SecondFactor {
	if i.section.Word("failmode") != "totp" {
		return nil
	}
	keyOf := i.section.KeyOf()
	used := around.store(usedCodes)
	if i.redis != nil {
		used = &redisstore.Store{Client: i.redis.Client, Prefix: redisPrefix(usedCodes)}
	}
	return &totp.Factor{
		Key:   func(_ context.Context, account string) (duo.Secret, error) { return keyOf(account), nil },
		Store: used,
	}
}

// close frees what the instance holds, once its last request has ended. There may
// be no new ones.
func (i *instance) close() {
	i.inUse.Wait()
	i.first.close()
	i.service.CloseIdleConnections()
	if i.redis != nil {
		_ = i.redis.Client.Close()
	}
}

// serverTLS is what devices over TLS are shown, and must show.
func serverTLS(s *config.Section) (*tls.Config, error) {
	if !s.Set("radsec_port") {
		return nil, nil
	}
	certificate, err := s.Certificate()
	return &tls.Config{Certificates: []tls.Certificate{certificate}, ClientCAs: s.Certificates("radsec_ca_file")}, err
}

// nasClients are the devices that may ask. Those with one secret, or one number,
// are one device with several addresses.
func nasClients(s *config.Section) (*radius.Clients, error) {
	var list []radius.Client
	first := map[radius.Secret]string{} // the key of the first address with a secret
	for _, n := range s.Numbers("radius_ip") {
		secret := s.Secret(s.Numbered("radius_secret", n))
		if first[secret] == "" {
			first[secret] = s.Name + "/" + s.Numbered("radius_ip", n)
		}
		for _, prefix := range s.Prefixes(s.Numbered("radius_ip", n)) {
			client := radius.Client{
				Prefix: prefix, Secret: secret, Device: first[secret],
				Proxy:                s.Bool(s.Numbered("radius_is_proxy", n)),
				MessageAuthenticator: signaturePolicies[s.SignedBy(n)],
			}
			if prefix.IsSingleIP() {
				client.Name = prefix.Addr().String()
			}
			list = append(list, client)
		}
	}
	for _, n := range s.Numbers("radius_name") {
		name := s.Numbered("radius_name", n)
		device := s.Name + "/" + name
		if key := s.Numbered("radius_ip", n); s.Set(key) {
			device = first[s.Secret(s.Numbered("radius_secret", n))]
		}
		list = append(list, radius.Client{
			TLSName: s.Text(name), Device: device, MessageAuthenticator: signaturePolicies[s.SignedBy(n)],
		})
	}
	return radius.NewClients(list...)
}

var signaturePolicies = map[string]radius.MessageAuthenticatorPolicy{
	"true":  radius.MessageAuthenticatorRequired,
	"auto":  radius.MessageAuthenticatorAuto,
	"false": radius.MessageAuthenticatorOptional,
}

// serviceClient is the client of the section's service.
func serviceClient(s, main *config.Section, logger *slog.Logger, around surroundings, words serviceWords) *duo.Client {
	c := &duo.Client{
		Host:           s.APIHost(),
		IntegrationKey: s.Text("ikey"),
		SecretKey:      duo.Secret(s.Secret("skey")),
		Timeout:        cmp.Or(s.Seconds("api_timeout"), -1),
		TLSConfig:      &tls.Config{RootCAs: main.Certificates("http_ca_certs_file"), MinVersion: main.TLS("minimum_tls_version")},
		OnOutage: func(open bool, cause error) {
			around.outage(s.Name, open)
			if open {
				logger.Warn("the service cannot be contacted", "failmode", s.Word("failmode"), "error", words.err(cause))
			} else {
				logger.Info("the service can be contacted again")
			}
		},
	}
	if host := cmp.Or(s.Text("http_proxy_host"), main.Text("http_proxy_host")); host != "" {
		port := cmp.Or(s.Text("http_proxy_port"), main.Text("http_proxy_port"))
		c.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: net.JoinHostPort(strings.Trim(host, "[]"), port)})
	}
	return c
}

// tracedService is a client that tells of the certificates it was shown, and of
// the keys to look at.
type tracedService struct {
	*duo.Client
	certificate func(tls.ConnectionState)
	words       serviceWords
}

// Preauth comes first in every login, so it is what opens connections, and what
// wrong keys fail.
func (t tracedService) Preauth(ctx context.Context, r *duo.PreauthRequest) (*duo.PreauthResponse, error) {
	response, err := t.Client.Preauth(tracedBy(ctx, t.certificate), r)
	return response, t.words.err(err)
}

// renderer is the form of the menu.
func renderer(s *config.Section) prompt.Renderer {
	switch s.Word("prompt_format") {
	case "html":
		return prompt.HTML{Split: s.Bool("prompt_split")}
	case "short":
		return prompt.Short{}
	default:
		return prompt.Console{Split: s.Bool("prompt_split"), NoMarkup: s.Bool("prompt_no_markup")}
	}
}

// autoOf returns nil for sections that ask the user.
func autoOf(s *config.Section) *radmfa.Auto {
	if s.Kind() == config.Challenge {
		return nil
	}
	auto := &radmfa.Auto{}
	for _, f := range s.List("factors") {
		auto.Factors = append(auto.Factors, duo.Factor(f))
	}
	switch s.Kind() {
	case config.Auto:
		auto.Delimiter = s.Text("delimiter")
		auto.PasswordLength = s.Int("delimited_password_length")
		switch {
		case s.Client == nil: // a passcode alone is enough, as there is no password
			auto.Concat = radmfa.ConcatExpected
		case s.Bool("allow_concat"):
			auto.Concat = radmfa.ConcatAllowed
		}
	case config.Concat:
		auto.Delimiter = s.Text("delimiter")
		auto.Concat = radmfa.ConcatExpected
	case config.SecondOnly:
		auto.Only = true
	}
	return auto
}

// limit is what a Server takes for a limit that is 0 in the file: none.
func limit(s *config.Section, name string) int { return cmp.Or(s.Int(name), -1) }

// policy exempts accounts from the second factor, in any case of letters, and says
// which name the service is asked about.
func policy(s *config.Section) func(context.Context, *radmfa.Login, *radmfa.Policy) error {
	exempt, typed := numbered(s, "exempt_username"), s.Word("duo_username") == "typed"
	return func(_ context.Context, l *radmfa.Login, p *radmfa.Policy) error {
		p.Exempt = slices.ContainsFunc(exempt, func(name string) bool { return names.Equal(name, l.Account) })
		if typed {
			p.Username = l.Request.Username
		}
		return nil
	}
}

// numbered returns the values of a numbered key.
func numbered(s *config.Section, name string) (values []string) {
	for _, n := range s.Numbers(name) {
		values = append(values, s.Text(s.Numbered(name, n)))
	}
	return values
}

// describe finds the address of the user's machine.
func describe(s *config.Section) func(*radius.Packet, *radmfa.Description) {
	addr := radmfa.AddrIn(s.Attribute("client_ip_attr"))
	return func(p *radius.Packet, d *radmfa.Description) { d.ClientIP = addr(p) }
}

// firstFactor is what checks the passwords of a section.
type firstFactor interface {
	primary.Authenticator
	// check tries every server, and returns a line for each.
	check(ctx context.Context) []finding
	// probe asks whether any server is there, without a login. It cannot always
	// tell.
	probe(ctx context.Context) (known bool, err error)
	// servers returns how each of them does.
	servers() []serverStats
	// forget forgets what was learnt about the servers, for a reload.
	forget()
	close()
}

// serverStats is how a server of a first factor does.
type serverStats struct {
	address    string
	down       bool
	failures   uint64
	pooled     bool // it keeps connections
	busy, idle int
}

// finding is what a check found out about one server.
type finding struct {
	text string
	said string // what text says, and the beginning of err's text too
	err  error
}

func newFinding(server string, works []string, err error) finding {
	return finding{text: strings.Join(append([]string{server}, works...), "; "), said: server, err: err}
}

// noFirstFactor is for sections whose device checks the password.
type noFirstFactor struct{ primary.None }

func (noFirstFactor) check(context.Context) []finding {
	return []finding{{text: "none: the device checks the password"}}
}

func (noFirstFactor) probe(context.Context) (known bool, err error) { return true, nil }

func (noFirstFactor) servers() []serverStats { return nil }

func (noFirstFactor) forget() {}
func (noFirstFactor) close()  {}

// newFirstFactor makes the first factor of a server section.
func newFirstFactor(s *config.Section, logger *slog.Logger, certificate func(tls.ConnectionState)) firstFactor {
	switch {
	case s.Client == nil:
		return noFirstFactor{}
	case s.Client.Kind() == config.AD:
		return newDirectory(s.Client, logger, certificate)
	default:
		return newUpstream(s, logger, certificate)
	}
}
