package rooms

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// threepid is somebody to invite by their mail address or phone number (client-server
// API, Invite3pid).
type threepid struct {
	IDServer      string `json:"id_server"`
	IDAccessToken string `json:"id_access_token"`
	Medium        string `json:"medium"`
	Address       string `json:"address"`
}

// check looks at everything that needs neither the database nor the network, and
// brings the address into its canonical form. The name is that of the object around
// it, with a dot, or empty.
func (p *threepid) check(name string) (err error) {
	for _, m := range [][2]string{{"medium", p.Medium}, {"address", p.Address}, {"id_server", p.IDServer}, {"id_access_token", p.IDAccessToken}} {
		if m[1] == "" {
			return errcode.MissingParam.New("%q is missing.", name+m[0]).With("param", name+m[0])
		}
	}
	p.Address, err = validation.ParseAddress(validation.Medium(p.Medium), p.Address)
	if errors.Is(err, validation.ErrMedium) {
		return errcode.ThreepidMediumNotSupported.New("One can invite by mail address (%s) and phone number (%s), and by nothing else.", validation.Email, validation.Phone)
	}
	if err != nil {
		return errcode.InvalidParam.New("The parameter %q is not valid: %s", name+"address", err).With("param", name+"address")
	}
	return nil
}

// inviteAddress invites whoever has an address: the user that the identity server
// knows for it, or else whoever will have shown that it is theirs. Whether the caller
// may invite is checked before the identity server learns of the address, and again
// when the event is made; the identity server is asked in between, outside of any
// transaction.
func (s *Service) inviteAddress(ctx context.Context, roomID id.RoomID, c change, p threepid) error {
	wanted, err := s.describeInvite(ctx, roomID, c, p)
	if err != nil {
		return err
	}
	if c.target, err = s.identityServers.Lookup(ctx, p.IDServer, p.IDAccessToken, wanted.Medium, wanted.Address); err != nil {
		return err
	}
	if c.target == "" {
		stored, err := s.identityServers.StoreInvite(ctx, p.IDServer, p.IDAccessToken, wanted)
		if c.target = ownerOf(err); c.target == "" {
			return s.announceInvite(ctx, roomID, c, stored, err)
		}
	}
	_, err = s.act(ctx, roomID, c, (*room).invite)
	return err
}

// describeInvite checks that the caller may invite, and collects what the identity
// server writes to the person.
func (s *Service) describeInvite(ctx context.Context, roomID id.RoomID, c change, p threepid) (out identityserver.Invite, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		r, err := s.look(tx, roomID)
		if errors.Is(err, db.ErrNoRow) {
			return notJoined(c.caller, roomID)
		}
		if err != nil {
			return err
		}
		if err := r.load(createKey, levelsKey, memberKey(c.caller)); err != nil {
			return err
		}
		if err := r.mayInvite(c); err != nil {
			return err
		}
		about, err := s.RoomState(tx, []id.RoomID{roomID})
		if err != nil {
			return err
		}
		text := func(eventType, name string) string {
			if ev := about[roomID][eventType]; ev != nil {
				return ContentText(ev.Raw, name)
			}
			return ""
		}
		sender := r.get(event.TypeMember, string(c.caller)).Raw
		out = identityserver.Invite{
			Medium: validation.Medium(p.Medium), Address: p.Address, RoomID: roomID, Sender: c.caller,
			SenderName: ContentText(sender, accounts.DisplayName), SenderAvatar: ContentText(sender, accounts.AvatarURL),
			RoomAlias: text("m.room.canonical_alias", "alias"), RoomAvatar: text("m.room.avatar", "url"),
			RoomJoinRules: text(event.TypeJoinRules, "join_rule"), RoomName: text("m.room.name", "name"), RoomType: text(event.TypeCreate, "type"),
		}
		return nil
	})
	return out, err
}

// ownerOf gives the user to whom the address belongs after all, if that is why the
// invite was not stored.
func ownerOf(err error) id.UserID {
	var refusal *errcode.Error
	if !errors.As(err, &refusal) || refusal.Code != errcode.ThreepidInUse {
		return ""
	}
	for _, m := range refusal.Extra {
		if text, ok := m.Value.(string); ok && m.Name == "mxid" {
			if user, err := id.ParseUserID(text); err == nil {
				return user
			}
		}
	}
	return ""
}

// announceInvite puts an invite that an identity server has stored into the room,
// with the keys that will sign its acceptance.
func (s *Service) announceInvite(ctx context.Context, roomID id.RoomID, c change, stored identityserver.Stored, err error) error {
	if errors.Is(err, errcode.UnrecognizedValue) {
		return errcode.ThreepidMediumNotSupported.Wrap(err, "Nobody is known under this address, and the identity server sends no invites to addresses of its kind.")
	}
	if err != nil {
		return err
	}
	first := stored.PublicKeys[0] // there is one
	content, err := json.Marshal(thirdPartyContent{
		DisplayName: stored.DisplayName, ValidityURL: first.ValidityURL, PublicKey: first.PublicKey, PublicKeys: stored.PublicKeys,
	})
	if err != nil {
		return err
	}
	_, err = s.act(ctx, roomID, c, func(r *room, c change) error {
		if err := r.mayInvite(c); err != nil {
			return err
		}
		_, err := r.append(Draft{Type: event.TypeThirdPartyInvite, StateKey: &stored.Token, Sender: c.caller, Content: content})
		return err
	})
	return err
}

// thirdPartyContent is the content of m.room.third_party_invite.
type thirdPartyContent struct {
	DisplayName string                     `json:"display_name"`
	ValidityURL string                     `json:"key_validity_url"`
	PublicKey   string                     `json:"public_key"`
	PublicKeys  []identityserver.InviteKey `json:"public_keys"`
}

// maxAddresses is how many people createRoom invites by address: each takes several
// requests to an identity server.
const maxAddresses = 10

// checkAddresses looks at those whom a room's creator wants to invite by address,
// before there is a room.
func (s *Service) checkAddresses(addresses []threepid) error {
	if len(addresses) > maxAddresses {
		return errcode.InvalidParam.New("A room can be made with at most %d invites by address. Invite the others afterwards.", maxAddresses).With("param", "invite_3pid")
	}
	for i := range addresses {
		if err := addresses[i].check("invite_3pid."); err != nil {
			return err
		}
		if !s.identityServers.Trusts(addresses[i].IDServer) {
			return errcode.ServerNotTrusted.New("This server does not work with the identity server %q. Its administrator decides which ones it trusts.", addresses[i].IDServer)
		}
	}
	return nil
}

// inviteAddresses invites those whom the creator of a room named by address. The room
// is there, whatever becomes of them (RE-91). Once an identity server was silent the
// others are left: each would take as long.
func (s *Service) inviteAddresses(ctx context.Context, call *httpapi.Call, roomID id.RoomID, req createRoomRequest) {
	for _, p := range req.Invite3PID {
		err := s.inviteAddress(ctx, roomID, change{caller: call.UserID, direct: req.IsDirect}, p)
		if err != nil {
			call.Log.Warn("an invite by address of a new room was not sent", "room_id", roomID, "id_server", p.IDServer, "err", err)
		}
		if err != nil && (!refused(err) || errors.Is(err, errcode.Unknown)) {
			return
		}
	}
}
