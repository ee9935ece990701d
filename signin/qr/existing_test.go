package qr

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// unexported lets cmp look into the package's own types, and take causes as they
// are.
var unexported = cmp.Options{
	cmp.Exporter(inPackage),
	cmp.Comparer(func(a, b error) bool { return a == b || a != nil && b != nil && a.Error() == b.Error() }),
}

var (
	goodRequest = protocolMessage{protocol: deviceGrant, deviceID: "ABCDEFGHIJ", verificationURI: "https://a.org/link", complete: "https://a.org/link?c=1"}
	home        = Homeserver{BaseURL: "https://a.org", ServerName: "a"}
	offered     = secured{offers: []string{deviceGrant}}
)

// ends is the effects of an end of the existing device.
func existingEnds(reason Reason, by Side, how closing, before ...effect) []effect {
	return append(before, finish{&Failure{Reason: reason, By: by, device: DeviceExisting}, how})
}

func says(reason Reason) effect { return send{failureMessage{reason: reason}} }

// existingAt gives the machine in a state, as it comes there.
func existingAt(state existingState, scanned bool, g Generation) existing {
	m := existing{generation: g, scanned: scanned, homeserver: home, state: state}
	if state > existingReady {
		m.offers = []string{deviceGrant}
	}
	if state > existingWait {
		m.request = goodRequest
	}
	return m
}

