package ldapauth

import (
	"bytes"
	"crypto/tls"
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/ldapauth/ldapauthtest"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
)

// changing plays with two hosts, a and b, at which jdoe must change the password.
func changing(t *testing.T, activeDirectory bool, test func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory)) {
	synctest.Test(t, func(t *testing.T) {
		server, roots := ldapauthtest.NewTLS("a", "b")
		hosts := network{}
		for _, name := range []string{"a:389", "b:389"} {
			d := fakeDirectory()
			d.TLS, d.ActiveDirectory, d.Entries[2].MustChange = server, activeDirectory, true
			d.Entries[0].Attributes = map[string][]string{"minPwdLength": {"8"}, "pwdHistoryLength": {"5"}, "pwdProperties": {"1"}, "pwdMinLength": {"8"}}
			d.Entries[2].Attributes["pwdPolicySubentry"] = []string{base}
			hosts[name] = d
		}
		auth := fakeAuth(t, hosts)
		auth.Transport, auth.TLSConfig, auth.AllowPasswordChange = StartTLS, &tls.Config{RootCAs: roots}, true
		test(t, auth, hosts["a:389"], hosts["b:389"])
	})
}

// demand logs jdoe in, and returns the change that the login demands.
func demand(t *testing.T, a *Authenticator) *primary.Request {
	t.Helper()
	rejection := requireRejection(t, login(t, a, "jdoe", "jdoe-pw"))
	require.NotNil(t, rejection.MustChange, rejection.Reason)
	assert.Equal(t, mustChangeText, rejection.Message)
	assert.Equal(t, "jdoe", rejection.MustChange.Result.Username)
	r := request("jdoe", "jdoe-pw")
	r.State = rejection.MustChange.State
	return r
}

func TestAPasswordIsChanged(t *testing.T) {
	for _, activeDirectory := range []bool{true, false} {
		changing(t, activeDirectory, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
			var log bytes.Buffer
			auth.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
			r := demand(t, auth)
			rejection := requireRejection(t, auth.ChangePassword(t.Context(), r, "short"))
			require.NotNil(t, rejection.MustChange)
			assert.Equal(t, 8, rejection.MustChange.MinLength)
			assert.Equal(t, activeDirectory, rejection.MustChange.Complex)
			require.NoError(t, auth.ChangePassword(t.Context(), r, "new-secret"))
			require.NoError(t, login(t, auth, "jdoe", "new-secret"))
			assert.EqualValues(t, 2, a.Changes.Load())
			assert.Zero(t, b.Dialed.Load())
			for _, secret := range []string{"jdoe-pw", "short", "new-secret"} {
				assert.NotContains(t, log.String(), secret)
			}
		})
	}
}

func TestKeepsTheContractOfPasswordChanger(t *testing.T) {
	for _, activeDirectory := range []bool{true, false} {
		changing(t, activeDirectory, func(t *testing.T, auth *Authenticator, _, b *ldapauthtest.Directory) {
			b.Down.Store(true)
			primarytest.TestPasswordChanger(t, primarytest.Change{
				Changer: auth, Username: "jdoe", Password: "jdoe-pw", New: "new-secret", Refused: "short",
			})
		})
	}
}

func TestAChangeIsSentOnce(t *testing.T) {
	for name, fault := range map[string]func(a *ldapauthtest.Directory) *ldapauthtest.Result{
		"silence":     func(*ldapauthtest.Directory) *ldapauthtest.Result { time.Sleep(time.Hour); return nil },
		"cut":         func(a *ldapauthtest.Directory) *ldapauthtest.Result { a.CloseConns(); return nil },
		"busy":        func(*ldapauthtest.Directory) *ldapauthtest.Result { return &ldapauthtest.Result{Code: 51} },
		"unavailable": func(*ldapauthtest.Directory) *ldapauthtest.Result { return &ldapauthtest.Result{Code: 52} },
	} {
		for _, activeDirectory := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				changing(t, activeDirectory, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
					a.OnChange = func(string, string, string) *ldapauthtest.Result { return fault(a) }
					r := demand(t, auth)
					err := auth.ChangePassword(t.Context(), r, "new-secret")
					assertUnknown(t, err)
					assert.ErrorContains(t, err, "a:389")
					assert.NotContains(t, err.Error(), "new-secret")
					assert.EqualValues(t, 1, a.Changes.Load())
					assert.Zero(t, b.Changes.Load())
					time.Sleep(2 * time.Hour)
				})
			})
		}
	}
}

