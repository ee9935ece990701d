package authrules

import (
	"errors"
	"strings"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/event"
)

// thirdPartyInvite holds the rules for an invitation that began as one of a mail
// address or telephone number: an identity server signs who the address belongs to.
func (c *check) thirdPartyInvite() *Rejection {
	rule := c.rule.invite + ".1"
	if Membership(c.state, c.target()) == event.Ban {
		return reject(rule+".1", TargetState, "This user is banned from the room.")
	}
	signed, mxid, token := signedPart(c.Member().ThirdPartyInvite)
	if signed == nil {
		return reject(rule+".2", Content, "The third-party invite lacks its signed part.")
	}
	if mxid == "" || token == "" {
		return reject(rule+".3", Content, "The signed part of the third-party invite lacks the user or the token.")
	}
	if mxid != *c.StateKey {
		return reject(rule+".4", Content, "The third-party invite is for another user.")
	}
	invite := c.state(event.TypeThirdPartyInvite, token)
	if invite == nil {
		return reject(rule+".5", Other, "The room has no third-party invite with this token.")
	}
	if invite.Sender != c.Sender {
		return reject(rule+".6", Ownership, "The third-party invite was made by another user.")
	}
	if _, ok := SigningKey(invite.Content, signed); !ok {
		return reject(rule+".8", Other, "The third-party invite is not signed by the identity server it was made with.")
	}
	return nil
}

// signedPart returns third_party_invite.signed and two of its members.
func signedPart(invite []byte) (signed []byte, mxid, token string) {
	members, err := cj.AppendMembers(nil, invite)
	if err != nil {
		return nil, "", ""
	}
	signed = cj.Get(members, "signed")
	if members, err = cj.AppendMembers(nil, signed); err != nil {
		return nil, "", ""
	}
	mxid, _ = cj.Text(cj.Get(members, "mxid"))
	token, _ = cj.Text(cj.Get(members, "token"))
	return signed, mxid, token
}

// InviteKey is one of the keys that an m.room.third_party_invite names.
type InviteKey struct {
	Public      string // in base64, as the event has it
	ValidityURL string // where the identity server says whether it still counts; "" if nowhere

	raw []byte
}

// SigningKey returns which key of an m.room.third_party_invite's content has signed
// an acceptance, that is third_party_invite.signed of the membership that follows.
// It reports false if none has, as for an invite that was taken back, whose content
// is empty.
func SigningKey(content, signed []byte) (InviteKey, bool) {
	return signedByAny(signed, inviteKeys(content))
}

// inviteKeys returns the keys named in the content of m.room.third_party_invite. Of
// a key that is there twice, the entry in the list comes first: in the older member
// beside it, servers write an address that need not be the key's own.
func inviteKeys(content []byte) []InviteKey {
	members, err := cj.AppendMembers(nil, content)
	if err != nil {
		return nil
	}
	var keys []InviteKey
	if elements, err := cj.Elements(cj.Get(members, "public_keys")); err == nil {
		for _, element := range elements {
			if entry, err := cj.AppendMembers(nil, element); err == nil {
				keys = appendKey(keys, entry)
			}
		}
	}
	return appendKey(keys, members)
}

func appendKey(keys []InviteKey, members []cj.Member) []InviteKey {
	text, ok := cj.Text(cj.Get(members, "public_key"))
	if !ok {
		return keys
	}
	// Either alphabet is allowed here (client-server API, m.room.third_party_invite).
	raw, err := cj.DecodeBase64(strings.NewReplacer("-", "+", "_", "/").Replace(text))
	if err != nil {
		return keys
	}
	validity, _ := cj.Text(cj.Get(members, "key_validity_url"))
	return append(keys, InviteKey{Public: text, ValidityURL: validity, raw: raw})
}

// mostVerifications bounds the pairs of signature and key that are tried. An honest
// invite has one or two of each, while an event has room for hundreds, which would
// keep a processor busy for seconds.
const mostVerifications = 64

// signedByAny returns the key that has made one of the signatures on an object.
func signedByAny(object []byte, keys []InviteKey) (InviteKey, bool) {
	members, err := cj.AppendMembers(nil, object)
	if err != nil {
		return InviteKey{}, false
	}
	servers, err := cj.AppendMembers(nil, cj.Get(members, "signatures"))
	if err != nil {
		return InviteKey{}, false
	}
	tried := 0
	for _, server := range servers {
		signatures, err := cj.AppendMembers(nil, server.Value)
		if err != nil {
			continue
		}
		for _, signature := range signatures {
			for _, key := range keys {
				if tried++; tried > mostVerifications {
					return InviteKey{}, false
				}
				err := cj.Verify(object, string(server.Key), string(signature.Key), key.raw)
				if err == nil {
					return key, true
				}
				if errors.Is(err, cj.ErrNotSigned) {
					break
				}
			}
		}
	}
	return InviteKey{}, false
}