func TestExistingRows(t *testing.T) {
	hello := protocolsMessage{protocols: []string{deviceGrant}, homeserver: home}
	plain, ftp := goodRequest, goodRequest
	plain.complete = ""
	ftp.complete = "ftp://a.org"
	held := existingAt(existingConfirm, false, Gen2025)
	held.held = goodRequest
	heldOther := existingAt(existingConfirm, false, Gen2025)
	heldOther.held = successMessage{}
	at := func(state existingState) existing { return existingAt(state, true, Gen2025) }
	at24 := func(state existingState) existing { return existingAt(state, true, Gen2024) }
	asks := existingAt(existingReady, false, Gen2025)
	confirms := existingAt(existingConfirm, false, Gen2025)
	request := func(m existing, r protocolMessage) existing { m.request = r; return m }
	last := at(existingVerify)
	last.tries = deviceTries - 1
	for _, row := range []struct {
		name    string
		from    existing
		event   event
		state   existingState
		effects []effect
	}{
		{"E0 pre-check fails", at(existingReady), lost{reason: NotReady}, existingEnded, existingEnds(NotReady, ThisDevice, closeNow)},
		{"E0 scanned, secure", at(existingReady), offered, existingWait, []effect{showDigits{}, send{hello}}},
		{"E0 scanned, secure, 2024", at24(existingReady), offered, existingWait, []effect{showDigits{}, send{hello}}},
		{"E0 scanned, the grant is lost, 2024", at24(existingReady), secured{}, existingEnded,
			existingEnds(UnsupportedProtocol, ThisDevice, closeRead, send{failureMessage{reason: UnsupportedProtocol, homeserver: home}})},
		{"E0 scanned, the grant is lost, 2025", at(existingReady), secured{}, existingEnded,
			existingEnds(UnsupportedProtocol, ThisDevice, closeRead, send{protocolsMessage{homeserver: home}})},
		{"E0 shown, secure", asks, offered, existingConfirm, []effect{askDigits{}}},
		{"E0 shown, right digits", confirms, digitsTyped{true}, existingWait, nil},
		{"E0 shown, wrong digits", confirms, digitsTyped{false}, existingEnded, existingEnds(WrongCheckCode, ThisDevice, closeNow)},
		{"E0 cancelled", asks, cancelled{}, existingEnded, existingEnds(UserCancelled, ThisDevice, closeNow)},
		{"E1 not confirmed, protocol", confirms, received{goodRequest}, existingConfirm, nil},
		{"E1 not confirmed, cancelled", confirms, cancelled{}, existingEnded, existingEnds(UserCancelled, ThisDevice, closeNow)},
		{"E1 not confirmed, failure", confirms, received{failureMessage{reason: UserCancelled}}, existingEnded, existingEnds(UserCancelled, OtherDevice, leave)},
		{"E1 not confirmed, a second message", held, received{goodRequest}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeNow)},
		{"E1 held protocol, right digits", held, digitsTyped{true}, existingCheck, []effect{checkDevice{id: "ABCDEFGHIJ"}}},
		{"E1 held protocol, wrong digits", held, digitsTyped{false}, existingEnded, existingEnds(WrongCheckCode, ThisDevice, closeNow)},
		{"E1 held other, right digits", heldOther, digitsTyped{true}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E1 protocol ok", at(existingWait), received{goodRequest}, existingCheck, []effect{checkDevice{id: "ABCDEFGHIJ"}}},
		{"E1 protocol not offered", at(existingWait), received{protocolMessage{protocol: "x", deviceID: "y"}}, existingEnded,
			existingEnds(UnsupportedProtocol, ThisDevice, closeRead, send{failureMessage{reason: UnsupportedProtocol, homeserver: home}})},
		{"E1 declined", at(existingWait), received{declinedMessage{}}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E1 success too early", at(existingWait), received{successMessage{}}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E1 no message at all", at(existingWait), received{oddMessage{}}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E1 its own kind of message", at(existingWait), received{acceptedMessage{}}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E2 200", at(existingCheck), deviceChecked{DevicePresent}, existingEnded, existingEnds(DeviceAlreadyExists, ThisDevice, closeRead, says(DeviceAlreadyExists))},
		{"E2 no answer", at(existingCheck), deviceChecked{DeviceUnknown}, existingEnded, existingEnds(DeviceAlreadyExists, ThisDevice, closeRead, says(DeviceAlreadyExists))},
		{"E2 404", at(existingCheck), deviceChecked{DeviceAbsent}, existingOpening, []effect{openPage{"https://a.org/link?c=1"}}},
		{"E2 404, without complete", request(at(existingCheck), plain), deviceChecked{DeviceAbsent}, existingOpening, []effect{openPage{"https://a.org/link"}}},
		{"E2 404, scheme refused", request(at(existingCheck), ftp), deviceChecked{DeviceAbsent}, existingEnded,
			existingEnds(UnableToOpenURI, ThisDevice, closeRead, says(UnableToOpenURI))},
		{"E2 404, scheme refused, 2024", request(at24(existingCheck), ftp), deviceChecked{DeviceAbsent}, existingEnded,
			existingEnds(UnableToOpenURI, ThisDevice, closeRead, says(UserCancelled))},
		{"E3 opened", at(existingOpening), pageOpened{}, existingOutcome, []effect{send{acceptedMessage{}}}},
		{"E3 refused", at(existingOpening), cancelled{}, existingEnded, existingEnds(UserCancelled, ThisDevice, closeRead, says(UserCancelled))},
		{"E3 cannot open", at(existingOpening), pageFailed{}, existingEnded, existingEnds(UnableToOpenURI, ThisDevice, closeRead, says(UnableToOpenURI))},
		{"E3 cannot open, 2024", at24(existingOpening), pageFailed{}, existingEnded, existingEnds(UnableToOpenURI, ThisDevice, closeRead, says(UserCancelled))},
		{"E3 success too early", at(existingOpening), received{successMessage{}}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E4 success", at(existingOutcome), received{successMessage{}}, existingVerify, []effect{checkDevice{id: "ABCDEFGHIJ"}}},
		{"E4 declined", at(existingOutcome), received{declinedMessage{}}, existingEnded, existingEnds(Declined, OtherDevice, leave)},
		{"E4 failure", at(existingOutcome), received{failureMessage{reason: AuthorizationExpired}}, existingEnded, existingEnds(AuthorizationExpired, OtherDevice, leave)},
		{"E4 a second protocol", at(existingOutcome), received{goodRequest}, existingEnded, existingEnds(UnexpectedMessage, ThisDevice, closeRead, says(UnexpectedMessage))},
		{"E5 200", at(existingVerify), deviceChecked{DevicePresent}, existingSecrets, []effect{gatherSecrets{}}},
		{"E5 404", at(existingVerify), deviceChecked{DeviceAbsent}, existingVerify, []effect{checkDevice{id: "ABCDEFGHIJ", after: deviceEvery}}},
		{"E5 no answer", at(existingVerify), deviceChecked{DeviceUnknown}, existingVerify, []effect{checkDevice{id: "ABCDEFGHIJ", after: deviceEvery}}},
		{"E5 10 s over", last, deviceChecked{DeviceAbsent}, existingEnded, existingEnds(DeviceNotFound, ThisDevice, closeRead, says(DeviceNotFound))},
		{"E5 200 at last", last, deviceChecked{DevicePresent}, existingSecrets, []effect{gatherSecrets{}}},
		{"E5 secrets", at(existingSecrets), secretsReady{someSecrets}, existingSecrets, []effect{send{secretsMessage{someSecrets}}}},
		{"E5 secrets sent", at(existingSecrets), secretsSent{}, existingEnded, []effect{finish{nil, leave}}},
		{"any: the session is over", at(existingOutcome), lost{reason: SessionOver}, existingEnded, existingEnds(SessionOver, ThisDevice, closeNow)},
		{"any: broken", at(existingOpening), broke{errTest}, existingEnded,
			[]effect{says(UserCancelled), finish{&Failure{Reason: Broken, By: ThisDevice, Cause: errTest, device: DeviceExisting}, closeRead}}},
		{"a stray answer", at(existingWait), deviceChecked{DeviceAbsent}, existingWait, nil},
		{"keys too early", at(existingOutcome), secretsReady{someSecrets}, existingOutcome, nil},
		{"after the end", at(existingEnded), received{goodRequest}, existingEnded, nil},
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
