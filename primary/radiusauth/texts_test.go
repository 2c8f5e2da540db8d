package radiusauth

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/radmfa/radmfa/prompt"
)

func TestOurTextCanBeTranslated(t *testing.T) {
	assert.Equal(t, "Antwort:", prompt.Texts{"radius.question": "Antwort:"}.Translate(defaultQuestion))
}
