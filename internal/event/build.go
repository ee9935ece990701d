package event

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Draft is what the author of an event decides; Build adds hashes, signature and
// event ID.
type Draft struct {
	RoomID         id.RoomID // ignored for the create event of a version 12 room
	Type           string
	StateKey       *string
	Sender         id.UserID
	Content        json.RawMessage // an object, not necessarily canonical
	Redacts        id.EventID      // put where the room version keeps it
	Prev           []id.EventID
	Auth           []id.EventID
	Depth          int64 // more than MaxInteger is written as that
	OriginServerTS int64 // milliseconds since 1970

	// Hashes holds the reference hashes of the prev and auth events. Room
	// versions 1 and 2 write them beside the IDs; others ignore the field.
	Hashes map[id.EventID][sha256.Size]byte
}

// Signer is the server in whose name events are signed.
type Signer struct {
	Server id.ServerName
	KeyID  string // "ed25519:1"
	Key    ed25519.PrivateKey
}

// Build makes the event that a draft describes and signs it. It returns a
// *TooLargeError if a size limit is exceeded, and a *ContentError if the content
// is not an object or cannot be written canonically in that room version. It does
// not check whether the room allows the event.
//
// Specification: server-server API, "Adding hashes and signatures to outgoing
// events".
func Build(v *Version, d Draft, signer Signer) (*Event, error) {
	e, err := fromDraft(v, d)
	if err != nil {
		return nil, err
	}
	f := fields{Event: e, hashes: d.Hashes, signer: signer}
	if v.Format == FormatServer {
		e.ID = serverEventID(f.append(nil, e.Content, true), signer.Server)
	}
	if err := e.checkSizes(); err != nil {
		return nil, err
	}
	buffer := f.append(make([]byte, 0, len(e.Content)+1024), e.Content, true)
	if !utf8.Valid(buffer) {
		return nil, invalid("a field of it is not valid UTF-8")
	}
	hash := sha256.Sum256(buffer)
	f.hash = cj.EncodeBase64(hash[:])

	// What is signed is also what the reference hash covers: the redacted event
	// without signatures.
	buffer = f.append(buffer[:0], redactContent(v, e.Type, e.Content), false)
	f.signature = cj.EncodeBase64(ed25519.Sign(signer.Key, buffer))
	if v.Format != FormatServer {
		e.ID = eventID(v, sha256.Sum256(buffer))
	}
	if e.isVersion12Create() {
		e.RoomID = roomIDOf(e.ID)
	}
	e.Raw = f.append(make([]byte, 0, len(buffer)+len(e.Content)+256), e.Content, true)
	if err := checkTotal(e.Raw); err != nil {
		return nil, err
	}
	return e, nil
}

// fromDraft fills an event with everything but hashes, signature and ID.
func fromDraft(v *Version, d Draft) (*Event, error) {
	if len(d.Content) > 2*MaxSize { // no white space makes up for that
		return nil, &TooLargeError{What: "the event", Limit: MaxSize, Size: len(d.Content)}
	}
	content, err := canonical(v, d.Content)
	if err != nil {
		return nil, &ContentError{Reason: "its content is not acceptable JSON", Err: err}
	}
	if content[0] != '{' {
		return nil, invalid("its content is not an object")
	}
	if v.RedactsInContent && d.Redacts != "" {
		members, err := cj.AppendMembers(nil, content)
		if err != nil {
			return nil, &ContentError{Reason: "its content is not an object", Err: err}
		}
		redacts := cj.AppendString(nil, string(d.Redacts))
		content = cj.AppendObject(nil, cj.Set(members, "redacts", redacts))
	}
	e := &Event{
		RoomID: d.RoomID, Type: d.Type, StateKey: d.StateKey, Sender: d.Sender,
		OriginServerTS: d.OriginServerTS, Depth: min(d.Depth, cj.MaxInteger),
		Prev: d.Prev, Auth: d.Auth, Content: content, Version: v,
	}
	e.Redacts = d.Redacts
	if v.RedactsInContent {
		e.Redacts = redactsIn(e)
	}
	if e.isVersion12Create() {
		e.RoomID = ""
	}
	return e, nil
}

