// Package rendezvous is the meeting place of two devices of which one signs the
// other one in by a QR code: a mailbox with one message in it, which either of them
// replaces, reads and takes away, under an id that only a look at the QR code tells.
//
// It owns the endpoints of rendezvous sessions in both generations of the protocol,
// the table `rendezvous_sessions`, and the job "rendezvous.sweep". The first
// generation (MSC4108 of 2024) is plain text with ETags; the second one (MSC4388)
// is JSON with sequence tokens.
//
// Sessions are rows, so that they outlast a restart and are the same for every
// replica. A write takes effect only if nobody has written since the writer last
// read: one conditional UPDATE decides, so that of any number at once exactly one
// succeeds. No two messages of a session have the same tag, even if their bytes are
// equal. What has expired is answered as if it had never been.
//
// Whoever knows the id may read and write; the messages are encrypted between the
// devices. So that nobody uses the mailbox for other ends, it is small, lives for
// minutes, takes a limited number of writes and bytes, and shows nothing to a
// browser that is led to its address. When it is full, new sessions are refused and
// live ones are kept: strangers must not be able to end someone's sign-in.
package rendezvous
