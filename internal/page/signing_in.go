package page

import (
	"html/template"
	"time"
)

// SignIn asks for a username, or an address in its place, and a password. Its form
// goes to /login.
type SignIn struct {
	Continue string // where to go afterwards: a path of this server
	// Media are the kinds of addresses that can be confirmed here. With any, people
	// can choose a new password.
	Media Media
	Done  string // what was just done, in a sentence; empty for nothing
	// For is the application that waits for the sign-in; nil if there is none.
	For      *Client
	Username string // as it was typed before
	Register bool   // whether accounts can be made
	Passkeys bool   // whether browsers keep passkeys for this server
	// Providers can vouch for people.
	Providers []Provider
	Problem   Problem
}

func (SignIn) template() string { return "sign_in" }

// Title is the heading.
func (SignIn) Title() string { return "Sign in" }

// Register makes an account. Its form goes to /register.
type Register struct {
	Continue  string // where to go afterwards: a path of this server
	For       *Client
	Username  string // as they were typed before
	NeedToken bool
	RegToken  string
	Terms     *Terms // what has to be accepted; nil for nothing
	Accepted  bool
	Addresses []AddressField
	Approval  bool       // whether an administrator has to approve the account
	Reason    *Reason    // why the person wants to join; nil if nobody asks
	MinLength int        // of the password, in characters
	Providers []Provider // whose people get accounts, too
	Problem   Problem
}

// Reason is the question why somebody wants to join.
type Reason struct {
	Text      string // as it was typed before
	Required  bool
	MaxLength int // in characters
}

// Terms are terms to be accepted.
type Terms struct{ Name, URL string }

func (Register) template() string { return "register" }

// AsksToken reports whether there is a field for a registration token: where one is
// needed, and for whoever follows a link with one.
func (r Register) AsksToken() bool { return r.NeedToken || r.RegToken != "" }

// Title is the heading.
func (Register) Title() string { return "Make an account" }

// HasAccount asks somebody who is signed in whether they want to make another account.
type HasAccount struct {
	UserID string
	Here   string // the path of the page that makes it
}

func (HasAccount) template() string { return "has_account" }

// Title is the heading.
func (HasAccount) Title() string { return "You have an account already" }

// Waiting says that the account needs the approval of an administrator.
type Waiting struct {
	New bool // whether the account has just been made
	// Account is the user ID that waits.
	Account string
	Since   time.Time
	Address string // where the person is told of the decision; empty if nowhere
	Reason  string // for joining; empty if the person gave none
	For     *Client
	// Return takes the browser back to the application with the refusal. It is an
	// address that the application registered, and has been compared with it.
	Return template.URL
}

func (Waiting) template() string { return "waiting" }

// Title is the heading.
func (Waiting) Title() string { return "Waiting for approval" }

// SignedOut says that nobody is signed in in this browser any more.
type SignedOut struct {
	// Closed says that it is because the account is closed.
	Closed bool
}

func (SignedOut) template() string { return "signed_out" }

// Title is the heading.
func (s SignedOut) Title() string {
	if s.Closed {
		return "Your account is closed"
	}
	return "You are signed out"
}

// Client is an application as it describes itself: none of it is proved but the
// address to which it has the browser sent.
type Client struct {
	Name string // may be empty
	// URI is its website; Policy and Terms are pages there. All may be empty.
	URI, Policy, Terms string
}

// Shown is the name in a form that is safe to show.
func (c Client) Shown() string {
	if name := clean(c.Name); name != "" {
		return name
	}
	return "An app without a name"
}

// Consent asks whether an application may use the account. Its form goes to
// /oauth2/authorize.
type Consent struct {
	Client  Client
	Account string // user ID
	// ReturnsTo is the host, or the scheme of an installed application, to which
	// the browser goes next.
	ReturnsTo string
	DeviceID  string
	// Replaces is the session that this one takes the place of, if any.
	Replaces *Device
	// Here is the path and query of this page, for signing in as somebody else;
	// Query is the request of the application, which goes into the form.
	Here, Query string
}

func (Consent) template() string { return "consent" }

// Title is the heading.
func (c Consent) Title() string { return "Let " + c.Client.Shown() + " use your account?" }

// SSO asks whether to go back, signed in, to an application that signs in the older
// way (client-server API, "Client login via SSO"). Its form goes to /sso.
type SSO struct {
	Account string // user ID
	// ReturnsTo is the origin, or the scheme of an installed application, to which
	// the browser goes next; Address is all of it, and goes into the form.
	ReturnsTo, Address string
	Here               string
	// Awaiting says that the account needs the approval of an administrator, and New
	// that it has just been made.
	Awaiting, New bool
}

func (SSO) template() string { return "sso" }

// Title is the heading.
func (s SSO) Title() string {
	if s.Awaiting {
		return "Waiting for approval"
	}
	return "Sign in to another app?"
}
