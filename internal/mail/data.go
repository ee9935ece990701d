package mail

import (
	"errors"
	"net/url"
	"reflect"
	"strings"
	"time"
)

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
	// WaitingForApproval tells administrators who waits. It takes a [Waiting].
	WaitingForApproval = "waiting"
	// NewSignIn tells of a new device. It takes a [SignIn].
	NewSignIn = "new_sign_in"
	// SecurityChanged tells that the ways to sign in to an account have changed. It
	// takes a [Security].
	SecurityChanged = "security_changed"
	// InviteToRoom invites somebody without an account. It takes an [Invite].
	InviteToRoom = "invite"
	// Test is what `narthex mail test` sends. It takes a [Nothing].
	Test = "test"
)

// samples has every template with what it takes.
var samples = map[string]any{
	ValidationRegister: Validation{}, ValidationAdd: Validation{}, ValidationPassword: Validation{}, ValidationIdentity: Validation{},
	AlreadyRegistered: Account{}, Approved: Account{}, Denied: Account{},
	WaitingForApproval: Waiting{}, NewSignIn: SignIn{}, SecurityChanged: Security{}, InviteToRoom: Invite{}, Test: Nothing{},
}

// Validation is the data of the four validation mails.
type Validation struct {
	Link  string        `mail:"link"` // to open in a browser
	Code  string        // to type into the app instead; may be empty
	Valid time.Duration // from now; shown in whole minutes or hours
}

// Account is the data of mails about an account.
type Account struct {
	UserID string // @alice:example.org
	Link   string `mail:"link"` // where to sign in, or to choose another password; may be empty
	Reason string // why it was denied; may be empty
	Note   string // what the administrator who approved it says; may be empty
}

// Waiting is the data of a mail about accounts that wait for approval.
type Waiting struct {
	New    int      // how many have begun to wait
	All    int      // how many wait
	People []string // those who have begun to: a user ID, and the reason they gave
	More   int      // how many of them are not among People
	Link   string   `mail:"link"` // where to decide
}

// SignIn is the data of a mail about a new device.
type SignIn struct {
	UserID  string
	Device  string    // the name of the device or app; may be empty
	Address string    // the network address it came from; may be empty
	At      time.Time // when
	Link    string    `mail:"link"` // where the account's devices are shown; may be empty
}

// Security is the data of a mail about the ways to sign in to an account.
type Security struct {
	UserID string
	Change string    // what was done, in a sentence
	At     time.Time // when
	Link   string    `mail:"link"` // where they can be changed
}

// Invite is the data of an invitation. It goes to strangers in the words of a user:
// a name with a web address in it is left out, so that nobody can advertise by
// inviting.
type Invite struct {
	Sender     string // @alice:example.org
	SenderName string `mail:"name"` // may be empty
	RoomName   string `mail:"name"` // may be empty
	Link       string `mail:"link"` // where to accept it
}

// Nothing is the data of a mail that needs none.
type Nothing struct{}

// errLink is returned for a link that mail programs would not open.
var errLink = errors.New("the link is not a web address")

// clean gives a copy of a template's data in which every text is one line, at most
// 300 characters long unless it is a link, and without characters that nobody sees.
func clean(data any) (any, error) {
	out := reflect.New(reflect.TypeOf(data)).Elem()
	out.Set(reflect.ValueOf(data))
	for i := range out.NumField() {
		field := out.Field(i)
		if list, ok := field.Interface().([]string); ok {
			lines := make([]string, len(list))
			for i, text := range list {
				lines[i] = cut(plain(text), 300)
			}
			field.Set(reflect.ValueOf(lines))
		}
		if field.Kind() != reflect.String {
			continue
		}
		text := field.String()
		switch out.Type().Field(i).Tag.Get("mail") {
		case "link":
			if text != "" && !isLink(text) {
				return nil, errLink
			}
		case "name":
			if text = cut(plain(text), 80); strings.Contains(text, "://") || strings.Contains(strings.ToLower(text), "www.") {
				text = ""
			}
		default:
			text = cut(plain(text), 300)
		}
		field.SetString(text)
	}
	return out.Interface(), nil
}

func isLink(text string) bool {
	u, err := url.Parse(text)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && !strings.ContainsFunc(text, isOdd) &&
		!strings.ContainsAny(text, " <>\"")
}

// filled gives data of the same type with something in every field, to try out a
// template.
func filled(empty any) any {
	out := reflect.New(reflect.TypeOf(empty)).Elem()
	for i := range out.NumField() {
		switch field := out.Field(i); {
		case field.Kind() == reflect.String:
			field.SetString("https://example.org/")
		case field.Type() == reflect.TypeFor[[]string]():
			field.Set(reflect.ValueOf([]string{"@alice:example.org"}))
		case field.Kind() == reflect.Int:
			field.SetInt(2)
		case field.Type() == reflect.TypeFor[time.Duration]():
			field.SetInt(int64(time.Hour))
		}
	}
	return out.Interface()
}
