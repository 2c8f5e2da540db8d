package duo_test

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/duo/duotest"
)

func TestAResponseThatCannotBeReadIsNoOutage(t *testing.T) {
	for _, call := range calls {
		for _, response := range []string{
			`{}`, `[]`, `{"devices":7}`, `{"result":"","txid":""}`, `{"result":{}}`, `{"time":"soon"}`, `{"username":"j"}`,
		} {
			svc := new(duotest.Service)
			svc.Break("", duotest.Fault{Body: `{"stat":"OK","response":` + response + `}`})
			err := call.make(t.Context(), svc.Client())
			var e *duo.Error
			require.ErrorAs(t, err, &e, call.name+response)
			assert.Equal(t, 200, e.Status)
			assert.NotEmpty(t, e.Message)
			assert.False(t, unavailable(err))
		}
	}
}

func TestOddFieldsDoNotCostALogin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		svc := new(duotest.Service)
		svc.Break("", duotest.Fault{Body: `{"stat":"OK","new":[1],"code":null,"response":{
			"result":"auth","status_msg":{"text":"?"},"verification_code":376,"txid":"t1","expiration":"60","new":{},
			"devices":[
				{"device":"DP1","number":5551234,"name":null,"sms_nextcode":7,"capabilities":["push",8,{},"new"],"new":true},
				{"number":"a device without an id"},
				{}
			],
			"prompt":{"text":7,"factors":{"1":1,"2":null},"new":0}}}`})
		got, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
		require.NoError(t, err)
		assert.Equal(t, &duo.PreauthResponse{
			Result:           duo.PreauthAuth,
			TxID:             "t1",
			VerificationCode: "376",
			Expiration:       time.Now().Add(time.Minute),
			Devices:          []duo.Device{{ID: "DP1", Number: "5551234", NextSMSCode: "7", Capabilities: []duo.Factor{"push", "8", "", "new"}}},
			Prompt:           &duo.Prompt{Text: "7", Factors: map[string]string{"1": "1", "2": ""}},
		}, got)
	})
}

func TestCodesCanBeNumbersOrStrings(t *testing.T) {
	for _, code := range []string{`40002`, `"40002"`, `40002.0`, `" 40002 "`} {
		svc := new(duotest.Service)
		svc.Break("", duotest.Fault{Status: 400, Body: `{"stat":"FAIL","code":` + code + `,"message":"no"}`})
		_, err := svc.Client().Check(t.Context())
		var e *duo.Error
		require.ErrorAs(t, err, &e)
		assert.Equal(t, 40002, e.Code)
	}
}

func TestTimesCanCountFromNowOrFrom1970(t *testing.T) {
	for expiration, want := range map[string]time.Duration{
		`30`:        30 * time.Second,
		`"30"`:      30 * time.Second,
		`946688430`: 30 * time.Second, // the bubble begins at 946684800, the service is an hour ahead
		`0`:         time.Minute,      // what the documentation says
		`-5`:        time.Minute,
		`"?"`:       time.Minute,
		`null`:      time.Minute,
	} {
		synctest.Test(t, func(t *testing.T) {
			svc := &duotest.Service{Skew: time.Hour}
			svc.Break("", duotest.Fault{Body: `{"stat":"OK","response":{"result":"auth","txid":"t1","expiration":` + expiration + `}}`})
			got, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
			require.NoError(t, err)
			assert.True(t, time.Now().Add(want).Equal(got.Expiration), "%s: %v", expiration, got.Expiration)
		})
	}
}

func TestTextOfTheServiceHasNoControlCharacters(t *testing.T) {
	const nasty = `a\u001b[2Jb\u0000c\u009dd\u007fe\nf\r\ng\th`
	const lines, line = "a[2Jbcde\nf\ng h", "a[2Jbcde f g h"
	svc := new(duotest.Service)
	svc.Break("", duotest.Fault{Body: `{"stat":"OK","response":{"result":"auth","status_msg":"` + nasty + `",
		"devices":[{"device":"D","display_name":"` + nasty + `"}],
		"prompt":{"text":"` + nasty + `","factors":{"` + nasty + `":"` + nasty + `"}}}}`})
	got, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.NoError(t, err)
	assert.Equal(t, lines, got.StatusMessage)
	assert.Equal(t, line, got.Devices[0].DisplayName)
	assert.Equal(t, &duo.Prompt{Text: lines, Factors: map[string]string{line: line}}, got.Prompt)

	svc.Break("", duotest.Fault{Status: 400, Body: `{"stat":"FAIL","code":40002,"message":"` + nasty + `","message_detail":"` + nasty + `"}`})
	_, err = svc.Client().Check(t.Context())
	assert.EqualError(t, err, "duo: check: error 40002: "+line+": "+line)
}

func TestTextOfTheServiceIsCutBetweenRunes(t *testing.T) {
	svc := service("jdoe", &duotest.User{Preauth: duo.PreauthDeny, Message: "x" + strings.Repeat("é", 5000)})
	got, err := svc.Client().Preauth(t.Context(), &duo.PreauthRequest{Username: "jdoe"})
	require.NoError(t, err)
	assert.Equal(t, "x"+strings.Repeat("é", 2047), got.StatusMessage)
}

func TestDevicesCanBeStored(t *testing.T) {
	want := duo.Device{ID: "D", Type: "phone", DisplayName: "iOS", Name: "n", Number: "1", Capabilities: []duo.Factor{duo.FactorPush}, NextSMSCode: "2"}
	stored, err := json.Marshal(want)
	require.NoError(t, err)
	var got duo.Device
	require.NoError(t, json.Unmarshal(stored, &got))
	assert.Equal(t, want, got)
}
