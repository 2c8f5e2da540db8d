package ldapauth

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
	for _, text := range []string{expiredText, mustChangeText, disabledText, accountExpiredText, hoursText, workstationText,
		refusedText, tooShortText, tooSimpleText, usedBeforeText, tooYoungText, mayNotChangeText} {
		assert.NotEqual(t, text, all.Translate(text))
	}
}
