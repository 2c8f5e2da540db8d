package radmfa

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/prompt"
)

func TestOurTextsCanBeTranslated(t *testing.T) {
	all := prompt.Texts{}
	for id := range prompt.DefaultTexts() {
		all[id] = id
	}
	for _, text := range []string{
		textNoFirstFactor, textNoSecondFactor, textExpired, textNoOption, textNotInTime, textNewCode, textTooManyPushes,
		textTooManyCodes, textAppendPasscode, textTooManyTries, textEnrollFirst, textNoFactor,
		textMustChange, textRefused, textChanged, textNotChanged, textUnsure,
	} {
		assert.NotEqual(t, text, all.Translate(text))
	}
}
