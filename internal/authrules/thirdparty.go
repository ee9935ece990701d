package authrules

import (
	"errors"

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
	if !signedByAny(signed, publicKeys(invite.Content)) {
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

// publicKeys returns the keys named in the content of m.room.third_party_invite.
func publicKeys(content []byte) [][]byte {
	members, err := cj.AppendMembers(nil, content)
	if err != nil {
		return nil
	}
	keys := appendKey(nil, members)
	elements, err := cj.Elements(cj.Get(members, "public_keys"))
	if err != nil {
		return keys
	}
	for _, element := range elements {
		if entry, err := cj.AppendMembers(nil, element); err == nil {
			keys = appendKey(keys, entry)
		}
	}
	return keys
}

func appendKey(keys [][]byte, members []cj.Member) [][]byte {
	text, ok := cj.Text(cj.Get(members, "public_key"))
	if !ok {
		return keys
	}
	key, err := cj.DecodeBase64(text)
	if err != nil {
		return keys
	}
	return append(keys, key)
}

// mostVerifications bounds the pairs of signature and key that are tried. An honest
// invite has one or two of each, while an event has room for hundreds, which would
// keep a processor busy for seconds.
const mostVerifications = 64

// signedByAny reports whether any signature on an object is by any of the keys.
func signedByAny(object []byte, keys [][]byte) bool {
	members, err := cj.AppendMembers(nil, object)
	if err != nil {
		return false
	}
	servers, err := cj.AppendMembers(nil, cj.Get(members, "signatures"))
	if err != nil {
		return false
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
					return false
				}
				err := cj.Verify(object, string(server.Key), string(signature.Key), key)
				if err == nil {
					return true
				}
				if errors.Is(err, cj.ErrNotSigned) {
					break
				}
			}
		}
	}
	return false
}
