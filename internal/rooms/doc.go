// Package rooms writes rooms: their creation, events, state, memberships and
// aliases. It is the only writer of the event graph.
//
// It owns the tables `rooms`, `events`, `room_state`, `room_members` and
// `room_aliases`. Every event is a signed PDU with hashes, previous and auth
// events and depth, as another server would accept it. One transaction at a time
// writes to a room, over all processes. State is kept as differences: what an
// append costs does not grow with the room.
//
// What is refused is refused in the order of precedence that docs/architecture/
// rooms.md gives: a stranger learns nothing of a room, not even whether it exists.
// What a user may see of a room is decided by [Service.View] and nowhere else.
//
// Those who are invited by mail address or phone number are looked up at identity
// servers, never inside of a transaction. Nobody is invited for an address unless
// the identity server of that invite has signed that the address is theirs.
package rooms
