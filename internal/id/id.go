package id

import (
	"strings"
	"unicode/utf8"
)

// MaxLength is the length in bytes that no identifier may exceed, sigil and
// server name included.
const MaxLength = 255

// Error says why a text is not an identifier of the wanted kind. Its text is a
// sentence that may be shown to the person who sent the value.
type Error struct {
	Kind   string // what was expected, with its article: "a user ID"
	Reason string // what is wrong: "it must start with '@'"
}

// Error returns a sentence such as "This is not a user ID: it must start with '@'.".
func (e *Error) Error() string {
	return "This is not " + e.Kind + ": " + e.Reason + "."
}

// The kinds named in errors.
const (
	kindUser   = "a user ID"
	kindRoom   = "a room ID"
	kindEvent  = "an event ID"
	kindAlias  = "a room alias"
	kindDevice = "a device ID"
	kindServer = "a server name"
	kindMXC    = "a media URI"
)

// plain refuses what no identifier may be: empty, too long, not UTF-8, or with
// control characters in it.
func plain(kind, s string) error {
	if s == "" {
		return &Error{kind, "it is empty"}
	}
	if len(s) > MaxLength {
		return &Error{kind, "it is longer than 255 bytes"}
	}
	ascii := true
	for i := range len(s) {
		c := s[i]
		if c < 0x20 || c == 0x7f {
			return &Error{kind, "it contains a control character"}
		}
		if c >= utf8.RuneSelf {
			ascii = false
		}
	}
	if ascii {
		return nil
	}
	if !utf8.ValidString(s) {
		return &Error{kind, "it is not valid UTF-8"}
	}
	for _, r := range s {
		if r >= 0x80 && r < 0xa0 { // the C1 controls
			return &Error{kind, "it contains a control character"}
		}
	}
	return nil
}

// sigil checks the first byte and returns what follows it.
func sigil(kind, s string, want byte) (string, error) {
	if err := plain(kind, s); err != nil {
		return "", err
	}
	if s[0] != want {
		return "", &Error{kind, "it must start with '" + string(want) + "'"}
	}
	return s[1:], nil
}

// split checks the form "<sigil>localpart:server" and returns the localpart.
func split(kind, s string, want byte) (string, error) {
	rest, err := sigil(kind, s, want)
	if err != nil {
		return "", err
	}
	local, server, found := strings.Cut(rest, ":")
	if !found {
		return "", &Error{kind, "it has no ':' with a server name after it"}
	}
	if reason := serverNameFault(server); reason != "" {
		return "", &Error{kind, "the server name in it is not valid, because " + reason}
	}
	return local, nil
}

// afterColon returns what follows the first colon, or nothing.
func afterColon(s string) ServerName {
	if i := strings.IndexByte(s, ':'); i >= 0 {
		return ServerName(s[i+1:])
	}
	return ""
}

// betweenSigilAndColon returns the localpart of an identifier that was parsed.
func betweenSigilAndColon(s string) string {
	i := strings.IndexByte(s, ':')
	if i < 1 {
		return ""
	}
	return s[1:i]
}
