package german_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
	"github.com/radmfa/radmfa/examples/german"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/prompt"
	"github.com/radmfa/radmfa/radius"
)

func TestEveryTextIsTranslated(t *testing.T) {
	require.NoError(t, german.Texts.Validate())
	for id, text := range prompt.DefaultTexts() {
		assert.NotEqual(t, text, german.Texts[id], id)
		assert.NotEmpty(t, german.Texts[id], id)
	}
}

// english finds words of our default texts, but for names of products.
var english = regexp.MustCompile(`(?i)\b(the|your|please|login|log in|passcode|option|enter|call|push|phone|to|for|sms)\d*\b`)

// scene is a server whose users read German.
type scene struct {
	t       *testing.T
	server  *radmfa.Server
	service *duotest.Service
}

func newScene(t *testing.T, user *duotest.User) *scene {
	service := &duotest.Service{Users: map[string]*duotest.User{"jdoe": user}}
	return &scene{t, &radmfa.Server{
		Primary:      primarytest.Users{"jdoe": "geheim", "neu": "geheim"},
		SecondFactor: service.Client(),
		Texts:        func(*radmfa.Request) prompt.Texts { return german.Texts },
		Dialogue:     radmfa.Dialogue{NoTextPrompt: true},
		Logger:       slog.New(slog.DiscardHandler),
	}, service}
}

// login gives the answers, and returns the last reply. No reply of ours may be in
// English.
func (s *scene) login(answers ...radius.Secret) string {
	s.t.Helper()
	request := radmfa.Request{Device: "vpn", Username: "jdoe", Password: "geheim"}
	for {
		reply := s.server.Login(s.t.Context(), request)
		text := strings.Join(reply.Messages, "")
		if reply.Result != radmfa.ResultAccepted { // that is the service's
			assert.NotRegexp(s.t, english, text)
		}
		if reply.Result != radmfa.ResultChallenged || len(answers) == 0 {
			return fmt.Sprint(reply.Result, " ", text)
		}
		request.State, request.Password, answers = reply.State, answers[0], answers[1:]
	}
}

type failing struct{ err error }

func (f failing) Authenticate(context.Context, *primary.Request) (*primary.Result, error) {
	if f.err == nil {
		panic("broken")
	}
	return nil, f.err
}

func TestNoEnglishRemains(t *testing.T) {
	for name, test := range map[string]struct {
		user    duotest.User
		change  func(s *scene)
		answers []radius.Secret
		want    string
	}{
		"menu":          {want: "Duo: Anmeldung in zwei Schritten für jdoe\n\nGeben Sie einen Code ein oder wählen Sie:\n\n1. Duo-Anfrage an"},
		"word":          {answers: []radius.Secret{"Anruf"}, want: "accepted"},
		"word, number":  {answers: []radius.Secret{"anfrage1"}, want: "accepted"},
		"english word":  {answers: []radius.Secret{"push"}, want: "accepted"},
		"typing error":  {answers: []radius.Secret{"foo"}, want: german.Texts["login.no-option"]},
		"three of them": {answers: []radius.Secret{"foo", "foo", "foo"}, want: german.Texts["login.too-many-tries"]},
		"short": {
			change: func(s *scene) { s.server.Prompt = prompt.Short{} },
			want:   "Wählen Sie (`anfrage1`, `anruf1`, `nachricht1`) oder geben Sie einen Code ein:",
		},
		"only some": {
			change: func(s *scene) { s.policy(duo.FactorPush) }, want: "Nummer (1-1): ",
		},
		"none": {
			change: func(s *scene) { s.policy() }, want: german.Texts["login.no-factor"],
		},
		"outage": {
			change: func(s *scene) { s.service.Break("/auth/v2/preauth", duotest.Fault{Times: -1, Refuse: true}) },
			want:   german.Texts["login.second-factor"],
		},
		"directory is away": {
			change: func(s *scene) { s.server.Primary = failing{errors.New("away")} }, want: german.Texts["login.first-factor"],
		},
		"password has expired": {
			change: func(s *scene) {
				s.server.Primary = failing{&primary.Rejection{Message: "Your password has expired. Change it and log in again."}}
			},
			want: german.Texts["password.expired"],
		},
		"panic": {
			change: func(s *scene) { s.server.Primary = failing{} }, want: german.Texts["login.second-factor"],
		},
		"push that nobody answers": {
			user:    duotest.User{Devices: []duotest.Device{{Answer: duotest.After(time.Hour, duotest.Approve)}}},
			change:  func(s *scene) { s.server.AuthTimeout = 10 * time.Second },
			answers: []radius.Secret{"1"}, want: german.Texts["login.not-in-time"],
		},
		"too many wrong codes": {
			change: func(s *scene) {
				s.server.Limits.WrongPasscodes = 1
				s.server.Login(s.t.Context(), radmfa.Request{
					Device: "vpn", Username: "jdoe", Password: "999999", State: s.server.Login(s.t.Context(),
						radmfa.Request{Device: "vpn", Username: "jdoe", Password: "geheim"}).State,
				})
			},
			answers: []radius.Secret{"999999"}, want: german.Texts["login.too-many-codes"],
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(t, &test.user)
				if test.change != nil {
					test.change(s)
				}
				assert.Contains(t, s.login(test.answers...), test.want)
			})
		})
	}
}

// policy permits only some factors.
func (s *scene) policy(factors ...duo.Factor) {
	s.server.Policy = func(_ context.Context, _ *radmfa.Login, p *radmfa.Policy) error {
		p.Factors = append([]duo.Factor{}, factors...)
		return nil
	}
}

// The language is that of the user.
func TestEachUserHasALanguage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(t, &duotest.User{})
		s.service.Users["neu"] = &duotest.User{}
		s.server.Texts = func(r *radmfa.Request) prompt.Texts {
			if r.Username == "jdoe" {
				return german.Texts
			}
			return nil
		}
		assert.Contains(t, s.login(), "Anmeldung")
		reply := s.server.Login(t.Context(), radmfa.Request{Device: "vpn", Username: "neu", Password: "geheim"})
		assert.Contains(t, strings.Join(reply.Messages, ""), "Duo two-factor login for neu")
	})
}
