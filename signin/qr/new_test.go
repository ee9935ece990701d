package qr

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// inPackage picks the types of this package.
func inPackage(t reflect.Type) bool {
	return strings.HasSuffix(t.PkgPath(), "/signin/qr")
}

func newEnds(reason Reason, by Side, how closing, before ...effect) []effect {
	return append(before, finish{&Failure{Reason: reason, By: by, device: DeviceNew}, how})
}

// stays is newEnds of a device that has its session by then.
func stays(reason Reason, by Side, how closing, before ...effect) []effect {
	return append(before, finish{&Failure{Reason: reason, By: by, SignedIn: true, device: DeviceNew}, how})
}

// newAt gives the machine in a state, as it comes there.
func newAt(state newState, scanned bool) newcomer {
	m := newcomer{scanned: scanned, state: state}
	if scanned || state > newWait {
		m.homeserver = home
	}
	if state > newStart {
		m.grant, m.interval = someGrant, defaultInterval
	}
	return m
}

func TestNewRows(t *testing.T) {
	at := func(state newState) newcomer { return newAt(state, true) }
	shows := newAt(newReady, false)
	confirms := newAt(newConfirm, false)
	hello := protocolsMessage{protocols: []string{"other", deviceGrant}, homeserver: home}
	none := protocolsMessage{homeserver: home}
	held, heldNone := confirms, confirms
	held.held, heldNone.held = hello, none
	request := protocolMessage{protocol: deviceGrant, deviceID: someGrant.DeviceID, verificationURI: someGrant.VerificationURI, complete: someGrant.VerificationURIComplete}
	slow := at(newPoll)
	slow.interval += slowDownBy
	away := at(newPoll)
	away.backOff = 40 * time.Second
	for _, row := range []struct {
		name    string
		from    newcomer
		event   event
		state   newState
		effects []effect
	}{
		{"N0 scanned, secure", at(newReady), secured{}, newDiscover, []effect{showDigits{}, discover{home}}},
		{"N0 shown, secure", shows, secured{}, newConfirm, []effect{askDigits{}}},
		{"N0 shown, right digits", confirms, digitsTyped{true}, newWait, nil},
		{"N0 shown, wrong digits", confirms, digitsTyped{false}, newEnded, newEnds(WrongCheckCode, ThisDevice, closeNow)},
		{"N0 shown, protocols before the digits", confirms, received{hello}, newConfirm, nil},
		{"N0 shown, a second message before the digits", held, received{hello}, newEnded, newEnds(UnexpectedMessage, ThisDevice, closeNow)},
		{"N0 shown, cancelled", confirms, cancelled{}, newEnded, newEnds(UserCancelled, ThisDevice, closeNow)},
		{"N1 held protocols, right digits", held, digitsTyped{true}, newDiscover, []effect{discover{home}}},
		{"N1 held protocols without a usable one, right digits", heldNone, digitsTyped{true}, newEnded,
			newEnds(UnsupportedProtocol, ThisDevice, closeRead, says(UnsupportedProtocol))},
		{"N1 protocols with a usable one", newAt(newWait, false), received{hello}, newDiscover, []effect{discover{home}}},
		{"N1 protocols without a usable one", newAt(newWait, false), received{none}, newEnded,
			newEnds(UnsupportedProtocol, ThisDevice, closeRead, says(UnsupportedProtocol))},
		{"N1 other", newAt(newWait, false), received{acceptedMessage{}}, newEnded, newEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"N2 metadata lacks something", at(newDiscover), unsupported{}, newEnded, newEnds(UnsupportedProtocol, ThisDevice, closeRead, says(UnsupportedProtocol))},
		{"N2 metadata ok", at(newDiscover), discovered{}, newStart, []effect{startGrant{}}},
		{"N2 grant refused", at(newStart), unsupported{}, newEnded, newEnds(UnsupportedProtocol, ThisDevice, closeRead, says(UnsupportedProtocol))},
		{"N2 ok", at(newStart), grantStarted{someGrant}, newAccept, []effect{send{request}, startClock{20 * time.Minute}}},
		{"N2 protocols although scanned", at(newDiscover), received{hello}, newEnded, newEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"N3 accepted", at(newAccept), received{acceptedMessage{}}, newPoll, []effect{showUserCode{someGrant}, pollToken{defaultInterval}}},
		{"N3 failure", at(newAccept), received{failureMessage{reason: DeviceAlreadyExists}}, newEnded, newEnds(DeviceAlreadyExists, OtherDevice, leave)},
		{"N3 the clock ran out", at(newAccept), clockRanOut{}, newEnded, newEnds(AuthorizationExpired, ThisDevice, closeRead, says(AuthorizationExpired))},
		{"N3 secrets too early", at(newAccept), received{secretsMessage{someSecrets}}, newEnded, newEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"LG-1 N3 declined by the existing device", at(newAccept), received{declinedMessage{}}, newEnded, newEnds(Declined, OtherDevice, leave)},
		{"N4 authorization_pending", at(newPoll), polled{answer: TokenPending}, newPoll, []effect{pollToken{5 * time.Second}}},
		{"N4 slow_down", at(newPoll), polled{answer: TokenSlowDown}, newPoll, []effect{pollToken{10 * time.Second}}},
		{"N4 slow_down stays", slow, polled{answer: TokenPending}, newPoll, []effect{pollToken{10 * time.Second}}},
		{"N4 200", at(newPoll), polled{answer: TokenGranted}, newKeep, []effect{keepSession{}}},
		{"N4 session kept", at(newKeep), signedIn{}, newSecrets, []effect{send{successMessage{}}}},
		{"N4 session not kept", at(newKeep), broke{}, newEnded, stays(Broken, ThisDevice, closeRead, says(UserCancelled))},
		{"N4 access_denied", at(newPoll), polled{answer: TokenDenied}, newEnded, newEnds(Declined, ThisDevice, closeRead, send{declinedMessage{}})},
		{"N4 expired_token", at(newPoll), polled{answer: TokenExpired}, newEnded, newEnds(AuthorizationExpired, ThisDevice, closeRead, says(AuthorizationExpired))},
		{"N4 the clock ran out", at(newPoll), clockRanOut{}, newEnded, newEnds(AuthorizationExpired, ThisDevice, closeRead, says(AuthorizationExpired))},
		{"N4 the clock ran out after the token came", at(newKeep), clockRanOut{}, newKeep, nil},
		{"N4 5xx", at(newPoll), polled{answer: TokenUnreachable}, newPoll, []effect{pollToken{10 * time.Second}}},
		{"N4 5xx again", away, polled{answer: TokenUnreachable}, newPoll, []effect{pollToken{time.Minute}}},
		{"N4 back again", away, polled{answer: TokenPending}, newPoll, []effect{pollToken{5 * time.Second}}},
		{"N4 other OAuth error", at(newPoll), polled{answer: TokenRefused}, newEnded, newEnds(Broken, ThisDevice, closeRead, says(UserCancelled))},
		{"N4 failure", at(newPoll), received{failureMessage{reason: UserCancelled}}, newEnded, newEnds(UserCancelled, OtherDevice, leave)},
		{"N5 secrets", at(newSecrets), received{secretsMessage{someSecrets}}, newImport, []effect{importSecrets{someSecrets}}},
		{"N5 failure", at(newSecrets), received{failureMessage{reason: DeviceNotFound}}, newEnded, stays(DeviceNotFound, OtherDevice, leave)},
		{"N5 other", at(newSecrets), received{acceptedMessage{}}, newEnded, stays(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"N5 imported", at(newImport), imported{}, newEnded, []effect{finish{nil, closeNow}}},
		{"N5 not imported", at(newImport), broke{}, newEnded, stays(Broken, ThisDevice, closeNow)},
		{"any: no message at all", at(newPoll), received{oddMessage{}}, newEnded, newEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"any: cancelled", at(newAccept), cancelled{}, newEnded, newEnds(UserCancelled, ThisDevice, closeRead, says(UserCancelled))},
		{"any: the session is over", at(newSecrets), lost{reason: SessionOver}, newEnded, stays(SessionOver, ThisDevice, closeNow)},
		{"a stray answer", at(newAccept), polled{answer: TokenGranted}, newAccept, nil},
		{"after the end", at(newEnded), received{hello}, newEnded, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			next, effects := row.from.step(row.event)
			if next.state != row.state {
				t.Errorf("state %d, want %d", next.state, row.state)
			}
			if diff := cmp.Diff(row.effects, effects, unexported); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestIntervalOfTheGrant(t *testing.T) {
	grant := someGrant
	grant.Interval = 7 * time.Second
	m, _ := newAt(newStart, true).step(grantStarted{grant})
	if _, effects := m.step(received{acceptedMessage{}}); !cmp.Equal(effects, []effect{showUserCode{grant}, pollToken{7 * time.Second}}, unexported) {
		t.Errorf("%+v", effects)
	}
}
