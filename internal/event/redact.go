package event

import (
	"crypto/sha256"
	"slices"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
)

// Redact returns the redacted form of an event, canonical, with its hashes and
// signatures and without "unsigned". The errors are those of Parse for bytes that
// are not an event's JSON.
//
// Specification: client-server API, "Redactions", and each room version.
func Redact(v *Version, raw []byte) ([]byte, error) {
	members, err := canonicalMembers(v, raw)
	if err != nil {
		return nil, err
	}
	return cj.AppendObject(nil, redactMembers(v, members)), nil
}

// ReferenceHash returns the SHA-256 hash of an event's redacted form without its
// signatures, which is the event's name in room versions 3 and later.
//
// Specification: server-server API, "Calculating the reference hash for an event".
func ReferenceHash(v *Version, raw []byte) ([sha256.Size]byte, error) {
	members, err := canonicalMembers(v, raw)
	if err != nil {
		return [sha256.Size]byte{}, err
	}
	return referenceHash(v, members), nil
}

func referenceHash(v *Version, members []cj.Member) [sha256.Size]byte {
	kept := cj.Without(redactMembers(v, members), "signatures")
	return sha256.Sum256(cj.AppendObject(nil, kept))
}

// contentHash returns the hash that "hashes" holds: it covers everything but
// hashes, signatures and unsigned.
func contentHash(members []cj.Member) [sha256.Size]byte {
	kept := cj.Without(slices.Clone(members), "hashes", "signatures", "unsigned")
	return sha256.Sum256(cj.AppendObject(nil, kept))
}

// canonical applies the version's rule about JSON.
func canonical(v *Version, raw []byte) ([]byte, error) {
	if v.StrictJSON {
		return cj.Canonical(raw)
	}
	return cj.CanonicalLoose(raw)
}

func canonicalMembers(v *Version, raw []byte) ([]cj.Member, error) {
	canon, err := canonical(v, raw)
	if err != nil {
		return nil, &ContentError{Reason: "it is not acceptable JSON", Err: err}
	}
	members, err := cj.AppendMembers(nil, canon)
	if err != nil {
		return nil, &ContentError{Reason: "it is not a JSON object", Err: err}
	}
	return members, nil
}

// redactMembers returns what redaction leaves of an event. It does not change the
// members that it is given.
func redactMembers(v *Version, members []cj.Member) []cj.Member {
	eventType, _ := cj.Text(cj.Get(members, "type"))
	kept := make([]cj.Member, 0, len(members))
	for _, m := range members {
		if !v.keepsTopLevel(string(m.Key)) {
			continue
		}
		if string(m.Key) == "content" {
			m.Value = redactContent(v, eventType, m.Value)
		}
		kept = append(kept, m)
	}
	return kept
}

func (v *Version) keepsTopLevel(key string) bool {
	switch key {
	case "event_id", "type", "room_id", "sender", "state_key", "content", "hashes",
		"signatures", "depth", "prev_events", "auth_events", "origin_server_ts":
		return true
	case "prev_state", "origin", "membership":
		return v.Redaction < RedactionV11
	}
	return false
}

// redactContent returns what redaction leaves of a canonical content.
func redactContent(v *Version, eventType string, content []byte) []byte {
	// A content that is no object makes the event invalid; it is left as it is so
	// that redaction does not hide the fault.
	if content[0] != '{' || eventType == TypeCreate && v.Redaction >= RedactionV11 {
		return content
	}
	keys := v.keptContent(eventType)
	nested := eventType == TypeMember && v.Redaction >= RedactionV11
	if len(keys) == 0 {
		return []byte("{}")
	}
	members, err := cj.AppendMembers(nil, content)
	if err != nil {
		return []byte("{}")
	}
	kept := members[:0]
	for _, m := range members {
		key := string(m.Key)
		if nested && key == "third_party_invite" {
			signed, ok := onlySigned(m.Value)
			if !ok {
				continue
			}
			m.Value = signed
		} else if !slices.Contains(keys, key) {
			continue
		}
		kept = append(kept, m)
	}
	return cj.AppendObject(nil, kept)
}

// onlySigned reduces content.third_party_invite to its key "signed".
func onlySigned(value []byte) ([]byte, bool) {
	members, err := cj.AppendMembers(nil, value)
	if err != nil {
		return nil, false
	}
	signed := cj.Get(members, "signed")
	if signed == nil {
		return nil, false
	}
	return cj.AppendObject(nil, []cj.Member{{Key: []byte("signed"), Value: signed}}), true
}

// keptContent lists the keys of content that redaction keeps whole.
func (v *Version) keptContent(eventType string) []string {
	switch eventType {
	case TypeMember:
		if v.Redaction >= RedactionV9 {
			return []string{"membership", "join_authorised_via_users_server"}
		}
		return []string{"membership"}
	case TypeCreate:
		return []string{"creator"}
	case TypeJoinRules:
		if v.Redaction >= RedactionV8 {
			return []string{"join_rule", "allow"}
		}
		return []string{"join_rule"}
	case TypePowerLevels:
		keys := []string{"ban", "events", "events_default", "kick", "redact", "state_default", "users", "users_default"}
		if v.Redaction >= RedactionV11 {
			keys = append(keys, "invite")
		}
		return keys
	case TypeAliases:
		if v.Redaction < RedactionV6 {
			return []string{"aliases"}
		}
	case TypeHistoryVisibility:
		return []string{"history_visibility"}
	case TypeRedaction:
		if v.Redaction >= RedactionV11 {
			return []string{"redacts"}
		}
	}
	return nil
}
