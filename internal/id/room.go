package id

import "strings"

// hashLength is the length of a SHA-256 hash in unpadded base64.
const hashLength = 43

// RoomID names a room: "!opaque:example.org" up to room version 11, and "!"
// followed by the hash of the create event since version 12. Specification:
// appendix "Room IDs".
type RoomID string

// ParseRoomID accepts both forms. The error is an *Error.
func ParseRoomID(s string) (RoomID, error) {
	rest, err := sigil(kindRoom, s, '!')
	if err != nil {
		return "", err
	}
	if strings.IndexByte(rest, ':') < 0 {
		if len(rest) != hashLength || !urlSafe(rest) {
			return "", &Error{kindRoom, "after '!' it must have either 43 characters of URL-safe base64 or a ':' with a server name"}
		}
		return RoomID(s), nil
	}
	local, err := split(kindRoom, s, '!')
	if err != nil {
		return "", err
	}
	if local == "" {
		return "", &Error{kindRoom, "nothing stands between '!' and ':'"}
	}
	return RoomID(s), nil
}

// ServerName returns the server that made the room, or "" for the IDs of room
// version 12, which name no server.
func (r RoomID) ServerName() ServerName { return afterColon(string(r)) }

// UnmarshalText is ParseRoomID for decoders.
func (r *RoomID) UnmarshalText(text []byte) (err error) {
	*r, err = ParseRoomID(string(text))
	return err
}

// EventID names an event: '$' and an opaque text, whose form depends on the room
// version. Specification: appendix "Event IDs".
type EventID string

// ParseEventID accepts the event IDs of every room version: '$' and at least one
// character. The error is an *Error.
func ParseEventID(s string) (EventID, error) {
	rest, err := sigil(kindEvent, s, '$')
	if err != nil {
		return "", err
	}
	if rest == "" {
		return "", &Error{kindEvent, "nothing follows '$'"}
	}
	return EventID(s), nil
}

// ServerName returns the server named in an event ID of room versions 1 and 2,
// and "" for later ones, which name no server.
func (e EventID) ServerName() ServerName { return afterColon(string(e)) }

// UnmarshalText is ParseEventID for decoders.
func (e *EventID) UnmarshalText(text []byte) (err error) {
	*e, err = ParseEventID(string(text))
	return err
}

// RoomAlias is a name for a room that people can read: "#kitchen:example.org".
// Specification: appendix "Room Aliases".
type RoomAlias string

// ParseRoomAlias checks a room alias; its localpart may hold any character but
// ':' and control characters, and is not empty. The error is an *Error.
func ParseRoomAlias(s string) (RoomAlias, error) {
	local, err := split(kindAlias, s, '#')
	if err != nil {
		return "", err
	}
	if local == "" {
		return "", &Error{kindAlias, "nothing stands between '#' and ':'"}
	}
	return RoomAlias(s), nil
}

// NewRoomAlias joins a localpart and a server name. It refuses, with an *Error,
// a localpart that is empty or holds a ':', and a result of more than 255 bytes.
func NewRoomAlias(localpart string, server ServerName) (RoomAlias, error) {
	if strings.IndexByte(localpart, ':') >= 0 {
		return "", &Error{kindAlias, "the part before the server name contains ':'"}
	}
	return ParseRoomAlias("#" + localpart + ":" + string(server))
}

// Localpart returns the part between '#' and ':'.
func (a RoomAlias) Localpart() string { return betweenSigilAndColon(string(a)) }

// ServerName returns the server that holds the alias.
func (a RoomAlias) ServerName() ServerName { return afterColon(string(a)) }

// UnmarshalText is ParseRoomAlias for decoders.
func (a *RoomAlias) UnmarshalText(text []byte) (err error) {
	*a, err = ParseRoomAlias(string(text))
	return err
}

// urlSafe reports whether s holds only the characters of URL-safe base64.
func urlSafe(s string) bool {
	for i := range len(s) {
		switch c := s[i]; {
		case isAlphanumeric(c), c == '-', c == '_':
		default:
			return false
		}
	}
	return true
}

func isAlphanumeric(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
