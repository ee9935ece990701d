package page

// Confirm asks whoever is signed in to prove again who they are, before something
// that cannot be taken back. Its form goes to /confirm.
type Confirm struct {
	UserID   string
	Continue string // where to go afterwards: a path of this server
	// Password, Codes and Passkey say by what the person can prove it. Codes are asked
	// for only where there is no password.
	Password, Codes, Passkey bool
	// Providers can ask the person in its place.
	Providers []Provider
	Problem   Problem
}

func (Confirm) template() string { return "confirm" }

// Title is the heading.
func (Confirm) Title() string { return "Confirm that it is you" }
