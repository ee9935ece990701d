package qr

import (
	"slices"
	"time"
)

// newState is where the new device is. The comments give the names of the tests.
type newState int

const (
	newReady    newState = iota // N0, until the handshake is complete
	newConfirm                  // N0 in the generator's part, until the digits are typed
	newWait                     // N1, for m.login.protocols
	newDiscover                 // N2, what the homeserver offers
	newStart                    // N2, the grant
	newAccept                   // N3, for m.login.protocol_accepted
	newPoll                     // N4, for the token
	newKeep                     // N4, the token is here
	newSecrets                  // N5, for m.login.secrets
	newImport                   // N5, the keys are here
	newEnded
)

const (
	defaultInterval = 5 * time.Second
	slowDownBy      = 5 * time.Second
	longestInterval = time.Minute
)

// newcomer is the part of the device that wants to be signed in (MSC4108).
type newcomer struct {
	scanned    bool       // this device scanned the code
	homeserver Homeserver // from the code, if it was scanned

	state    newState
	held     message // came before the digits were typed
	grant    Grant
	interval time.Duration
	backOff  time.Duration // in place of interval, while the homeserver is away
}

// trusted is as for existing.
func (m newcomer) trusted() bool {
	return m.state != newReady && m.state != newConfirm
}

func (m newcomer) step(ev event) (newcomer, []effect) {
	if m.state == newEnded {
		return m, nil
	}
	switch ev := ev.(type) {
	case cancelled:
		return m.fail(UserCancelled, UserCancelled, nil)
	case broke:
		if m.state == newImport { // the other device has left
			return m.end(&Failure{Reason: Broken, By: ThisDevice, Cause: ev.cause}, closeNow)
		}
		return m.fail(Broken, UserCancelled, ev.cause)
	case lost:
		return m.end(&Failure{Reason: ev.reason, By: ThisDevice, Cause: ev.cause}, closeNow)
	case received:
		return m.receive(ev.message)
	case unsupported:
		if m.state == newDiscover || m.state == newStart {
			return m.fail(UnsupportedProtocol, UnsupportedProtocol, ev.cause)
		}
	case clockRanOut:
		if m.state == newAccept || m.state == newPoll {
			return m.fail(AuthorizationExpired, AuthorizationExpired, nil)
		}
	}
	return m.advance(ev)
}

// advance takes what this device itself has done.
func (m newcomer) advance(ev event) (newcomer, []effect) {
	switch m.state {
	case newReady:
		if _, ok := ev.(secured); ok {
			return m.begin()
		}
	case newConfirm:
		if ev, ok := ev.(digitsTyped); ok {
			return m.confirm(ev.right)
		}
	case newDiscover:
		if ev == (discovered{}) {
			m.state = newStart
			return m, []effect{startGrant{}}
		}
	case newStart:
		if ev, ok := ev.(grantStarted); ok {
			return m.start(ev.grant)
		}
	case newPoll:
		if ev, ok := ev.(polled); ok {
			return m.poll(ev)
		}
	case newKeep:
		if ev == (signedIn{}) {
			m.state = newSecrets
			return m, []effect{send{successMessage{}}}
		}
	case newImport:
		if ev == (imported{}) {
			return m.end(nil, closeNow)
		}
	}
	return m, nil
}

func (m newcomer) begin() (newcomer, []effect) {
	if !m.scanned {
		m.state = newConfirm
		return m, []effect{askDigits{}}
	}
	m.state = newDiscover
	return m, []effect{showDigits{}, discover{m.homeserver}}
}

func (m newcomer) confirm(right bool) (newcomer, []effect) {
	if !right {
		return m.end(&Failure{Reason: WrongCheckCode, By: ThisDevice}, closeNow)
	}
	m.state = newWait
	if m.held == nil {
		return m, nil
	}
	held := m.held
	m.held = nil
	return m.receive(held)
}

func (m newcomer) receive(msg message) (newcomer, []effect) {
	switch msg := msg.(type) {
	case failureMessage:
		return m.end(&Failure{Reason: msg.reason, By: OtherDevice}, leave)
	case declinedMessage: // from an old client
		return m.end(&Failure{Reason: Declined, By: OtherDevice}, leave)
	case protocolsMessage:
		if m.state == newWait {
			return m.choose(msg)
		}
	case acceptedMessage:
		if m.state == newAccept {
			m.state = newPoll
			return m, []effect{showUserCode{m.grant}, pollToken{m.interval}}
		}
	case secretsMessage:
		if m.state == newSecrets {
			m.state = newImport
			return m, []effect{importSecrets(msg)}
		}
	}
	if m.state == newConfirm && m.held == nil {
		m.held = msg
		return m, nil
	}
	return m.fail(UnexpectedMessage, UnexpectedMessage, nil)
}

func (m newcomer) choose(msg protocolsMessage) (newcomer, []effect) {
	if !slices.Contains(msg.protocols, deviceGrant) {
		return m.fail(UnsupportedProtocol, UnsupportedProtocol, nil)
	}
	m.homeserver = msg.homeserver
	m.state = newDiscover
	return m, []effect{discover{m.homeserver}}
}

func (m newcomer) start(grant Grant) (newcomer, []effect) {
	m.state = newAccept
	m.grant = grant
	if m.interval = grant.Interval; m.interval <= 0 {
		m.interval = defaultInterval
	}
	return m, []effect{
		send{protocolMessage{protocol: deviceGrant, deviceID: grant.DeviceID, verificationURI: grant.VerificationURI, complete: grant.VerificationURIComplete}},
		startClock{grant.ExpiresIn},
	}
}

func (m newcomer) poll(ev polled) (newcomer, []effect) {
	switch ev.answer {
	case TokenGranted:
		m.state = newKeep
		return m, []effect{keepSession{}}
	case TokenDenied:
		m, effects := m.end(&Failure{Reason: Declined, By: ThisDevice}, closeRead)
		return m, append([]effect{send{declinedMessage{}}}, effects...)
	case TokenExpired:
		return m.fail(AuthorizationExpired, AuthorizationExpired, nil)
	case TokenUnreachable:
		m.backOff = min(2*max(m.backOff, m.interval), max(longestInterval, m.interval))
		return m, []effect{pollToken{m.backOff}}
	case TokenSlowDown:
		m.interval += slowDownBy
	case TokenPending:
	default:
		return m.fail(Broken, UserCancelled, ev.cause)
	}
	m.backOff = 0
	return m, []effect{pollToken{m.interval}}
}

// fail ends for a reason of this device; the other learns of it as said, if it is
// certain who that is.
func (m newcomer) fail(reason, said Reason, cause error) (newcomer, []effect) {
	failure := &Failure{Reason: reason, By: ThisDevice, Cause: cause}
	if !m.trusted() {
		return m.end(failure, closeNow)
	}
	m, effects := m.end(failure, closeRead)
	return m, append([]effect{send{failureMessage{reason: said}}}, effects...)
}

func (m newcomer) end(failure *Failure, how closing) (newcomer, []effect) {
	if failure != nil {
		failure.device = DeviceNew
		failure.SignedIn = m.state == newKeep || m.state == newSecrets || m.state == newImport
	}
	m.state = newEnded
	return m, []effect{finish{failure: failure, closing: how}}
}
