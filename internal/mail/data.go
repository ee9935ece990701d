package mail

import "time"

// The names of the templates, and what each takes as Data.
const (
	// ValidationRegister, ValidationAdd, ValidationPassword and
	// ValidationIdentity ask whether an address is somebody's: to register, to add
	// it to an account, to choose another password, and to be found by it. They take
	// a [Validation].
	ValidationRegister = "validation_register"
	ValidationAdd      = "validation_add"
	ValidationPassword = "validation_password"
	ValidationIdentity = "validation_identity"
	// AlreadyRegistered tells whoever registers with an address that it has an
	// account already. It takes an [Account].
	AlreadyRegistered = "already_registered"
	// Approved and Denied tell how an administrator decided on an account. They
	// take an [Account].
	Approved = "approved"
	Denied   = "denied"
	// NewSignIn tells of a new device. It takes a [SignIn].
	NewSignIn = "new_sign_in"
	// InviteToRoom invites somebody without an account. It takes an [Invite].
	InviteToRoom = "invite"
	// Test is what `narthex mail test` sends. It takes no data.
	Test = "test"
)

// Validation is the data of the four validation mails.
type Validation struct {
	Link  string        // to open in a browser
	Code  string        // to type into the app instead; may be empty
	Valid time.Duration // from now; rounded down to minutes
}

// Account is the data of mails about an account.
type Account struct {
	UserID string // @alice:example.org
	Link   string // where to sign in, or to choose another password; may be empty
	Reason string // why it was denied; may be empty
}

// SignIn is the data of a mail about a new device.
type SignIn struct {
	UserID  string
	Device  string    // the name of the device or app; may be empty
	Address string    // the network address it came from; may be empty
	At      time.Time // when
	Link    string    // where the account's devices are shown; may be empty
}

// Invite is the data of an invitation.
type Invite struct {
	Sender     string // @alice:example.org
	SenderName string // may be empty
	RoomName   string // may be empty
	Link       string // where to accept it
}