// A host that does not get as far as the change gives way to the next.
func TestAnotherHostMakesTheChange(t *testing.T) {
	for name, fault := range map[string]func(a *ldapauthtest.Directory){
		"down": func(a *ldapauthtest.Directory) { a.Down.Store(true) },
		"hung": func(a *ldapauthtest.Directory) { a.Hung.Store(true) },
		"busy": func(a *ldapauthtest.Directory) {
			a.OnBind = func(string, string) *ldapauthtest.Result { return &ldapauthtest.Result{Code: 51} }
		},
	} {
		for _, activeDirectory := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				changing(t, activeDirectory, func(t *testing.T, auth *Authenticator, a, b *ldapauthtest.Directory) {
					r := demand(t, auth)
					fault(a)
					require.NoError(t, auth.ChangePassword(t.Context(), r, "new-secret"))
					assert.EqualValues(t, 1, b.Changes.Load())
					assert.Zero(t, a.Changes.Load())
					b.Down.Store(true)
					b.CloseConns()
					a.Down.Store(true)
					assertUnknown(t, auth.ChangePassword(t.Context(), r, "newer-secret"))
				})
			})
		}
	}
}

func TestChangesThatAreNotMade(t *testing.T) {
	changing(t, true, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
		r := demand(t, auth)
		for _, password := range []radius.Secret{"", "nul\x00nul"} {
			assert.NotNil(t, requireRejection(t, auth.ChangePassword(t.Context(), r, password)).MustChange)
		}
		for _, state := range []string{"", "u"} {
			r.State = []byte(state)
			assert.Nil(t, requireRejection(t, auth.ChangePassword(t.Context(), r, "new-secret")).MustChange)
		}
		assert.Zero(t, a.Changes.Load())
	})
	changing(t, true, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
		auth.AllowPasswordChange = false
		rejection := requireRejection(t, login(t, auth, "jdoe", "jdoe-pw"))
		assert.Nil(t, rejection.MustChange)
		r := request("jdoe", "jdoe-pw")
		r.State = []byte("u" + personDN("jdoe"))
		assert.ErrorContains(t, auth.ChangePassword(t.Context(), r, "new-secret"), "AllowPasswordChange is not set")
		assert.Zero(t, a.Changes.Load())
	})
}

func TestAWrongPasswordIsNeverToBeChanged(t *testing.T) {
	for _, activeDirectory := range []bool{true, false} {
		changing(t, activeDirectory, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
			assert.Nil(t, requireRejection(t, login(t, auth, "jdoe", "guess")).MustChange)
			r := demand(t, auth)
			r.Password = "guess"
			assert.Nil(t, requireRejection(t, auth.ChangePassword(t.Context(), r, "new-secret")).MustChange)
			assert.Equal(t, "jdoe-pw", a.Entries[2].Password)
		})
	}
}

func TestRefusalsOfAChange(t *testing.T) {
	for name, test := range map[string]struct {
		result  ldapauthtest.Result
		message string
		again   bool
	}{
		"too short":    {ldapauthtest.Result{Code: 19, Policy: policyError(6)}, tooShortText, true},
		"too simple":   {ldapauthtest.Result{Code: 19, Policy: policyError(5)}, tooSimpleText, true},
		"in history":   {ldapauthtest.Result{Code: 19, Policy: policyError(8)}, usedBeforeText, true},
		"too young":    {ldapauthtest.Result{Code: 19, Policy: policyError(7)}, tooYoungText, false},
		"not allowed":  {ldapauthtest.Result{Code: 53, Policy: policyError(3)}, mayNotChangeText, false},
		"no control":   {ldapauthtest.Result{Code: 19, Message: "invalid password syntax"}, refusedText, true},
		"no rights":    {ldapauthtest.Result{Code: 50}, mayNotChangeText, false},
		"bad control":  {ldapauthtest.Result{Code: 19, Policy: []byte{0x30, 9}}, refusedText, true},
		"long control": {ldapauthtest.Result{Code: 19, Policy: policyError(99)}, refusedText, true},
	} {
		t.Run(name, func(t *testing.T) {
			changing(t, false, func(t *testing.T, auth *Authenticator, a, _ *ldapauthtest.Directory) {
				a.OnChange = func(string, string, string) *ldapauthtest.Result { return &test.result }
				rejection := requireRejection(t, auth.ChangePassword(t.Context(), demand(t, auth), "new-secret"))
				assert.Equal(t, test.message, rejection.Message)
				assert.Equal(t, test.again, rejection.MustChange != nil)
			})
		})
	}
}

func TestAPasswordIsNotChangedInClearText(t *testing.T) {
	auth := fakeAuth(t, network{"a:389": fakeDirectory()})
	auth.AllowPasswordChange = true
	assert.ErrorContains(t, auth.Validate(), "AllowPasswordChange needs TLS")
	err := auth.ChangePassword(t.Context(), request("jdoe", "jdoe-pw"), "new-secret")
	assert.False(t, err == nil || errors.Is(err, primary.ErrRejected))
}

func TestDomainOf(t *testing.T) {
	for dn, want := range map[string]string{
		"CN=Smith\\, John,OU=People,DC=sub,DC=example,DC=com": "dc=sub,dc=example,dc=com",
		"uid=jdoe,o=Example": "", "rubbish": "", "": "",
	} {
		assert.Equal(t, want, domainOf(dn), dn)
	}
}
