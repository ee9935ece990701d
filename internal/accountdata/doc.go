// Package accountdata keeps what a user stores for their own clients: account
// data, tags of rooms, and filters.
//
// It owns the endpoints under /user/{userId}/account_data, …/rooms/{roomId}/account_data,
// …/rooms/{roomId}/tags and …/filter, and the tables `account_data` and `filters`,
// and the job "accountdata.erase", which empties them of an erased account's.
// Tags are the content of the room's account data of type m.tag, so that /sync has
// nothing more to know about them.
//
// Every change of account data takes a position of the stream and wakes the user;
// [Service.Since] gives what changed between two positions. A filter never
// changes: its ID is a hash of its definition, so the same definition has the same
// ID, and a parsed [Filter] may be kept for ever.
//
// Specification: client-server API, "Client Config", "Room Tagging", "Ignoring
// Users" and "Filtering".
package accountdata
