package event

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Load reads an event that Build or Parse made and that was stored with its ID. It
// trusts the bytes: no hash, signature or limit is checked. It keeps raw and
// points into it. The error is a *ContentError and means that the storage is
// damaged.
func Load(v *Version, eventID id.EventID, raw []byte) (*Event, error) {
	var array [16]cj.Member
	members, err := cj.AppendMembers(array[:0], raw)
	if err != nil {
		return nil, &ContentError{Reason: "it is not a JSON object", Err: err}
	}
	e := &Event{ID: eventID, Raw: raw, Version: v}
	if err := e.fill(members); err != nil {
		return nil, err
	}
	if e.isVersion12Create() && len(e.ID) > 1 {
		e.RoomID = roomIDOf(e.ID)
	}
	return e, nil
}

// Parse reads an event from another server: it checks form and limits, computes
// the event ID, and compares the content hash. If the hash does not match, the
// result is the redacted event and intact is false, as the specification demands.
// Signatures are not checked: see VerifySignature. The error is a *ContentError or
// a *TooLargeError.
//
// Specification: server-server API, "Checks performed on receipt of a PDU" and
// "Validating hashes and signatures on received events".
func Parse(v *Version, raw []byte) (e *Event, intact bool, err error) {
	if len(raw) > 4*MaxSize { // no unsigned data or white space makes up for that
		return nil, false, &TooLargeError{What: "the event", Limit: MaxSize, Size: len(raw)}
	}
	members, err := canonicalMembers(v, raw)
	if err != nil {
		return nil, false, err
	}
	e = &Event{Version: v, Unsigned: bytes.Clone(cj.Get(members, "unsigned"))}
	members = cj.Without(members, "unsigned")
	stated, err := statedHash(members)
	if err != nil {
		return nil, false, err
	}
	hash := contentHash(members)
	intact = bytes.Equal(stated, hash[:])
	// The limit holds for what was sent, even if less of it is kept.
	e.Raw = cj.AppendObject(nil, members)
	if err := checkTotal(e.Raw); err != nil {
		return nil, false, err
	}
	if !intact {
		members = redactMembers(v, members)
		e.Raw = cj.AppendObject(nil, members)
	}
	if err := e.fill(members); err != nil {
		return nil, false, err
	}
	if err := e.check(members); err != nil {
		return nil, false, err
	}
	return e, intact, nil
}

// statedHash returns the content hash that an event carries, nil if it cannot be
// read as one.
func statedHash(members []cj.Member) ([]byte, error) {
	hashes, err := cj.AppendMembers(nil, cj.Get(members, "hashes"))
	if err != nil {
		return nil, invalid("hashes must be an object")
	}
	text, ok := cj.Text(cj.Get(hashes, "sha256"))
	if !ok {
		return nil, invalid("hashes must contain sha256")
	}
	stated, err := cj.DecodeBase64(text)
	if err != nil || len(stated) != sha256.Size {
		return nil, nil
	}
	return stated, nil
}

// check completes an event that Parse has filled, and holds it to the grammar of
// its identifiers and to the limits.
func (e *Event) check(members []cj.Member) error {
	if e.Version.Format == FormatServer {
		text, _ := cj.Text(cj.Get(members, "event_id"))
		e.ID = id.EventID(text)
	} else {
		e.ID = eventID(e.Version, referenceHash(e.Version, members))
	}
	if err := e.checkSizes(); err != nil {
		return err
	}
	if _, err := id.ParseEventID(string(e.ID)); err != nil {
		return invalid("event_id is not an event ID")
	}
	if _, err := id.ParseUserID(string(e.Sender)); err != nil {
		return invalid("sender is not a user ID")
	}
	if cj.Get(members, "signatures") == nil {
		return invalid("it is not signed")
	}
	if e.Version.StrictJSON && (e.Depth < 0 || e.Depth > cj.MaxInteger) {
		return invalid("depth is out of range")
	}
	// A create event of version 12 has no room ID on the wire; one that has is
	// left as it is, for authrules to reject with the rule's number.
	if e.isVersion12Create() && cj.Get(members, "room_id") == nil {
		e.RoomID = roomIDOf(e.ID)
		return nil
	}
	if _, err := id.ParseRoomID(string(e.RoomID)); err != nil {
		return invalid("room_id is not a room ID")
	}
	return nil
}

// fill sets the fields from an event's members; each must have the right JSON type.
func (e *Event) fill(members []cj.Member) error {
	var seen struct{ sender, eventType, content, depth, ts, prev, auth bool }
	for _, m := range members {
		ok := true
		switch string(m.Key) {
		case "sender":
			seen.sender = true
			ok = setText(&e.Sender, m.Value)
		case "type":
			seen.eventType = true
			ok = setText(&e.Type, m.Value)
		case "room_id":
			ok = setText(&e.RoomID, m.Value)
		case "state_key":
			e.StateKey = new(string)
			ok = setText(e.StateKey, m.Value)
		case "redacts":
			if !e.Version.RedactsInContent {
				setText(&e.Redacts, m.Value)
			}
		case "content":
			seen.content = true
			e.Content = m.Value
			ok = m.Value[0] == '{'
		case "depth":
			seen.depth = true
			e.Depth, ok = cj.Integer(m.Value)
		case "origin_server_ts":
			seen.ts = true
			e.OriginServerTS, ok = cj.Integer(m.Value)
		case "prev_events":
			seen.prev = true
			e.Prev, ok = references(e.Version, m.Value)
		case "auth_events":
			seen.auth = true
			e.Auth, ok = references(e.Version, m.Value)
		}
		if !ok {
			return invalid(string(m.Key) + " has the wrong type")
		}
	}
	if !seen.sender || !seen.eventType || !seen.content || !seen.depth || !seen.ts || !seen.prev || !seen.auth {
		return invalid("it lacks one of sender, type, content, depth, origin_server_ts, prev_events, auth_events")
	}
	if e.Version.RedactsInContent {
		e.Redacts = redactsIn(e)
	}
	return nil
}

func setText[T ~string](dst *T, value []byte) bool {
	text, ok := cj.Text(value)
	*dst = T(text)
	return ok
}

// redactsIn returns content.redacts of a redaction.
func redactsIn(e *Event) id.EventID {
	if e.Type != TypeRedaction {
		return ""
	}
	members, err := cj.AppendMembers(nil, e.Content)
	if err != nil {
		return ""
	}
	text, _ := cj.Text(cj.Get(members, "redacts"))
	return id.EventID(text)
}

// references reads prev_events or auth_events: IDs, or up to version 2 pairs of an
// ID and an object.
func references(v *Version, value []byte) ([]id.EventID, bool) {
	elements, err := cj.Elements(value)
	if err != nil {
		return nil, false
	}
	events := make([]id.EventID, 0, len(elements))
	for _, element := range elements {
		if v.Format == FormatServer {
			pair, err := cj.Elements(element)
			if err != nil || len(pair) != 2 {
				return nil, false
			}
			element = pair[0]
		}
		text, ok := cj.Text(element)
		if !ok {
			return nil, false
		}
		events = append(events, id.EventID(text))
	}
	return events, true
}

// VerifySignature checks the signature that a server made over an event with one
// key. It returns nil or an error of canonicaljson.Verify.
func VerifySignature(e *Event, server id.ServerName, keyID string, key ed25519.PublicKey) error {
	members, err := cj.AppendMembers(nil, e.Raw)
	if err != nil {
		return &ContentError{Reason: "it is not a JSON object", Err: err}
	}
	redacted := cj.AppendObject(nil, redactMembers(e.Version, members))
	return cj.Verify(redacted, string(server), keyID, key)
}
