package page

import "time"

// LinkCode asks for the code that another device shows. Its form goes to /link by
// GET: looking a code up changes nothing.
type LinkCode struct {
	Code string // as it was typed before
	// Locked says that there were too many wrong codes.
	Locked  bool
	Problem Problem
}

func (LinkCode) template() string { return "link_code" }

// Title is the heading.
func (LinkCode) Title() string { return "Sign in another device" }

// Link shows what another device asks for, and asks whether it may. Its form goes
// to /link by POST.
type Link struct {
	Client    Client
	Account   string // user ID
	Code      string // as the other device shows it: XXXX-XXXX
	IP        string
	UserAgent string
	Asked     time.Time
	DeviceID  string
	// Replaces is the session that this one takes the place of, if any.
	Replaces *Device
	// Awaiting says that the account waits for approval, so that the other device
	// will be refused.
	Awaiting bool
	// Here is the path and query of this page, for signing in as somebody else.
	Here    string
	Problem Problem
}

func (Link) template() string { return "link" }

// Title is the heading.
func (Link) Title() string { return "Another device asks to sign in" }

// LinkDone says what became of the request of another device.
type LinkDone struct {
	Client  Client
	Allowed bool
	// Earlier says that the answer was given before, and that this time nothing
	// has changed.
	Earlier bool
}

func (LinkDone) template() string { return "link_done" }

// Title is the heading.
func (d LinkDone) Title() string {
	if d.Allowed {
		return "The other device may sign in"
	}
	return "The other device was refused"
}
