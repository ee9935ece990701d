// Package notices is the server speaking to its users: server notices in a room of
// their own, and the digest that tells administrators who waits for approval.
//
// It owns the tables `notice_speakers`, `notice_rooms`, `notice_waiting` and
// `notice_digest`, and the job "notices.waiting", which package accounts enqueues in
// the transaction in which an account begins to wait.
//
// It promises that each user has one room with notices, made when there is first
// something to say; that the account in whose name the server speaks is nobody's, and
// cannot be signed in to; that at most one digest an hour goes to an administrator,
// however many servers share the database; that the first account is told of at once,
// and each account once; and that no digest goes out for accounts that were decided
// on before it.
//
// Specification: client-server API, "Server Notices".
package notices
