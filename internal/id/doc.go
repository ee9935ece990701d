// Package id holds the identifiers of Matrix: users, rooms, events, aliases,
// devices, servers and media.
//
// Each is a string type, so that a user ID cannot be passed where a room ID is
// meant, and each has a Parse function that checks the grammar of the
// specification's appendix "Identifier Grammar". The pointer types implement
// encoding.TextUnmarshaler with the same check, so that a value decoded from a
// request is a valid identifier or an *Error.
//
// Beyond the grammar, no identifier here contains NUL, another control
// character or invalid UTF-8, and none is longer than 255 bytes. The historical
// grammar of room IDs and aliases tolerates control characters; they are refused
// because they serve only to confuse logs and databases.
//
// The package has no state. A conversion such as UserID(s) skips the check and
// is for values that were checked before they were stored.
package id
