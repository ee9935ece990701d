package qr

import (
	"slices"
	"time"
)

// existingState is where the existing device is. The comments give the names of
// the tests.
type existingState int

const (
	existingReady   existingState = iota // E0, until the handshake is complete
	existingConfirm                      // E0 in the generator's part, until the digits are typed
	existingWait                         // E1, for m.login.protocol
	existingCheck                        // E2, that the new device's ID is free
	existingOpening                      // E3, the page
	existingOutcome                      // E4, waiting for it
	existingVerify                       // E5, that the new device is there
	existingSecrets                      // E5, the keys are being sent
	existingEnded
)

const (
	deviceEvery = time.Second
	// deviceTries makes 10 seconds of it.
	deviceTries = 11
)

// existing is the part of the device that is signed in (MSC4108).
type existing struct {
	generation Generation
	scanned    bool // this device scanned the code
	homeserver Homeserver

	offers  []string // protocols
	state   existingState
	held    message // came before the digits were typed
	request protocolMessage
	tries   int
}

// trusted reports whether it is sure who is at the other end (step 6 for the
// scanner, step 7 for the generator). Nothing is sent before.
func (m existing) trusted() bool {
	return m.state != existingReady && m.state != existingConfirm
}

func (m existing) step(ev event) (existing, []effect) {
	if m.state == existingEnded {
		return m, nil
	}
	switch ev := ev.(type) {
	case cancelled:
		return m.fail(UserCancelled, UserCancelled, nil)
	case broke:
		return m.fail(Broken, UserCancelled, ev.cause)
	case lost:
		return m.end(&Failure{Reason: ev.reason, By: ThisDevice, Cause: ev.cause}, closeNow)
	case received:
		if f, ok := ev.message.(failureMessage); ok {
			return m.end(&Failure{Reason: f.reason, By: OtherDevice}, leave)
		}
		return m.receive(ev.message)
	}
	switch m.state {
	case existingReady:
		if ev, ok := ev.(secured); ok {
			m.offers = ev.offers
			return m.begin()
		}
	case existingConfirm:
		if ev, ok := ev.(digitsTyped); ok {
			return m.confirm(ev.right)
		}
	case existingCheck:
		if ev, ok := ev.(deviceChecked); ok {
			return m.check(ev.answer)
		}
	case existingOpening:
		return m.open(ev)
	case existingVerify:
		if ev, ok := ev.(deviceChecked); ok {
			return m.verify(ev.answer)
		}
	case existingSecrets:
		switch ev := ev.(type) {
		case secretsReady:
			return m, []effect{send{secretsMessage(ev)}}
		case secretsSent:
			return m.end(nil, leave)
		}
	}
	return m, nil
}

func (m existing) begin() (existing, []effect) {
	if !m.scanned {
		m.state = existingConfirm
		return m, []effect{askDigits{}}
	}
	m.state = existingWait
	hello := protocolsMessage{protocols: m.offers, homeserver: m.homeserver}
	if len(m.offers) > 0 {
		return m, []effect{showDigits{}, send{hello}}
	}
	if m.generation == Gen2024 {
		return m.fail(UnsupportedProtocol, UnsupportedProtocol, nil)
	}
	m, effects := m.end(m.failure(UnsupportedProtocol, nil), closeRead)
	return m, append([]effect{send{hello}}, effects...)
}

func (m existing) confirm(right bool) (existing, []effect) {
	if !right {
		return m.end(m.failure(WrongCheckCode, nil), closeNow)
	}
	m.state = existingWait
	if m.held == nil {
		return m, nil
	}
	held := m.held
	m.held = nil
	return m.receive(held)
}

func (m existing) receive(msg message) (existing, []effect) {
	switch msg := msg.(type) {
	case protocolMessage:
		if m.state == existingWait {
			return m.protocol(msg)
		}
	case successMessage:
		if m.state == existingOutcome {
			m.state = existingVerify
			return m, []effect{checkDevice{id: m.request.deviceID}}
		}
	case declinedMessage:
		if m.state == existingOutcome {
			return m.end(&Failure{Reason: Declined, By: OtherDevice}, leave)
		}
	}
	if m.state == existingConfirm && m.held == nil {
		m.held = msg
		return m, nil
	}
	return m.fail(UnexpectedMessage, UnexpectedMessage, nil)
}

func (m existing) protocol(msg protocolMessage) (existing, []effect) {
	if !slices.Contains(m.offers, msg.protocol) {
		return m.fail(UnsupportedProtocol, UnsupportedProtocol, nil)
	}
	m.state = existingCheck
	m.request = msg
	return m, []effect{checkDevice{id: msg.deviceID}}
}

// check goes on only if it is certain that no device has the ID. Whoever names a
// device that is there would have its later presence taken for their own.
func (m existing) check(answer DeviceAnswer) (existing, []effect) {
	if answer != DeviceAbsent {
		return m.fail(DeviceAlreadyExists, DeviceAlreadyExists, nil)
	}
	page := either(m.request.complete, m.request.verificationURI)
	if checkPage(page) != 0 {
		return m.unable(nil)
	}
	m.state = existingOpening
	return m, []effect{openPage{page}}
}

func (m existing) open(ev event) (existing, []effect) {
	switch ev := ev.(type) {
	case pageOpened:
		m.state = existingOutcome
		return m, []effect{send{acceptedMessage{}}}
	case pageFailed:
		return m.unable(ev.cause)
	}
	return m, nil
}

// unable fails for want of a browser, for which 2024 has no word.
func (m existing) unable(cause error) (existing, []effect) {
	if m.generation == Gen2024 {
		return m.fail(UnableToOpenURI, UserCancelled, cause)
	}
	return m.fail(UnableToOpenURI, UnableToOpenURI, cause)
}

// verify lets the keys go once the homeserver shows the device, and not before.
func (m existing) verify(answer DeviceAnswer) (existing, []effect) {
	m.tries++
	switch {
	case answer == DevicePresent:
		m.state = existingSecrets
		return m, []effect{gatherSecrets{}}
	case m.tries < deviceTries:
		return m, []effect{checkDevice{id: m.request.deviceID, after: deviceEvery}}
	}
	return m.fail(DeviceNotFound, DeviceNotFound, nil)
}

// fail ends for a reason of this device; the other learns of it as said, if it is
// certain who that is.
func (m existing) fail(reason, said Reason, cause error) (existing, []effect) {
	failure := m.failure(reason, cause)
	if !m.trusted() {
		return m.end(failure, closeNow)
	}
	word := failureMessage{reason: said}
	if said == UnsupportedProtocol {
		word.homeserver = m.homeserver
	}
	m, effects := m.end(failure, closeRead)
	return m, append([]effect{send{word}}, effects...)
}

func (m existing) failure(reason Reason, cause error) *Failure {
	return &Failure{Reason: reason, By: ThisDevice, Cause: cause}
}

func (m existing) end(failure *Failure, how closing) (existing, []effect) {
	if failure != nil {
		failure.device = DeviceExisting
		failure.SignedIn = m.state == existingSecrets
	}
	m.state = existingEnded
	return m, []effect{finish{failure: failure, closing: how}}
}
