package radmfa

import (
	"fmt"

	"github.com/radmfa/radmfa/duo"
)

// Cause says in a word why a request ended as it did. Unlike Event.Reason and
// Event.Status the words are few, are ours, and do not change, so that they can
// be counted and branched on.
type Cause string

// The causes with ResultAccepted.
const (
	CauseProved          Cause = "proved"           // the second factor
	CauseBypass          Cause = "bypass"           // the service asks this user for none
	CauseExempt          Cause = "exempt"           // the Policy asks for none
	CauseRemembered      Cause = "remembered"       // proved a short time ago, see Remember
	CauseFailedOpen      Cause = "failed_open"      // the service is out of reach
	CausePasswordChanged Cause = "password_changed" // after the second factor
)

// The causes with ResultRejected. Those of a person's answer also stand with
// ResultChallenged, when the user may try again.
const (
	CauseFirstFactor        Cause = "first_factor"   // said no: a wrong password, or Reason
	CauseServiceDenies      Cause = "service_denies" // this user, before a factor was chosen
	CauseNotEnrolled        Cause = "not_enrolled"   // the user has to enroll first
	CauseNoFactor           Cause = "no_factor"      // of the user's may be used
	CauseTypingError        Cause = "typing_error"   // no option and no passcode
	CauseWrongPasscode      Cause = "wrong_passcode"
	CauseDenied             Cause = "denied"               // by the user, on the phone
	CauseFraud              Cause = "fraud"                // the user says that it was somebody else
	CauseTimeout            Cause = "timeout"              // nobody answered
	CauseLockedOut          Cause = "locked_out"           // too many failures before
	CauseSent               Cause = "sent"                 // passcodes are on their way, for the next login
	CauseOverLimit          Cause = "over_limit"           // see Limits
	CauseExpired            Cause = "expired"              // the State is unknown, another's, or used
	CauseBadRequest         Cause = "bad_request"          // see Reason
	CausePasswordNotChanged Cause = "password_not_changed" // though it must be
	CauseOutage             Cause = "outage"               // the service is out of reach, and FailMode is FailClosed
)

// The causes with ResultFailed.
const (
	CauseFirstFactorFailed Cause = "first_factor_failed" // it could not be asked
	CauseServiceFailed     Cause = "service_failed"      // it refused to answer, or answered nonsense
	CauseInternal          Cause = "internal"            // something of ours, such as the Store
)

// denial says, for counting and in the operator's words, why the second factor
// let nobody in.
func denial(f duo.Factor, status duo.Status) (Cause, string) {
	switch {
	case status == duo.StatusSent:
		return CauseSent, "passcodes were sent, which is no login"
	case status == duo.StatusFraud:
		return CauseFraud, "the user reported the login as fraud"
	case status == duo.StatusTimeout:
		return CauseTimeout, "nobody answered the login request"
	case status == duo.StatusLockedOut:
		return CauseLockedOut, "the user is locked out at the service"
	case status != duo.StatusDeny:
		return CauseDenied, fmt.Sprintf("the service denied the login: %q", status)
	case f == duo.FactorPasscode:
		return CauseWrongPasscode, "the passcode is wrong"
	}
	return CauseDenied, "the user denied the login request"
}
