// Package stateres resolves the state of a room whose history has forked: given
// the states at the ends of the branches it computes the one state that every
// server computes. It has the algorithms of room version 1, of versions 2 to 11
// (here v2), and of version 12 (here v2.1).
//
// A room whose events all come from one server never forks, so nothing in such a
// room needs this package.
//
// The package is pure and keeps nothing between calls. Events are fetched with the
// function that the caller gives; one that is missing ends the resolution with a
// *MissingEventError, since a guess would make servers disagree. Malformed graphs,
// cycles included, end it with an error and never with a panic.
//
// Specification: "Room Versions", "State resolution" of versions 1, 2 and 12.
package stateres
