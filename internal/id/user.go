package id

// UserID names a user: "@alice:example.org". Specification: appendix "User
// Identifiers".
type UserID string

// ParseUserID checks a user ID by the historical grammar, because rooms contain
// users from before the present one: the localpart is any text of the characters
// U+0021 to U+007E other than ':', or empty. Use ValidLocalpart as well before
// making a new user. The error is an *Error.
func ParseUserID(s string) (UserID, error) {
	local, err := split(kindUser, s, '@')
	if err != nil {
		return "", err
	}
	for i := range len(local) {
		if local[i] < 0x21 || local[i] > 0x7e {
			return "", &Error{kindUser, "the part before ':' may only hold visible ASCII characters"}
		}
	}
	return UserID(s), nil
}

// NewUserID joins a localpart and a server name. It refuses, with an *Error, a
// localpart that a new user may not have and a result of more than 255 bytes.
func NewUserID(localpart string, server ServerName) (UserID, error) {
	if err := ValidLocalpart(localpart); err != nil {
		return "", err
	}
	return ParseUserID("@" + localpart + ":" + string(server))
}

// ValidLocalpart refuses, with an *Error, a localpart that a new user may not
// have. Allowed are a-z, 0-9 and . _ = - / +, at least one of them.
func ValidLocalpart(s string) error {
	const kind = "a name for a new user"
	if s == "" {
		return &Error{kind, "it is empty"}
	}
	if len(s) > MaxLength {
		return &Error{kind, "it is longer than 255 bytes"}
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c >= 'a' && c <= 'z', c >= '0' && c <= '9':
		case c == '.' || c == '_' || c == '=' || c == '-' || c == '/' || c == '+':
		default:
			return &Error{kind, "it may only hold the characters a-z, 0-9 and . _ = - / +"}
		}
	}
	return nil
}

// Localpart returns the part between '@' and ':', "alice" in "@alice:example.org".
func (u UserID) Localpart() string { return betweenSigilAndColon(string(u)) }

// ServerName returns the server that the user belongs to.
func (u UserID) ServerName() ServerName { return afterColon(string(u)) }

// UnmarshalText is ParseUserID for decoders.
func (u *UserID) UnmarshalText(text []byte) (err error) {
	*u, err = ParseUserID(string(text))
	return err
}

// DeviceID names one device of a user. It is opaque.
type DeviceID string

// ParseDeviceID accepts any text of 1 to 255 bytes without control characters.
// The error is an *Error.
func ParseDeviceID(s string) (DeviceID, error) {
	if err := plain(kindDevice, s); err != nil {
		return "", err
	}
	return DeviceID(s), nil
}

// UnmarshalText is ParseDeviceID for decoders.
func (d *DeviceID) UnmarshalText(text []byte) (err error) {
	*d, err = ParseDeviceID(string(text))
	return err
}
