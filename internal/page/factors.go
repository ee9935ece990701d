package page

import (
	"html/template"
	"strconv"
	"strings"
	"time"

	"rsc.io/qr"
)

// Passkey is one passkey of an account.
type Passkey struct {
	ID     string // for its address
	Name   string
	Added  time.Time
	Used   time.Time // zero: never
	Synced bool      // whether the system keeps a copy elsewhere
}

// Security shows what the account can be signed in to with, beside the password.
type Security struct {
	Passkeys []Passkey
	// CanAdd says that browsers keep passkeys for this server.
	CanAdd   bool
	Codes    time.Time // when one-time codes were set up; zero: they are not
	Recovery int       // how many recovery codes are left
	Password bool      // whether there is a password at all
	Done     string
}

func (Security) template() string { return "security" }

// Title is the heading.
func (Security) Title() string { return "How you sign in" }

// Any reports whether there is a second factor.
func (s Security) Any() bool { return len(s.Passkeys) > 0 || !s.Codes.IsZero() }

// PasskeyDetails shows one passkey, to rename or remove it. Its forms go to
// /account/security/passkey.
type PasskeyDetails struct {
	Passkey Passkey
	Problem Problem
}

func (PasskeyDetails) template() string { return "passkey" }

// Title is the heading.
func (p PasskeyDetails) Title() string { return clean(p.Passkey.Name) }

// AskPasskey has the browser ask for a passkey. It is the only page with a script,
// because browsers ask no other way.
type AskPasskey struct {
	Heading, Lead string
	Button        string
	Action        string // where the form goes
	// Options are what the script hands to the browser, as JSON.
	Options  string
	Create   bool   // whether a new passkey is made, which gets a name
	Name     string // as it was typed before
	Continue string // where to go afterwards; empty if Action knows
	Back     string // a way out
	Problem  Problem
}

func (AskPasskey) template() string { return "ask_passkey" }

// Title is the heading.
func (a AskPasskey) Title() string { return a.Heading }

// Script is the asset that the page needs.
func (AskPasskey) Script() string { return "passkeys.js" }

// OneTimeCodes sets up codes from an app. Its form goes to Action.
type OneTimeCodes struct {
	Action string
	Secret string // base32
	// Address is what the QR code says.
	Address string
	// Required says that nobody is signed in until this is done; then Continue is where
	// to go afterwards, and a passkey is an alternative, if Passkey.
	Required bool
	Passkey  bool
	Continue string
	Problem  Problem
}

func (OneTimeCodes) template() string { return "one_time_codes" }

// Title is the heading.
func (o OneTimeCodes) Title() string {
	if o.Required {
		return "Protect your account"
	}
	return "One-time codes from an app"
}

// Groups is the secret in groups of four, which are easier to type.
func (o OneTimeCodes) Groups() string {
	var b strings.Builder
	for i, r := range o.Secret {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// quietZone is the empty border of a QR code, in modules.
const quietZone = 4

// QR is the address as a picture.
func (o OneTimeCodes) QR() (template.HTML, error) {
	code, err := qr.Encode(o.Address, qr.M)
	if err != nil {
		return "", err
	}
	size := strconv.Itoa(code.Size + 2*quietZone)
	var b strings.Builder
	b.WriteString(`<svg class="qr" viewBox="0 0 ` + size + " " + size + `" width="232" height="232" role="img" aria-label="QR code for the app" shape-rendering="crispEdges"><path d="`)
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				b.WriteString("M" + strconv.Itoa(x+quietZone) + " " + strconv.Itoa(y+quietZone) + "h1v1h-1z")
			}
		}
	}
	b.WriteString(`"/></svg>`)
	return template.HTML(b.String()), nil // numbers alone
}

// RecoveryCodes shows recovery codes, once.
type RecoveryCodes struct {
	Codes []string
	// First says that they come with the first factor.
	First    bool
	Continue string
}

func (RecoveryCodes) template() string { return "recovery_codes" }

// Title is the heading.
func (RecoveryCodes) Title() string { return "Keep these recovery codes" }

// SecondStep asks for the second step of signing in. Its form goes to /login/second.
type SecondStep struct {
	Codes    bool // whether the account has one-time codes
	Passkey  bool // whether it has a passkey
	Recovery bool // whether it has recovery codes
	Continue string
	Problem  Problem
}

func (SecondStep) template() string { return "second_step" }

// Title is the heading.
func (SecondStep) Title() string { return "One more step" }

// Fallback asks whether to confirm what an app is about to do. Its form goes to the
// page of the stage m.login.sso.
type Fallback struct {
	Account string
	What    string // what that is: the end of a sentence; empty if it has no name
	Session string
	Here    string
	Done    bool // whether it is confirmed
}

func (Fallback) template() string { return "fallback" }

// Title is the heading.
func (f Fallback) Title() string {
	if f.Done {
		return "Confirmed"
	}
	return "Confirm what your app does?"
}
