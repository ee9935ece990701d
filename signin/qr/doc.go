// Package qr signs a device in to Matrix with a QR code that another device shows
// or scans: the new device gets a session without a password being typed on it, and
// the keys for encrypted messages. It works with any homeserver and in any program.
//
// # A tour
//
// Either device may show the code. [Parse] and [Payload.Encode] read and write it.
// Both then meet in a [Mailbox], a session of few bytes and few minutes at a
// homeserver: the device that shows creates it ([Create2024], [Create2025]), the
// other joins it ([Open2024], [Open2025]). Through it they make a [Channel] that
// the homeserver cannot listen to, and a person compares two digits to make sure
// who is at its other end. Then they follow the steps of the login protocol:
//
//   - the new device starts an OAuth 2.0 device authorization grant and says so;
//   - the existing device makes sure that the new device's ID is free, and opens
//     the homeserver's page in a browser, on which the person approves;
//   - the new device gets its tokens and says so;
//   - the existing device sees the new device at the homeserver, and hands over
//     the keys.
//
// [NewDevice] and [ExistingDevice] do all of it, each with a method Show and a
// method Scan. Their fields are functions for what only the program knows: how to
// show, ask, open, and talk with the homeserver.
//
// # What it promises
//
// Nothing is sent and nothing is done for the other device before it is certain
// who that is: for the device that scans, when the handshake is complete; for the
// one that shows, when the right digits were typed, once. The keys are neither
// fetched nor sent before the homeserver has said first that it does not know the
// new device, and then that it does.
//
// A sign-in ends with success or with a [*Failure], which has a [Reason] for the
// program and a sentence for the person. When the context of a driver ends, the
// other device is told that the person has stopped. A driver leaves no goroutine
// behind, and returns only when its callbacks have.
//
// Codes that are refused give a [*PayloadError]; mailboxes fail with
// [ErrMailboxGone] and [ErrMailboxConflict]; a channel with [ErrPeerKey],
// [ErrFraming], [ErrForged], [ErrHandshake] and [ErrTooLarge]. A driver turns all
// of these into a [*Failure], which unwraps to them.
//
// # Generations and profiles
//
// [Gen2024] is MSC4108 as of 2024, which clients ship: [Deployed] is the
// cryptography that they use, [Seed] that of the proposal's first text.
// [Gen2025] is MSC4388 and the MSC4108 of 2025 and later: [MSC4388] follows the
// text, [MSC4388Vodozemac] uses two labels of a library that differ from it. A code
// says its generation; the profile must be agreed on, and [ProfileOf] gives the
// usual one.
//
// The proposals contradict clients in places. A homeserver is taken as a base URL
// or as a server name wherever one is named in 2024, and written as a base URL. Of
// the Gen2025 code with the unstable prefix both lengths of the session's ID are
// read, and the one of the text is written. m.login.declined is taken from either
// device and sent by the new one.
//
// A message of Gen2025 is bound to the sequence token that its sender read last.
// When a device speaks twice in a row, to say that it stops, the two sides may
// differ on which that is; so a message is opened with either of the two tokens
// that are possible. The nonces count on, so that no message is taken twice.
//
// # Where to read on
//
// MSC4108, MSC4388 and MSC4341; RFC 8628 for the grant, RFC 9180 and 9458 for the
// channel of 2025.
package qr
