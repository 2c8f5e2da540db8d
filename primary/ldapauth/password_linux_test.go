package ldapauth

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/internal/ldaptest"
	"github.com/radmfa/radmfa/primary"
	"github.com/radmfa/radmfa/primary/primarytest"
	"github.com/radmfa/radmfa/radius"
)

// demanded logs in, and returns the change that the login demands.
func demanded(t *testing.T, a *Authenticator, name, password string) *primary.Request {
	t.Helper()
	rejection := requireRejection(t, login(t, a, name, password))
	require.NotNil(t, rejection.MustChange, rejection.Reason)
	assert.Equal(t, name, rejection.MustChange.Result.Username)
	r := request(name, password)
	r.State = rejection.MustChange.State
	return r
}

// refusedChange is the text of a refusal, and what it says is demanded.
func refusedChange(t *testing.T, a *Authenticator, r *primary.Request, password radius.Secret) string {
	t.Helper()
	rejection := requireRejection(t, a.ChangePassword(t.Context(), r, password))
	assert.NotContains(t, rejection.Reason, string(r.Password))
	if m := rejection.MustChange; m != nil {
		assert.Equal(t, r.State, m.State)
		return fmt.Sprintf("%s length %d, history %d, complex %v", rejection.Message, m.MinLength, m.History, m.Complex)
	}
	return rejection.Message
}

func TestActiveDirectoryPasswordsAreChanged(t *testing.T) {
	s := samba(t)
	for _, transport := range []Transport{StartTLS, LDAPS} {
		t.Run(transport.String(), func(t *testing.T) {
			a := adAuth(t, s)
			a.AllowPasswordChange, a.Transport = true, transport
			require.NoError(t, s.MustChange("change1", "first-pw"))
			r := demanded(t, a, "change1", "first-pw")
			password := "päss-€-" + transport.String()
			require.NoError(t, a.ChangePassword(t.Context(), r, radius.Secret(password)))
			require.NoError(t, login(t, a, "change1", password))
			assert.Empty(t, refusedChange(t, a, r, "another-pw"), "the old password is no longer right")
			require.NoError(t, login(t, a, "change1", password))
		})
	}
	t.Run("the contract", func(t *testing.T) {
		a := adAuth(t, s)
		a.AllowPasswordChange = true
		require.NoError(t, s.MustChange("change1", "third-pw"))
		primarytest.TestPasswordChanger(t, primarytest.Change{
			Changer: a, Username: "change1", Password: "third-pw", New: "fourth-pw", Refused: "x",
		})
	})
	t.Run("expired", func(t *testing.T) {
		a := adAuth(t, s)
		a.AllowPasswordChange = true
		const dn = "CN=change2,CN=Users," + adBase
		policy := "CN=expiring,CN=Password Settings Container,CN=System," + adBase
		require.NoError(t, s.Modify(policy, map[string]string{"msDS-PSOAppliesTo": dn}))
		t.Cleanup(func() {
			assert.NoError(t, s.Modify(policy, map[string]string{"msDS-PSOAppliesTo": "CN=expired,CN=Users," + adBase}))
		})
		require.NoError(t, s.Expire("change2"))
		r := demanded(t, a, "change2", "change2-pw")
		assert.Equal(t, refusedText+" length 0, history 0, complex false", refusedChange(t, a, r, "x"), "the service account may not see the policy")
		require.NoError(t, a.ChangePassword(t.Context(), r, "second-pw"))
		require.NoError(t, login(t, a, "change2", "second-pw"))
	})
}

func TestActiveDirectoryRefusesPasswords(t *testing.T) {
	s := samba(t)
	a := adAuth(t, s)
	a.AllowPasswordChange = true
	require.NoError(t, s.MustChange("change3", "First-pw-1"))
	require.NoError(t, s.Modify(adBase, map[string]string{"minPwdLength": "9", "pwdProperties": "1", "pwdHistoryLength": "5"}))
	t.Cleanup(func() {
		assert.NoError(t, s.Modify(adBase, map[string]string{"minPwdLength": "4", "pwdProperties": "0", "pwdHistoryLength": "24"}))
	})
	r := demanded(t, a, "change3", "First-pw-1")
	for name, password := range map[string]radius.Secret{
		"length": "Aa-1", "history": "First-pw-1", "complexity": "all small letters",
	} {
		assert.Equal(t, refusedText+" length 9, history 5, complex true", refusedChange(t, a, r, password), name)
	}
	require.NoError(t, a.ChangePassword(t.Context(), r, "Second-Secret-2"))
	require.NoError(t, login(t, a, "change3", "Second-Secret-2"))
}

func TestActiveDirectoryForbidsChanges(t *testing.T) {
	s := samba(t)
	a := adAuth(t, s)
	a.AllowPasswordChange = true
	require.NoError(t, s.ForbidChange("change4"))
	require.NoError(t, s.MustChange("change4", "first-pw"))
	r := demanded(t, a, "change4", "first-pw")
	assert.Equal(t, mayNotChangeText, refusedChange(t, a, r, "another-pw"))
	r.Password = "guess"
	requireRejection(t, a.ChangePassword(t.Context(), r, "another-pw"))
	demanded(t, a, "change4", "first-pw")
}

func TestOpenLDAPPasswordsAreChanged(t *testing.T) {
	s := ldaptest.StartSlapd(t, nil)
	a := slapdAuth(t, s)
	a.AllowPasswordChange = true
	r := demanded(t, a, "change1", "change1-pw")
	assert.Equal(t, tooShortText+" length 8, history 3, complex false", refusedChange(t, a, r, "short"))
	assert.Equal(t, usedBeforeText+" length 8, history 3, complex false", refusedChange(t, a, r, "change1-pw"))
	require.NoError(t, a.ChangePassword(t.Context(), r, "päss-€-word"))
	require.NoError(t, login(t, a, "change1", "päss-€-word"))
	assert.Empty(t, refusedChange(t, a, r, "another-pw"), "the old password is no longer right")

	primarytest.TestPasswordChanger(t, primarytest.Change{
		Changer: a, Username: "change4", Password: "change4-pw", New: "another-pw", Refused: "short",
	})

	r = demanded(t, a, "change2", "change2-pw")
	require.NoError(t, a.ChangePassword(t.Context(), r, "other"), "no policy")
	require.NoError(t, login(t, a, "change2", "other"))

	r = demanded(t, a, "change3", "change3-pw")
	assert.Equal(t, mayNotChangeText, refusedChange(t, a, r, "another-pw"))

	rejection := requireRejection(t, login(t, a, "expired", "expired-pw"))
	assert.Nil(t, rejection.MustChange, "slapd lets nobody change a password that has expired")
	assert.Equal(t, expiredText, rejection.Message)
	s.Kill()
	require.NoError(t, s.Start())
	require.NoError(t, login(t, a, "change1", "päss-€-word"), "the change is there to stay")
}
