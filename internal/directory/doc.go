// Package directory is where rooms and people are found: the public room
// directory, summaries of single rooms, the tree of a space, and the search for
// users.
//
// It owns no table: what it lists is read through package rooms, names of users
// through package accounts. What names rooms is inside of their state events, so a
// search looks at every published room; a page without a search reads the rooms of
// that page only.
//
// A room is shown to those who are in it or invited, to everybody if anybody may
// join, knock or read it, and to those whom its restricted join rule admits. For
// anybody else it is as if there were no such room.
//
// Client-server API: Room discovery, Spaces, User directory.
package directory
