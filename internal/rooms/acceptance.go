package rooms

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// acceptance is what an identity server has signed: that an invite by address is
// for this user (client-server API, ThirdPartySigned).
type acceptance struct {
	signed jsontext.Value // all of it, as the signature covers it
	userID id.UserID
	sender id.UserID // who invited; "" where the identity server leaves it out
	token  string
}

// parseAcceptance reads a member of a request. Of its signatures it checks only that
// there are some.
func parseAcceptance(signed jsontext.Value, name string) (acceptance, error) {
	var members struct {
		UserID     id.UserID                    `json:"mxid"`
		Sender     id.UserID                    `json:"sender"`
		Token      string                       `json:"token"`
		Signatures map[string]map[string]string `json:"signatures"`
	}
	if signed.Kind() != '{' {
		return acceptance{}, errcode.BadJSON.New("%q must be an object.", name).With("param", name)
	}
	if err := json.Unmarshal(signed, &members); err != nil {
		var own *id.Error
		if errors.As(err, &own) {
			return acceptance{}, errcode.InvalidParam.New("The parameter %q is not valid: it names somebody who is no user.", name).With("param", name)
		}
		return acceptance{}, errcode.BadJSON.New("%q is not what an identity server signs: mxid, sender, token and signatures.", name).With("param", name)
	}
	for _, m := range []struct {
		name  string
		there bool
	}{{"mxid", members.UserID != ""}, {"token", members.Token != ""}, {"signatures", len(members.Signatures) > 0}} {
		if !m.there {
			return acceptance{}, errcode.MissingParam.New("%q is missing.", name+"."+m.name).With("param", name+"."+m.name)
		}
	}
	return acceptance{signed: signed, userID: members.UserID, sender: members.Sender, token: members.Token}, nil
}

// enterRoom is a join; of somebody who was invited by address, with the proof that
// the address is theirs.
func (s *Service) enterRoom(ctx context.Context, call *httpapi.Call, name roomIDOrAlias, reason string, signed jsontext.Value) (joinRoomResponse, error) {
	if len(signed) == 0 || signed.Kind() == 'n' {
		return s.come(ctx, call, name, reason, (*room).join)
	}
	a, err := parseAcceptance(signed, "third_party_signed")
	if err != nil {
		return joinRoomResponse{}, err
	}
	if a.sender == "" {
		return joinRoomResponse{}, errcode.MissingParam.New("%q is missing.", "third_party_signed.sender").With("param", "third_party_signed.sender")
	}
	key, err := s.validKey(ctx, call.UserID, name, a)
	if err != nil {
		return joinRoomResponse{}, err
	}
	return s.come(ctx, call, name, reason, func(r *room, c change) error {
		if err := r.accept(c.caller, a, key); err != nil {
			return err
		}
		return r.join(c)
	})
}

// validKey finds the key that has signed an acceptance, and asks where the room's
// invite says so whether the key still counts. It looks at everything that can
// refuse the acceptance before it asks, and asks outside of any transaction. Of who
// is in the room already nothing is asked.
func (s *Service) validKey(ctx context.Context, userID id.UserID, name roomIDOrAlias, a acceptance) (key authrules.InviteKey, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		key = authrules.InviteKey{}
		roomID, err := s.resolve(tx, name)
		if err != nil {
			return err
		}
		r, err := s.look(tx, roomID)
		if err != nil {
			return unreachable(err, roomID)
		}
		if err := r.load(createKey, levelsKey, memberKey(userID)); err != nil || r.membership(userID) == event.Join {
			return err
		}
		_, key, err = r.invitation(userID, a)
		return err
	})
	if err != nil || key.ValidityURL == "" {
		return key, err
	}
	valid, err := s.identityServers.KeyIsValid(ctx, key.ValidityURL, key.Public)
	switch {
	case err != nil:
		err = errcode.Unknown.Wrap(err, "The identity server of this invite could not be asked whether it still counts. Try again later.")
	case !valid:
		err = errcode.Forbidden.New("The identity server has taken back the key of this invite. Ask for a new invite.")
	}
	return key, err
}

