// Package ephemeral keeps what passes: who types, how far each user has read, and
// who is there.
//
// It owns the endpoints for typing, receipts, read markers and presence, the tables
// `typing`, `receipts` and `presence`, and the jobs "ephemeral.typing" and
// "ephemeral.presence".
//
// Every change takes a position of the stream and wakes the room, so /sync reads
// what changed between two positions: [Service.Typing], [Service.Receipts] and
// [Service.Presence]. The end of typing is a change as well: a job writes it when
// the time is up. A receipt only moves forward, and a private one is given to its
// owner alone. The fully read marker is account data of the room.
//
// Specification: client-server API, "Typing Notifications", "Receipts", "Read and
// unread markers" and "Presence".
package ephemeral
