package qr

import "errors"

// Refusals of a Channel. None of them is answered: the sign-in ends without a word,
// because whoever sent the message may not be the other device.
var (
	// ErrPeerKey says that the other device's public key is not usable: it is of
	// low order, so that anybody could know the shared secret.
	ErrPeerKey = errors.New("the other device sent a key that cannot be used")
	// ErrFraming says that a message is not of the channel's form.
	ErrFraming = errors.New("the other device sent something that is not a message of this secure channel")
	// ErrForged says that a message was not sealed by the other device for this
	// place and turn: somebody changed or replayed it, or the profiles differ.
	ErrForged = errors.New("a message of the secure channel cannot be opened; somebody may have changed it")
	// ErrHandshake says that the first message opened, but says the wrong thing.
	ErrHandshake = errors.New("the other device did not greet as it should")
	// ErrTooLarge says that a message does not fit into a rendezvous session.
	ErrTooLarge = errors.New("the message is too large to be sent to the other device")
	// ErrOrder says that the channel was used out of order: before the
	// handshake, after Close, or in the other side's role. It is a mistake of the
	// program that calls.
	ErrOrder = errors.New("the secure channel is not at this step")
)
