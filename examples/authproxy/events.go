package main

import (
	"encoding/json"
	"io"
	"net/netip"
	"regexp"
	"time"

	"github.com/radmfa/radmfa"
	"github.com/radmfa/radmfa/duo"
)

// authEvent is a line of authevents.log. README.md documents the keys.
type authEvent struct {
	Time       time.Time     `json:"timestamp"`
	Type       string        `json:"event_type"`
	LoginID    string        `json:"login_id"`
	Section    string        `json:"server_section"`
	Stage      radmfa.Stage  `json:"auth_stage"`
	Result     radmfa.Result `json:"status"`
	Username   string        `json:"username"`
	ClientIP   string        `json:"client_ip,omitempty"`
	NASIP      string        `json:"nas_ip,omitempty"`
	Factor     string        `json:"factor,omitempty"`
	Message    string        `json:"msg,omitempty"`
	Cause      radmfa.Cause  `json:"cause,omitempty"`
	Reason     string        `json:"reason,omitempty"`
	Status     duo.Status    `json:"service_status,omitempty"`
	StatusMsg  string        `json:"service_msg,omitempty"`
	Error      string        `json:"error,omitempty"`
	TxID       string        `json:"txid,omitempty"`
	Millis     int64         `json:"duration_ms"`
	FailedOpen bool          `json:"failed_open,omitempty"`
	Fallback   bool          `json:"fallback,omitempty"`
	Repeated   bool          `json:"repeated,omitempty"`
}

var link = regexp.MustCompile(`https?://\S+`)

// writeEvent writes an event as one line of JSON.
func writeEvent(w io.Writer, section string, e radmfa.Event) error {
	line := authEvent{
		Time: e.Time.UTC(), Type: "authentication", LoginID: e.LoginID, Section: section, Stage: e.Stage, Result: e.Result,
		Username: e.Username, NASIP: addrText(e.NAS), ClientIP: addrText(e.ClientIP), Factor: string(e.Factor),
		Cause: e.Cause, Reason: e.Reason, Status: e.Status, StatusMsg: e.StatusMessage, TxID: e.TxID, Millis: e.Duration.Milliseconds(),
		FailedOpen: e.FailedOpen, Fallback: e.Fallback, Repeated: e.Repeated,
	}
	// A challenge is a menu, perhaps with a code to type on the phone; and whoever
	// has the address of an enrollment can enroll in the user's place.
	if e.Result != radmfa.ResultChallenged {
		line.Message = link.ReplaceAllString(e.Message, "[link]")
	}
	if e.Err != nil {
		line.Error = e.Err.Error()
	}
	encoded, err := json.Marshal(line)
	if err != nil {
		return err
	}
	_, err = w.Write(append(encoded, '\n'))
	return err
}

// addrText is empty for an address that is not known.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}
