package prompt_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/radmfa/radmfa/duo"
	"github.com/radmfa/radmfa/prompt"
)

func ExampleTexts() {
	m := prompt.New("jdoe", []duo.Device{{ID: "D1", Number: "XXX-1234", Capabilities: []duo.Factor{duo.FactorPhone}}})
	m.Texts = prompt.Texts{"menu.short": "Wählen Sie (%s) oder geben Sie einen Code ein:", "words.phone": "anruf"}
	fmt.Println(prompt.Short{}.Render(m)[0])
	choice, _ := m.Parse("Anruf")
	fmt.Println(choice.Factor)
	// Output:
	// Wählen Sie (`anruf1`) oder geben Sie einen Code ein:
	// phone
}

func TestTextsAreChecked(t *testing.T) {
	require.NoError(t, prompt.DefaultTexts().Validate())
	require.ErrorContains(t, prompt.Texts{"menu.titel": "x"}.Validate(), `there is no text "menu.titel"`)
	require.ErrorContains(t, prompt.Texts{"menu.push": "Anfrage"}.Validate(), `the text "menu.push" must contain %s as often as "Push to %s"`)
}

// What a name contains is not taken for a place of the text.
func TestArgumentsAreNotReplaced(t *testing.T) {
	var texts prompt.Texts
	assert.Equal(t, "%s Push to %s", texts.Text("menu.push.product", "%s", "%s"))
	assert.Equal(t, "Push to ", prompt.Texts{"menu.push": "Push to "}.Text("menu.push", "x"))
}

func TestTranslateLeavesOtherTexts(t *testing.T) {
	texts := prompt.Texts{"account.disabled": "Gesperrt."}
	assert.Equal(t, "Gesperrt.", texts.Translate("Your account is disabled."))
	assert.Equal(t, "Success.", texts.Translate("Success."))
	assert.Empty(t, texts.Translate(""))
}