func (e *Event) isVersion12Create() bool {
	return e.Version.RoomIDIsCreateEvent && e.Type == TypeCreate && e.StateKeyIs("")
}

// fields writes an event's canonical form member by member, which spares a detour
// through maps. A member whose value is empty here is left out.
type fields struct {
	*Event
	hashes    map[id.EventID][sha256.Size]byte
	hash      string
	signature string
	signer    Signer
}

// append writes the event with the given content. whole is false for the redacted
// form, which lacks the member "redacts".
func (f *fields) append(b, content []byte, whole bool) []byte {
	b = f.appendReferences(append(b, `{"auth_events":`...), f.Auth)
	b = append(append(b, `,"content":`...), content...)
	b = strconv.AppendInt(append(b, `,"depth":`...), f.Depth, 10)
	if f.ID != "" && f.Version.Format == FormatServer {
		b = cj.AppendString(append(b, `,"event_id":`...), string(f.ID))
	}
	if f.hash != "" {
		b = append(append(append(b, `,"hashes":{"sha256":"`...), f.hash...), `"}`...)
	}
	b = strconv.AppendInt(append(b, `,"origin_server_ts":`...), f.OriginServerTS, 10)
	b = f.appendReferences(append(b, `,"prev_events":`...), f.Prev)
	if whole && f.Redacts != "" && !f.Version.RedactsInContent {
		b = cj.AppendString(append(b, `,"redacts":`...), string(f.Redacts))
	}
	if !f.isVersion12Create() {
		b = cj.AppendString(append(b, `,"room_id":`...), string(f.RoomID))
	}
	b = cj.AppendString(append(b, `,"sender":`...), string(f.Sender))
	if f.signature != "" {
		b = cj.AppendString(append(b, `,"signatures":{`...), string(f.signer.Server))
		b = cj.AppendString(append(b, ':', '{'), f.signer.KeyID)
		b = append(append(append(b, ':', '"'), f.signature...), `"}}`...)
	}
	if f.StateKey != nil {
		b = cj.AppendString(append(b, `,"state_key":`...), *f.StateKey)
	}
	b = cj.AppendString(append(b, `,"type":`...), f.Type)
	return append(b, '}')
}

// appendReferences writes prev_events or auth_events.
func (f *fields) appendReferences(b []byte, events []id.EventID) []byte {
	b = append(b, '[')
	for i, event := range events {
		if i > 0 {
			b = append(b, ',')
		}
		if f.Version.Format != FormatServer {
			b = cj.AppendString(b, string(event))
			continue
		}
		b = cj.AppendString(append(b, '['), string(event))
		if hash, known := f.hashes[event]; known {
			b = append(append(append(b, `,{"sha256":"`...), cj.EncodeBase64(hash[:])...), `"}]`...)
		} else {
			b = append(b, `,{}]`...)
		}
	}
	return append(b, ']')
}

// eventID turns a reference hash into the ID of an event.
func eventID(v *Version, hash [sha256.Size]byte) id.EventID {
	encoding := base64.RawURLEncoding
	if v.Format == FormatHash {
		encoding = base64.RawStdEncoding
	}
	var text [1 + 43]byte
	text[0] = '$'
	encoding.Encode(text[1:], hash[:])
	return id.EventID(text[:])
}

// serverEventID names an event of room versions 1 and 2. The specification asks
// only that the name be unique; the hash of the rest of the event is, because it
// covers the events before it.
func serverEventID(withoutID []byte, server id.ServerName) id.EventID {
	hash := sha256.Sum256(withoutID)
	return id.EventID("$" + base64.RawURLEncoding.EncodeToString(hash[:18]) + ":" + string(server))
}

// roomIDOf returns the ID of the version 12 room that a create event begins.
func roomIDOf(create id.EventID) id.RoomID {
	return id.RoomID("!" + string(create[1:]))
}
