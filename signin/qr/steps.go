package qr

import "time"

// The two state machines (existing.go, new.go) are pure: a step takes an event and
// gives the next state and what to do. driver.go does it and brings the events.

// An event is what happened.
type event interface{ isEvent() }

type (
	// secured: the handshake is complete. On the existing device it brings what
	// the homeserver offers at that moment.
	secured struct{ offers []string }
	// digitsTyped: a person typed the check code.
	digitsTyped struct{ right bool }
	// received: the other device said something.
	received struct{ message message }
	// cancelled: the person at this device stops it.
	cancelled struct{}
	// broke: something that only this device does has failed.
	broke struct{ cause error }
	// lost: the channel or the session is no more, or never was. Nothing can be
	// sent.
	lost struct {
		reason Reason
		cause  error
	}

	// deviceChecked: what the homeserver says of a device ID.
	deviceChecked struct{ answer DeviceAnswer }
	// pageOpened: the page on which to approve is open; pageFailed: the device
	// could not open it.
	pageOpened struct{}
	pageFailed struct{ cause error }
	// secretsReady: the keys are here; secretsSent: they are on their way.
	secretsReady struct{ secrets Secrets }
	secretsSent  struct{}

	// discovered: the homeserver offers all that is needed; unsupported: it does
	// not.
	discovered  struct{}
	unsupported struct{ cause error }
	// grantStarted: the homeserver gave codes for the sign-in.
	grantStarted struct{ grant Grant }
	// polled: the homeserver answered a request for the token.
	polled struct {
		answer TokenAnswer
		cause  error
	}
	// clockRanOut: the grant's lifetime is over.
	clockRanOut struct{}
	// signedIn: the tokens are kept, and the account is known.
	signedIn struct{}
	// imported: the keys are in use.
	imported struct{}
)

func (secured) isEvent()       {}
func (digitsTyped) isEvent()   {}
func (received) isEvent()      {}
func (cancelled) isEvent()     {}
func (broke) isEvent()         {}
func (lost) isEvent()          {}
func (deviceChecked) isEvent() {}
func (pageOpened) isEvent()    {}
func (pageFailed) isEvent()    {}
func (secretsReady) isEvent()  {}
func (secretsSent) isEvent()   {}
func (discovered) isEvent()    {}
func (unsupported) isEvent()   {}
func (grantStarted) isEvent()  {}
func (polled) isEvent()        {}
func (clockRanOut) isEvent()   {}
func (signedIn) isEvent()      {}
func (imported) isEvent()      {}

// An effect is what to do next. Effects that bring an event say which; besides,
// each can bring broke or cancelled.
type effect interface{ isEffect() }

type (
	// send: say this to the other device. It brings lost if that fails, and
	// secretsSent for the keys.
	send struct{ message message }
	// finish: the sign-in is over; nil for success. No effect follows it.
	finish struct {
		failure *Failure
		closing closing
	}
	// askDigits brings digitsTyped.
	askDigits struct{}
	// showDigits: show the check code.
	showDigits struct{}

	// checkDevice brings deviceChecked, after the wait.
	checkDevice struct {
		id    string
		after time.Duration
	}
	// openPage brings pageOpened or pageFailed, or cancelled if the person does
	// not want it.
	openPage struct{ url string }
	// gatherSecrets brings secretsReady.
	gatherSecrets struct{}

	// discover brings discovered or unsupported.
	discover struct{ homeserver Homeserver }
	// startGrant brings grantStarted or unsupported.
	startGrant struct{}
	// startClock brings clockRanOut, when the time is over.
	startClock struct{ after time.Duration }
	// showUserCode: show the code to compare with the page.
	showUserCode struct{ grant Grant }
	// pollToken brings polled, after the wait.
	pollToken struct{ after time.Duration }
	// keepSession brings signedIn.
	keepSession struct{}
	// importSecrets brings imported.
	importSecrets struct{ secrets Secrets }
)

func (send) isEffect()          {}
func (finish) isEffect()        {}
func (askDigits) isEffect()     {}
func (showDigits) isEffect()    {}
func (checkDevice) isEffect()   {}
func (openPage) isEffect()      {}
func (gatherSecrets) isEffect() {}
func (discover) isEffect()      {}
func (startGrant) isEffect()    {}
func (startClock) isEffect()    {}
func (showUserCode) isEffect()  {}
func (pollToken) isEffect()     {}
func (keepSession) isEffect()   {}
func (importSecrets) isEffect() {}

// closing says what becomes of the session at the end.
type closing int

const (
	// leave: the other device reads the last message, and deletes.
	leave closing = iota
	// closeNow: nobody is to read there any more.
	closeNow
	// closeRead: once the other device had time to read the last message.
	closeRead
)

// DeviceAnswer is what the homeserver says of a device ID of the account.
type DeviceAnswer int

const (
	// DeviceUnknown: there is no certain answer.
	DeviceUnknown DeviceAnswer = iota
	// DeviceAbsent: 404, there is no such device.
	DeviceAbsent
	// DevicePresent: 200, there is one.
	DevicePresent
)

// Grant is what the homeserver gave the new device to sign in with (RFC 8628
// §3.2).
type Grant struct {
	// DeviceID is the ID in the requested scope: random, 10 letters or more.
	DeviceID string
	// UserCode is for the person to compare.
	UserCode string
	// VerificationURI is the page on which to approve.
	VerificationURI string
	// VerificationURIComplete is the page with the code filled in, or empty.
	VerificationURIComplete string
	// ExpiresIn is how long the grant lives.
	ExpiresIn time.Duration
	// Interval is how long to wait between polls; 5 seconds if it is 0.
	Interval time.Duration
}

// TokenAnswer is how the homeserver answered a poll for the token (RFC 8628 §3.5).
type TokenAnswer int

const (
	// TokenRefused: an error that is none of the others.
	TokenRefused TokenAnswer = iota
	// TokenGranted: the tokens are here.
	TokenGranted
	// TokenPending: authorization_pending.
	TokenPending
	// TokenSlowDown: slow_down; the interval grows by 5 seconds.
	TokenSlowDown
	// TokenDenied: access_denied.
	TokenDenied
	// TokenExpired: expired_token.
	TokenExpired
	// TokenUnreachable: no answer, or one of status 5xx.
	TokenUnreachable
)
