package radmfa

// step is one part of a login. A challenge stores the step that its answer
// enters at, so the numbers are part of the stored form and never change.
type step uint8

const (
	decided       step = 0 // the login holds a decision
	atFirstFactor step = 1 // verify the password, or answer the first factor's challenge
	atPolicy      step = 2 // settle what this account must prove
	atPreauth     step = 3 // ask the service what the account has, and show a menu
	atChoose      step = 4 // read what the user chose
	atProve       step = 5 // start the chosen factor
	atApproval    step = 6 // wait for the person who was asked
	atEnroll      step = 7 // whatever the answer, the user must enroll first

	atAskPassword    step = 8  // ask for a new password
	atNewPassword    step = 9  // read it, and ask once more
	atRepeatPassword step = 10 // read it once more
	atChangePassword step = 11 // have it changed
)

// run takes a login from a step to its decision. This is the whole order of a
// login: a step does one thing and returns the next step, or decides. A
// challenge is a decision that remembers the step at which the answer goes on.
func (l *login) run(at step) {
	for at != decided {
		switch at {
		case atFirstFactor:
			at = l.firstFactor()
		case atPolicy:
			at = l.policy()
		case atPreauth:
			at = l.preauth()
		case atChoose:
			at = l.choose()
		case atProve:
			at = l.prove()
		case atApproval:
			at = l.approval()
		case atEnroll:
			at = l.reject(CauseNotEnrolled, textEnrollFirst, "the user must enroll first")
		case atAskPassword:
			at = l.askPassword()
		case atNewPassword:
			at = l.newPassword()
		case atRepeatPassword:
			at = l.repeatPassword()
		case atChangePassword:
			at = l.changePassword()
		default: // a session of a version that knows more steps
			at = l.reject(CauseExpired, textExpired, "the session was stored by another version")
		}
	}
}
