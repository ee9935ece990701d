// Package profile keeps what users say about themselves: display name, avatar,
// time zone, and fields of their clients' own.
//
// It owns the endpoints below /profile and the job `profile.update_rooms`; the
// fields are stored by package accounts. A new display name or avatar goes into
// the membership of every room that the user is in: at once if the rooms are few,
// otherwise by the job, a few rooms in each transaction. Of two changes at the same
// time the last one wins everywhere, since the present profile is what is written.
//
// Accounts that are deactivated, or wait for approval, have no profile.
//
// Client-server API: Profiles; Modifying profile fields.
package profile
