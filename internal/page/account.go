package page

import "time"

// Device is one session of an account.
type Device struct {
	ID   string
	Name string // as the user or the client named it; may be empty
	// Client is the application; nil for one that signed in the older way.
	Client    *Client
	SignedIn  time.Time
	Seen      time.Time
	SeenIP    string
	UserAgent string
}

// Shown is what to call the session.
func (d Device) Shown() string {
	if name := clean(d.Name); name != "" {
		return name
	}
	if d.Client != nil {
		return d.Client.Shown()
	}
	if id := clean(d.ID); id != "" {
		return id
	}
	return "Session without a name"
}

// Account is the entrance to the pages of the account.
type Account struct {
	UserID      string
	DisplayName string
	Created     time.Time
	Sessions    int
	Admin       bool   // whether the pages of administrators are open to it
	Homeserver  string // what to enter in an app to sign in there
	Providers   bool   // whether there are providers to sign in with
	// Done is what was just done, in a sentence; empty for nothing.
	Done string
}

func (Account) template() string { return "account" }

// Title is the heading.
func (Account) Title() string { return "Your account" }

// Sessions lists where the account is signed in.
type Sessions struct {
	Devices []Device
	Done    string
}

func (Sessions) template() string { return "sessions" }

// Title is the heading.
func (Sessions) Title() string { return "Sessions" }

// Session shows one session, and offers to sign it out. Its form goes to
// /account/session.
type Session struct {
	Device Device
	// Ask puts the question whether to sign it out first.
	Ask bool
}

func (Session) template() string { return "session" }

// Title is the heading.
func (s Session) Title() string {
	if s.Ask {
		return "Sign out " + s.Device.Shown() + "?"
	}
	return s.Device.Shown()
}

// Password changes the password. Its form goes to /account/password.
type Password struct {
	UserID string
	// HasPassword says that there is one to be changed; AskPassword, that the form asks
	// for it, because nothing else proves who it is.
	HasPassword, AskPassword bool
	MinLength                int // in characters
	Problem                  Problem
}

func (Password) template() string { return "password" }

// Title is the heading.
func (p Password) Title() string {
	if !p.HasPassword {
		return "Choose a password"
	}
	return "Change your password"
}

// Profile changes the name that others see. Its form goes to /account/profile.
type Profile struct {
	UserID      string
	DisplayName string
	Problem     Problem
}

func (Profile) template() string { return "profile" }

// Title is the heading.
func (Profile) Title() string { return "Your profile" }

// Deactivate closes the account for good. Its form goes to /account/deactivate.
type Deactivate struct {
	UserID string
	// AskPassword says that the form asks for it, because nothing else proves who it is.
	AskPassword bool
	Erase       bool // as it was ticked before
	Problem     Problem
}

func (Deactivate) template() string { return "deactivate" }

// Title is the heading.
func (Deactivate) Title() string { return "Close your account" }

// ResetIdentity allows the next client to replace the keys by which others know
// this user (cross-signing). Its form goes to /account/identity.
type ResetIdentity struct {
	UserID string
	// AskPassword says that the form asks for it, because nothing else proves who it is.
	AskPassword bool
	Problem     Problem
	// Allowed says that it has been allowed, for ten minutes.
	Allowed bool
}

func (ResetIdentity) template() string { return "reset_identity" }

// Title is the heading.
func (ResetIdentity) Title() string { return "Reset your encryption identity" }
