// Package event holds the events of rooms in the form in which servers exchange
// them: building, parsing, hashing, signing and redacting, and the table of room
// versions that says how each is done.
//
// Build makes a new event and signs it; Parse checks one that came from elsewhere;
// Load reads back one that was stored. All three return an *Event, which does not
// change afterwards and is meant to be cached and shared: what its content says
// (power levels, membership, join rule and so on) is parsed at most once, when it
// is first asked for.
//
// The package is pure: no clock, no randomness, no I/O. An *Event may be used by
// many goroutines at once. Whether an event is allowed in its room is not decided
// here but in authrules.
//
// Specification: "Room Versions"; server-server API, "PDUs" and "Signing Events";
// client-server API, "Redactions" and "Size limits".
package event
