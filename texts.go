package radmfa

// The texts for users that are ours; all others are the service's or the first
// factor's.
const (
	textNoFirstFactor  = "The login cannot be checked at the moment. Please try again later."
	textNoSecondFactor = "Two-factor authentication is not available at the moment. Please try again later."
	textExpired        = "This login has expired. Please log in again."
	textNoOption       = "That is not one of the options."
	textNotInTime      = "The login was not confirmed in time. Please log in again."
	textNewCode        = "The code has expired. Please use the new one."
	textTooManyPushes  = "Too many login requests were sent to your phone. Please wait a minute and try again."
	textTooManyCodes   = "Too many wrong passcodes. Please use another factor, or try again later."
	textAppendPasscode = "Please append a passcode or the name of a factor to your password, and log in again."
	textTooManyTries   = "Too many invalid answers. Please log in again."
	textEnrollFirst    = "Please finish your enrollment, then log in again."
	textNoFactor       = "None of your second factors may be used for this login."
	textMustChange     = "You must change your password before you can log in here."
	textRefused        = "The new password was refused."
	textChanged        = "Your password has been changed."
	textNotChanged     = "Your password has not been changed. Please log in again, or ask your administrator."
	textUnsure         = "Your password may not have been changed. Please log in again, with the new password or else with the old one."
)