// accept makes the invite of a user out of the invite of their address, in the name
// of who sent that one. Its signature is by the key that was found valid. Who is in
// the room or invited needs no further invite.
func (r *room) accept(userID id.UserID, a acceptance, key authrules.InviteKey) error {
	if r.membership(userID) == event.Join {
		return nil
	}
	byAddress, now, err := r.invitation(userID, a)
	if err != nil {
		return err
	}
	if now.Public != key.Public || now.ValidityURL != key.ValidityURL {
		return errcode.Forbidden.New("The invite has changed at this moment. Try again.")
	}
	if r.membership(userID) == event.Invite {
		return nil
	}
	return r.setMembership(change{caller: byAddress.Sender, target: userID, thirdParty: thirdPartyInvite(byAddress, a)}, event.Invite)
}

// thirdPartyInvite is the member of that name of the invite's content.
func thirdPartyInvite(byAddress *event.Event, a acceptance) *thirdParty {
	var content struct {
		DisplayName string `json:"display_name"`
	}
	_ = json.Unmarshal(byAddress.Content, &content) // one without a name has an empty one
	return &thirdParty{DisplayName: content.DisplayName, Signed: a.signed}
}

// invitation finds the invite by address that an acceptance is for, and the key that
// has signed it. The rules of rooms would let it count for ever: here it counts once
// for each user, so that who was removed does not come back by it, and as long as
// who sent it may invite. The user's membership has been loaded before.
func (r *room) invitation(userID id.UserID, a acceptance) (*event.Event, authrules.InviteKey, error) {
	var none authrules.InviteKey
	inviteKey := authrules.Key{Type: event.TypeThirdPartyInvite, StateKey: a.token}
	if err := r.load(inviteKey); err != nil {
		return nil, none, err
	}
	ev := r.state[inviteKey]
	switch {
	case r.membership(userID) == event.Ban:
		return nil, none, errcode.Forbidden.New("You are banned from this room.")
	case a.userID != userID:
		return nil, none, errcode.Forbidden.New("This invite was accepted by another user. Sign in as that user, or follow the link in the mail again.")
	case ev == nil:
		return nil, none, errcode.Forbidden.New("This room has no such invite.")
	case takenBack(ev):
		return nil, none, errcode.Forbidden.New("This invite was taken back. Ask for a new one.")
	case a.sender != "" && a.sender != ev.Sender:
		return nil, none, errcode.Forbidden.New("This invite was sent by another user than it says.")
	}
	key, ok := authrules.SigningKey(ev.Content, a.signed)
	if !ok {
		return nil, none, errcode.Forbidden.New("The identity server of this invite has not signed that it is yours.")
	}
	if err := r.load(memberKey(ev.Sender)); err != nil {
		return nil, none, err
	}
	if r.membership(ev.Sender) != event.Join || r.levels().UserLevel(ev.Sender) < r.levels().Invite() {
		return nil, none, errcode.Forbidden.New("Who sent this invite may no longer invite people to this room. Ask somebody else for an invite.")
	}
	if r.membership(userID) == event.Invite {
		return ev, key, nil
	}
	used, err := r.hasAccepted(userID, ev.ID)
	if err == nil && used {
		err = errcode.Forbidden.New("You have used this invite before. Ask for a new one.")
	}
	return ev, key, err
}

// takenBack reports whether an invite by address names no key any more: its content
// was replaced by an empty one, or redacted.
func takenBack(invite *event.Event) bool {
	var content struct {
		PublicKey  jsontext.Value `json:"public_key"`
		PublicKeys jsontext.Value `json:"public_keys"`
	}
	return json.Unmarshal(invite.Content, &content) == nil && content.PublicKey == nil && content.PublicKeys == nil
}

// hasAccepted reports whether the user was invited by virtue of an invite by address
// before: then that invite is among the reasons that permit theirs.
func (r *room) hasAccepted(userID id.UserID, invite id.EventID) (bool, error) {
	before, err := db.All(r.tx, ScanEvent, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
		WHERE st.room_id = $1 AND st.type = $2 AND st.state_key = $3 AND st.value = 'invite'`, r.id, event.TypeMember, userID)
	return slices.ContainsFunc(before, func(st Stored) bool { return slices.Contains(st.Auth, invite) }), err
}
