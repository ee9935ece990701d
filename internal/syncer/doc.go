// Package syncer answers /sync: what is new for a device since a position, in all
// sections, and waits for it if there is nothing.
//
// It owns GET /sync and no table. One counter orders everything that a client can
// wait for, so a token is one number: it survives a restart, and every replica
// understands it. An answer covers the positions after the token and up to the one
// that the transaction sees, or an earlier one if more messages to the device wait
// than fit. Nothing is remembered for a device between two requests.
//
// It promises: whatever the order in which others write, the timelines that a
// client gets one after the other, and the gaps that they declare by limited and
// prev_batch, are the history of each room as the user may see it, each event once.
//
// Waiting holds no connection. Who found nothing subscribes, and is woken at once by
// what came since the reading began. What is new is found by a fixed number of
// statements for all rooms together, of which the first says which others are needed.
//
// Lazy loading of members is without memory too: an answer always has the
// memberships of those who sent its timeline, known to the client or not.
//
// Specification: client-server API, "Syncing" and "Lazy-loading room members".
package syncer
