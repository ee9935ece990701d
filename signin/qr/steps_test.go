package qr

import (
	"testing"

	"pgregory.net/rapid"
)

// someMessage draws any message.
func someMessage(t *rapid.T) message {
	return rapid.SampledFrom([]message{
		protocolsMessage{protocols: []string{deviceGrant}, homeserver: home}, protocolsMessage{homeserver: home}, goodRequest, protocolMessage{protocol: "x"},
		acceptedMessage{}, successMessage{}, declinedMessage{}, failureMessage{reason: UserCancelled}, failureMessage{reason: "x"},
		secretsMessage{someSecrets}, oddMessage{},
	}).Draw(t, "message")
}

// someEvent draws any event, but more often the one that takes the sign-in forward,
// so that sequences get far.
func someEvent(t *rapid.T, forward event) event {
	switch way := rapid.IntRange(0, 9).Draw(t, "way"); {
	case way < 7:
		return forward
	case way < 9: // answers to the questions that matter most
		return rapid.SampledFrom([]event{digitsTyped{true}, digitsTyped{false}, deviceChecked{DeviceAbsent}, deviceChecked{DevicePresent}, deviceChecked{DeviceUnknown},
			received{successMessage{}}, secretsReady{someSecrets}}).Draw(t, "answer")
	}
	return rapid.SampledFrom([]event{
		offered, secured{}, digitsTyped{true}, digitsTyped{false}, received{someMessage(t)}, received{someMessage(t)}, cancelled{}, broke{errTest}, lost{reason: SessionOver},
		deviceChecked{DeviceAbsent}, deviceChecked{DevicePresent}, deviceChecked{DeviceUnknown}, pageOpened{}, pageFailed{}, secretsReady{}, secretsSent{},
		discovered{}, unsupported{}, grantStarted{someGrant}, polled{answer: TokenGranted}, polled{answer: TokenPending}, polled{answer: TokenDenied},
		polled{answer: TokenSlowDown}, polled{answer: TokenUnreachable}, polled{}, clockRanOut{}, signedIn{}, imported{},
	}).Draw(t, "event")
}

// sequences is how many sign-ins one check of rapid draws: what must not happen is
// rare even where it could.
const sequences = 30

// watch follows a machine from outside and knows what it must never do.
type watch struct {
	scanned   bool
	secure    bool // the handshake is complete
	confirmed bool // whoever is at the other end is the other device
	absent    bool // the homeserver did not have the device
	success   bool // the new device said that it is signed in
	present   bool // after both, the homeserver has it
	over      bool
}

func (w *watch) before(ev event) {
	switch ev := ev.(type) {
	case secured:
		w.secure = true
		w.confirmed = w.confirmed || w.scanned
	case digitsTyped:
		w.confirmed = w.confirmed || w.secure && ev.right
	case deviceChecked:
		w.absent = w.absent || ev.answer == DeviceAbsent
		w.present = w.present || w.absent && w.success && ev.answer == DevicePresent
	case received:
		w.success = w.success || w.absent && ev.message == (successMessage{})
	}
}

func (w *watch) after(t *rapid.T, ev event, effects []effect) {
	if w.over && len(effects) > 0 {
		t.Fatalf("%#v after the end: %#v", ev, effects)
	}
	for i, what := range effects {
		switch what := what.(type) {
		case send:
			if !w.confirmed {
				t.Fatalf("said %#v to a stranger", what.message)
			}
			switch what.message.(type) {
			case secretsMessage:
				if !w.present {
					t.Fatal("SX-1: the keys went out before the homeserver had the device")
				}
			case failureMessage, declinedMessage:
				if over, ok := last(effects[i:]); !ok || over.failure == nil {
					t.Fatalf("said that it fails, and goes on: %#v", effects)
				}
			}
		case gatherSecrets:
			if !w.present {
				t.Fatal("SX-1: the keys were fetched before the homeserver had the device")
			}
		case openPage, discover, checkDevice, startGrant:
			if !w.confirmed {
				t.Fatalf("did %#v for a stranger", what)
			}
		case finish:
			w.over = true
			if i != len(effects)-1 {
				t.Fatalf("goes on after the end: %#v", effects)
			}
		}
	}
	switch ev := ev.(type) {
	case cancelled, broke, lost:
		w.mustBeOver(t, ev)
	case received:
		if _, ok := ev.message.(failureMessage); ok {
			w.mustBeOver(t, ev)
		}
	}
}

func (w *watch) mustBeOver(t *rapid.T, ev event) {
	if !w.over {
		t.Fatalf("%#v did not end it", ev)
	}
}

// TestExistingAlways is SX-1 and LG-7 for any order of events.
func TestExistingAlways(t *testing.T) {
	forward := map[existingState]event{
		existingReady: offered, existingConfirm: digitsTyped{true}, existingWait: received{goodRequest}, existingCheck: deviceChecked{DeviceAbsent},
		existingOpening: pageOpened{}, existingOutcome: received{successMessage{}}, existingVerify: deviceChecked{DevicePresent}, existingSecrets: secretsReady{someSecrets},
		existingEnded: received{goodRequest},
	}
	done := 0
	rapid.Check(t, func(t *rapid.T) {
		for range sequences {
			m := existing{generation: rapid.SampledFrom([]Generation{Gen2024, Gen2025}).Draw(t, "generation"), scanned: rapid.Bool().Draw(t, "scanned"), homeserver: home}
			w := watch{scanned: m.scanned}
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				ev := someEvent(t, forward[m.state])
				w.before(ev)
				var effects []effect
				m, effects = m.step(ev)
				w.after(t, ev, effects)
				if m.state == existingSecrets {
					done++
				}
			}
		}
	})
	if done == 0 {
		t.Error("no sequence came to the keys: the test has gone blind")
	}
}

// TestNewAlways is the same for the new device.
func TestNewAlways(t *testing.T) {
	forward := map[newState]event{
		newReady: secured{}, newConfirm: digitsTyped{true}, newWait: received{protocolsMessage{protocols: []string{deviceGrant}, homeserver: home}},
		newDiscover: discovered{}, newStart: grantStarted{someGrant}, newAccept: received{acceptedMessage{}}, newPoll: polled{answer: TokenGranted},
		newKeep: signedIn{}, newSecrets: received{secretsMessage{someSecrets}}, newImport: imported{}, newEnded: secured{},
	}
	done := 0
	rapid.Check(t, func(t *rapid.T) {
		for range sequences {
			m := newcomer{scanned: rapid.Bool().Draw(t, "scanned"), homeserver: home}
			w := watch{scanned: m.scanned}
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				ev := someEvent(t, forward[m.state])
				w.before(ev)
				var effects []effect
				m, effects = m.step(ev)
				w.after(t, ev, effects)
				if m.state == newImport {
					done++
				}
			}
		}
	})
	if done == 0 {
		t.Error("no sequence came to the keys: the test has gone blind")
	}
}
