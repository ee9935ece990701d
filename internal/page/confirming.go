package page

import (
	"net/url"
	"strings"
)

// Confirm asks whoever is signed in to prove again who they are, before something
// that cannot be taken back. Its form goes to /confirm.
type Confirm struct {
	UserID   string
	Continue string // where to go afterwards: a path of this server
	// Act is what the person is about to do, after "You are about to"; empty if the page
	// to go on to is not known.
	Act string
	// Password, Codes and Passkey say by what the person can prove it. With a password,
	// codes are its second half; Recovery says that a recovery code can stand for one.
	Password, Codes, Passkey, Recovery bool
	// Providers can ask the person in its place.
	Providers []Provider
	Problem   Problem
}

func (Confirm) template() string { return "confirm" }

// Title is the heading.
func (Confirm) Title() string { return "Confirm that it is you" }

// AsksCode reports whether the form has a field for a code.
func (c Confirm) AsksCode() bool { return c.Codes || (c.Password && c.Recovery) }

// ActOf says what the page at a path is for, as [Confirm] has it.
func ActOf(path string) string {
	at, query, _ := strings.Cut(path, "?")
	if act, ok := confirmed[at]; ok {
		return act
	}
	if at == "/admin/user/act" {
		values, err := url.ParseQuery(query)
		if err == nil {
			return userActs[values.Get("act")].about
		}
	}
	return ""
}

// confirmed are the pages that need a proof, and what they are for.
var confirmed = map[string]string{
	"/account/password":         "change your password",
	"/account/deactivate":       "close your account",
	"/account/identity":         "reset your encryption identity",
	"/account/addresses":        "change your mail addresses and phone numbers",
	"/account/addresses/code":   "add an address to your account",
	"/account/providers":        "change by which providers you sign in",
	"/account/security":         "change how you sign in",
	"/account/security/passkey": "change one of your passkeys",
	"/account/security/codes":   "change the one-time codes of your app",
	"/admin/tokens/new":         "make a registration token",
	"/admin/tokens/revoke":      "revoke a registration token",
}
