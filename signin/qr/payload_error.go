package qr

import "strconv"

// ParseProblem says why the bytes of a code are refused.
type ParseProblem int

// Problems of a code.
const (
	Short         ParseProblem = iota + 1 // the bytes end too early, or a length points past them
	NotMatrix                             // the bytes begin with something else
	UnknownType                           // a Matrix code of a kind that is not known here
	Verification                          // a Matrix code for device verification, not for signing in
	UnknownIntent                         // it does not say which device shows it
	NotUTF8                               // an address is not UTF-8
	BadURL                                // an address is no URL with a host, or has a user or a fragment
	InsecureURL                           // an address is not https, nor http on loopback
	BadServerName                         // the homeserver is neither a URL nor a server name
	BadID                                 // the session's ID is empty or has foreign letters
	Trailing                              // bytes follow the end
	BadField                              // only when writing: a field is too long, or set where it has no place
)

// PayloadError says why a code is refused. Its text is for the person who scans.
type PayloadError struct {
	Problem ParseProblem
}

// Error gives the sentence.
func (e *PayloadError) Error() string {
	if text := problems[e.Problem]; text != "" {
		return text
	}
	return "This code cannot be used (problem " + strconv.Itoa(int(e.Problem)) + "). Show a new code and scan it again."
}

var problems = map[ParseProblem]string{
	Short:         "This code is incomplete. Scan it again, with the whole code in view.",
	NotMatrix:     "This is not a Matrix sign-in code. On the other device choose to sign in with a QR code, and scan the code shown there.",
	UnknownType:   "This Matrix code is of a kind that this app does not know. Update the app, or sign in without a code.",
	Verification:  "This code verifies a device that is signed in already; it does not sign one in. On the other device choose to sign in with a QR code, or to link a new device.",
	UnknownIntent: "This sign-in code does not say which of the devices is the new one. Update the app on the other device and show a new code.",
	NotUTF8:       "This sign-in code holds an address that cannot be read. Show a new code and scan it again.",
	BadURL:        "This sign-in code holds an address that is not valid. Show a new code and scan it again.",
	InsecureURL:   "This sign-in code leads to an address without encryption (not https), and is not followed. Ask the homeserver's administrator.",
	BadServerName: "This sign-in code names a homeserver that is not valid. Show a new code and scan it again.",
	BadID:         "This sign-in code names a session that is not valid. Show a new code and scan it again.",
	Trailing:      "This sign-in code goes on after its end. Update the app on the other device and show a new code.",
	BadField:      "The sign-in code cannot be made: an address in it is too long, or does not belong in a code of this kind.",
}
