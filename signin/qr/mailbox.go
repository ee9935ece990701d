package qr

import (
	"context"
	"errors"
)

// Mailbox is one side of a rendezvous session: a place that holds one payload,
// which both devices read and replace (MSC4108 of 2024, MSC4388). The payloads
// are sealed before they come here; whoever runs the place reads nothing.
//
// A Mailbox belongs to one goroutine at a time.
type Mailbox interface {
	// Send replaces the payload. It fails with ErrMailboxConflict if the other
	// side wrote first, and with ErrMailboxGone if the session is over.
	Send(ctx context.Context, payload string) error

	// Receive waits for a payload that this side did not write, polling once a
	// second. It fails with ErrMailboxGone if the session is over.
	Receive(ctx context.Context) (string, error)

	// SealToken is the token that binds the next sent message to its place: the
	// one of the last read. It is empty in the 2024 generation.
	SealToken() string

	// OpenToken is the token that binds the next received message to its place:
	// the one of this side's last write, which includes creating the session. It
	// is empty in the 2024 generation.
	OpenToken() string

	// Close deletes the session. Closing a session that is over is no error.
	Close(ctx context.Context) error
}

var (
	// ErrMailboxConflict says that the other side wrote first. The message is
	// lost, because it is bound to its place: the sign-in starts again.
	ErrMailboxConflict = errors.New("both devices wrote at the same moment; start again with a new code")

	// ErrMailboxGone says that the session has run out or was deleted.
	ErrMailboxGone = errors.New("the sign-in session is over; start again with a new code")
)
