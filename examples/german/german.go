// Package german shows a login in the language of the user:
//
//	server.Texts = func(r *radmfa.Request) prompt.Texts {
//		if speaksGerman(r.Username) {
//			return german.Texts
//		}
//		return nil
//	}
//
// What the service says itself is in the language that is set there.
package german

import "github.com/radmfa/radmfa/prompt"

// Texts are all texts in German. It must not be changed.
var Texts = prompt.Texts{
	"menu.title":            "Anmeldung in zwei Schritten",
	"menu.title.product":    "%s: Anmeldung in zwei Schritten",
	"menu.title.user":       "%s für %s",
	"menu.passcode":         "Geben Sie einen Code ein.",
	"menu.passcode.ask":     "Code: ",
	"menu.options":          "Geben Sie einen Code ein oder wählen Sie:",
	"menu.options.ask":      "Code oder Nummer (1-%s): ",
	"menu.options.only":     "Wählen Sie:",
	"menu.options.only.ask": "Nummer (1-%s): ",
	"menu.push":             "Anfrage an %s",
	"menu.push.product":     "%s-Anfrage an %s",
	"menu.phone":            "Anruf bei %s",
	"menu.sms":              "Codes per Kurznachricht an %s",
	"menu.sms.next":         " (der nächste beginnt mit: %s)",
	"menu.device":           "Ihr Gerät",
	"menu.code":             "Geben Sie für eine Anfrage %s in Duo Mobile ein.",
	"menu.short":            "Wählen Sie (%s) oder geben Sie einen Code ein:",
	"menu.short.passcode":   "Geben Sie einen Code ein:",
	"menu.short.only":       "Wählen Sie (%s):",
	"menu.shortest":         "Geben Sie anfrage, anruf, nachricht oder einen Code ein:",
	"words.push":            "anfrage",
	"words.phone":           "anruf, telefon",
	"words.sms":             "nachricht, kurznachricht",
	"login.first-factor":    "Die Anmeldung kann zurzeit nicht geprüft werden. Bitte versuchen Sie es später noch einmal.",
	"login.second-factor":   "Die Anmeldung in zwei Schritten ist zurzeit nicht möglich. Bitte versuchen Sie es später noch einmal.",
	"login.expired":         "Diese Anmeldung ist abgelaufen. Bitte melden Sie sich noch einmal an.",
	"login.no-option":       "Das steht nicht zur Wahl.",
	"login.not-in-time":     "Die Anmeldung wurde nicht rechtzeitig bestätigt. Bitte melden Sie sich noch einmal an.",
	"login.new-code":        "Der Code ist abgelaufen. Bitte nehmen Sie den neuen.",
	"login.too-many-pushes": "Ihr Telefon hat zu viele Anfragen bekommen. Bitte versuchen Sie es in einer Minute noch einmal.",
	"login.too-many-codes":  "Zu viele falsche Codes. Bitte wählen Sie einen anderen Weg, oder versuchen Sie es später noch einmal.",
	"login.append-passcode": "Bitte hängen Sie einen Code oder das Wort für einen Weg an Ihr Kennwort an, und melden Sie sich noch einmal an.",
	"login.too-many-tries":  "Zu viele ungültige Antworten. Bitte melden Sie sich noch einmal an.",
	"login.enroll-first":    "Bitte richten Sie zuerst den zweiten Schritt ein, und melden Sie sich dann noch einmal an.",
	"login.enroll-at":       "Bitte richten Sie den zweiten Schritt ein: %s",
	"login.no-factor":       "Keiner Ihrer Wege ist für diese Anmeldung zugelassen.",
	"login.enter-code":      "Geben Sie %s in Duo Mobile ein, und drücken Sie dann die Eingabetaste: ",
	"password.expired":      "Ihr Kennwort ist abgelaufen. Ändern Sie es, und melden Sie sich noch einmal an.",
	"password.must-change":  "Sie müssen Ihr Kennwort ändern, bevor Sie sich hier anmelden können.",
	"password.ask":          "Ihr Kennwort muss geändert werden. Geben Sie ein neues ein: ",
	"password.ask-again":    "Geben Sie ein neues Kennwort ein: ",
	"password.repeat":       "Geben Sie das neue Kennwort noch einmal ein: ",
	"password.differs":      "Die beiden Kennwörter sind nicht gleich.",
	"password.refused":      "Das neue Kennwort wurde abgelehnt.",
	"password.too-short":    "Das neue Kennwort ist zu kurz.",
	"password.too-simple":   "Das neue Kennwort ist zu einfach.",
	"password.used-before":  "Das neue Kennwort war schon einmal Ihres.",
	"password.too-young":    "Ihr Kennwort wurde erst vor Kurzem geändert.",
	"password.may-not":      "Sie dürfen Ihr Kennwort nicht ändern. Bitte fragen Sie Ihre Verwaltung.",
	"password.length":       "Es muss mindestens %s Zeichen haben.",
	"password.complex":      "Es muss drei davon enthalten: große Buchstaben, kleine Buchstaben, Ziffern, andere Zeichen; und nichts von Ihrem Namen.",
	"password.history":      "Es darf keines Ihrer letzten %s Kennwörter sein.",
	"password.changed":      "Ihr Kennwort wurde geändert.",
	"password.not-changed":  "Ihr Kennwort wurde nicht geändert. Bitte melden Sie sich noch einmal an, oder fragen Sie Ihre Verwaltung.",
	"password.unsure":       "Vielleicht wurde Ihr Kennwort nicht geändert. Bitte melden Sie sich mit dem neuen oder sonst mit dem alten noch einmal an.",
	"account.disabled":      "Ihr Konto ist gesperrt.",
	"account.expired":       "Ihr Konto ist abgelaufen.",
	"account.hours":         "Sie dürfen sich zu dieser Zeit nicht anmelden.",
	"account.workstation":   "Sie dürfen sich von hier nicht anmelden.",
	"radius.question":       "Ihre Antwort:",
	"totp.ask":              "Geben Sie den Code ein, den Ihre App zeigt: ",
	"totp.wrong":            "Dieser Code ist falsch oder schon verbraucht. Bitte melden Sie sich mit dem nächsten an.",
}
