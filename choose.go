package radmfa

import (
	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

// choose reads what the user chose: in the answer to the menu, or with Auto
// after the password.
func (l *login) choose() step {
	if l.server.Auto != nil {
		return l.chooseAutomatically()
	}
	choice, err := l.parse(string(l.request.Password))
	if err != nil || !l.ses.policy.permits(choice.Kind) {
		return l.askAgain(textNoOption)
	}
	l.choice = choice
	return atProve
}

// parse reads an answer in the words of the user.
func (l *login) parse(answer string) (prompt.Selection, error) {
	m := *l.ses.menu
	m.Texts = l.texts
	return m.Parse(answer)
}

// chooseAutomatically takes what was appended to the password, or else the first
// of Auto's factors that the user has.
func (l *login) chooseAutomatically() step {
	m, policy := l.ses.menu, &l.ses.policy
	if l.ses.appended != "" {
		choice, err := l.parse(l.ses.appended)
		if err != nil || !policy.permits(choice.Kind) {
			return l.reject(CauseTypingError, textNoOption, "what is appended to the password is no factor and no passcode")
		}
		l.choice = choice
		return atProve
	}
	for _, factor := range l.server.Auto.factors() {
		if factor == duo.FactorPasscode {
			break
		}
		if choice, err := m.Parse(string(factor)); err == nil && policy.permits(choice.Kind) {
			l.choice = choice
			return atProve
		}
	}
	return l.reject(CauseNoFactor, textAppendPasscode, "no passcode is appended, and no factor can be started")
}

// askAgain shows the menu once more, below a line that says why, unless the user
// has used up the attempts.
func (l *login) askAgain(notice string) step {
	if l.lastAttempt() {
		return l.reject(CauseTypingError, textTooManyTries, "too many answers that are no option and no passcode")
	}
	l.showMenu(notice)
	l.because(CauseTypingError, "the answer is no option and no passcode; the menu is shown again")
	return decided
}

// lastAttempt counts an attempt, and reports whether there may be no other.
func (l *login) lastAttempt() bool {
	l.ses.attempts++
	return l.ses.attempts >= l.server.Dialogue.maxAttempts()
}

func (l *login) showMenu(notice string) step {
	m := *l.ses.menu
	m.Notice = notice
	l.ses.menu = &m
	return l.ask(atChoose, l.render(&m))
}
