package page

import (
	"slices"
	"time"
)

// ForgotPassword asks where to send the leave to choose a new password. Its form goes
// to /forgot-password.
type ForgotPassword struct {
	Continue string // where to go in the end: a path of this server
	Media    Media
	Address  string // as it was typed before
	Problem  Problem
}

func (ForgotPassword) template() string { return "forgot_password" }

// Title is the heading.
func (ForgotPassword) Title() string { return "Choose a new password" }

// Sent is an address that a message was sent to.
type Sent struct {
	Mail      bool   // or else a phone number
	Medium    string // as the specification spells it
	Address   string // as people write it
	Confirmed bool
}

// Field is the name of the field for the code.
func (s Sent) Field() string { return "code_" + s.Medium }

// AddressCode asks for what was sent to addresses.
type AddressCode struct {
	Action   string // where the form goes
	Sent     []Sent
	SID      string // goes into the form; may be empty
	Continue string // likewise
	// Discreet does not say whether anything was sent.
	Discreet bool
	// UserID is whose password is asked for, too; empty for nobody.
	UserID string
	// Again leads back to where the addresses are typed.
	Again   string
	Button  string // what happens next
	Problem Problem
}

func (AddressCode) template() string { return "address_code" }

// Title is the heading.
func (a AddressCode) Title() string {
	if a.Confirmed() {
		return "Your address is confirmed"
	}
	if a.AnyMail() {
		return "Look into your mails"
	}
	return "Look at your messages"
}

// AnyMail reports whether a mail is among what was sent.
func (a AddressCode) AnyMail() bool {
	return slices.ContainsFunc(a.Sent, func(s Sent) bool { return s.Mail && !s.Confirmed })
}

// Confirmed reports whether nothing is left to confirm.
func (a AddressCode) Confirmed() bool {
	return !slices.ContainsFunc(a.Sent, func(s Sent) bool { return !s.Confirmed })
}

// NewPassword asks for the new password of somebody who has forgotten the old one. Its
// form goes to /forgot-password/new.
type NewPassword struct {
	UserID    string
	SID       string
	Continue  string
	MinLength int  // in characters
	Keep      bool // whether the apps stay signed in, as it was ticked before
	Problem   Problem
}

func (NewPassword) template() string { return "new_password" }

// Title is the heading.
func (NewPassword) Title() string { return "Choose a new password" }

// Elsewhere is for a browser in which nothing was begun: the link of a mail was opened
// on another device, or what was begun is done.
type Elsewhere struct {
	Again string // where it begins: a path of this server
}

func (Elsewhere) template() string { return "elsewhere" }

// Title is the heading.
func (Elsewhere) Title() string { return "Go on where you began" }

// OwnAddress is an address of the account.
type OwnAddress struct {
	Mail            bool
	Medium, Address string // as the specification spells them
	Shown           string // as people write it
	Added           time.Time
}

// Addresses lists the addresses of the account, and adds one. Its form goes to
// /account/addresses.
type Addresses struct {
	Own   []OwnAddress
	Media Media
	// Refused is why they cannot be changed; empty if they can.
	Refused string
	Address string // as it was typed before
	Done    string
	Problem Problem
}

func (Addresses) template() string { return "addresses" }

// Title is the heading.
func (Addresses) Title() string { return "Mail addresses and phone numbers" }

// RemoveAddress asks whether to remove an address. Its form goes to
// /account/addresses/remove.
type RemoveAddress struct {
	UserID  string
	Address OwnAddress
	Problem Problem
}

func (RemoveAddress) template() string { return "remove_address" }

// Title is the heading.
func (r RemoveAddress) Title() string {
	if r.Address.Mail {
		return "Remove this mail address?"
	}
	return "Remove this phone number?"
}

// AddressField asks for an address on the page for making an account.
type AddressField struct {
	Mail     bool
	Medium   string // the name of the field, too
	Text     string // as it was typed before
	Optional bool
}
