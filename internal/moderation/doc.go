// Package moderation takes reports of rooms, events and users, for whoever runs
// the server to read.
//
// It owns the table `reports`. Who reports the same thing again changes the reason
// of the first report, so nobody fills the table with one thing.
//
// A report tells nobody what exists: one of a room that does not exist is accepted
// and dropped, and for an event the reporter must be in the room and see it.
//
// Client-server API: Reporting content.
package moderation
