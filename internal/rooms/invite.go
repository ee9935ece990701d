package rooms

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// inviteRequest names whom to invite: a user, or the address of a person.
type inviteRequest struct {
	RoomID id.RoomID `path:"roomId"`
	UserID id.UserID `json:"user_id"`
	Reason string    `json:"reason"`

	Medium        string `json:"medium"`
	Address       string `json:"address"`
	IDServer      string `json:"id_server"`
	IDAccessToken string `json:"id_access_token"`
}

func (s *Service) inviteUser(ctx context.Context, call *httpapi.Call, req inviteRequest) (empty, error) {
	c := change{caller: call.UserID, target: req.UserID, reason: req.Reason}
	if req.UserID != "" {
		return s.act(ctx, req.RoomID, c, (*room).invite)
	}
	if req.Medium == "" && req.Address == "" {
		return empty{}, errcode.MissingParam.New("%q is missing.", "user_id").With("param", "user_id")
	}
	p := threepid{IDServer: req.IDServer, IDAccessToken: req.IDAccessToken, Medium: req.Medium, Address: req.Address}
	if err := p.check(""); err != nil {
		return empty{}, err
	}
	return empty{}, s.inviteAddress(ctx, req.RoomID, c, p)
}

func (r *room) mayInvite(c change) error {
	switch {
	case r.membership(c.caller) != event.Join:
		return notJoined(c.caller, r.id)
	case r.membership(c.target) == event.Ban:
		return errcode.Forbidden.New("%s is banned from this room. Unban them before you invite them.", c.target)
	case r.membership(c.target) == event.Join:
		return errcode.AlreadyJoined.New("%s is in this room already.", c.target)
	}
	return r.needs(c.caller, r.levels().Invite(), "invite people")
}

func (r *room) invite(c change) error {
	if err := r.mayInvite(c); err != nil {
		return err
	}
	if err := r.s.invitable(r.tx, c.caller, c.target); err != nil {
		return err
	}
	return r.setMembership(c, event.Invite)
}

// invitable checks that the target exists and accepts invites from the caller. A
// pending account is answered like one that does not exist.
func (s *Service) invitable(tx *db.Tx, caller, target id.UserID) error {
	if target.ServerName() != s.server {
		return errcode.NotFound.New("This server cannot reach %s: it does not exchange events with other servers yet.", target)
	}
	exists, err := s.accounts.Exists(tx, target)
	if err != nil {
		return err
	}
	if !exists {
		return errcode.NotFound.New("There is no user %s.", target)
	}
	blocks, err := s.accountData.BlocksInvites(tx, target, caller)
	if err != nil {
		return err
	}
	if blocks {
		return errcode.InviteBlocked.New("%s does not accept invites from you.", target)
	}
	return nil
}

// inviteFirst invites those whom the room's creator named. That one of them cannot
// be invited does not keep the room from being made (RE-91), and those who do not
// exist cost nothing.
func (r *room) inviteFirst(creator id.UserID, users []id.UserID, direct bool) error {
	known, err := r.s.accounts.Known(r.tx, users)
	if err != nil {
		return err
	}
	for _, u := range users {
		if _, exists := known[u]; !exists {
			continue
		}
		delete(known, u) // once is enough
		err := r.invite(change{caller: creator, target: u, direct: direct})
		if err != nil && !refused(err) {
			return err
		}
	}
	return nil
}
