package rooms

import (
	"context"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

const (
	// maxNotice is the largest notice, in bytes: an identity server may have kept
	// some hundred invites for one address.
	maxNotice        = 512 << 10
	maxNoticeInvites = 500
)

// onBindRequest is the notice of an identity server that a user of this server has
// bound an address for which it kept invites (server-server API, "3pid/onbind").
type onBindRequest struct {
	Medium  string         `json:"medium" required:"true"`
	Address string         `json:"address" required:"true"`
	UserID  id.UserID      `json:"mxid" required:"true"`
	Invites []onBindInvite `json:"invites" required:"true"`
}

// onBindInvite is one of the invites. Its other members say nothing that the room
// and the signature do not say better.
type onBindInvite struct {
	RoomID id.RoomID      `json:"room_id"`
	Signed jsontext.Value `json:"signed"`
}

// exchangeJob makes one invite of a user out of the invite of their address.
const exchangeJob = "rooms.exchange_invite"

// maxExchangeTries spread over about three hours, in which an identity server should
// have been able to say whether its key is valid.
const maxExchangeTries = 12

// exchange is the payload of the job.
type exchange struct {
	RoomID id.RoomID      `json:"room_id"`
	UserID id.UserID      `json:"user_id"`
	Signed jsontext.Value `json:"signed"`
}

// tellOfBinding takes a notice that anybody may send: it counts for the signatures in it.
// Invites that are no good are passed over without a word, since a refusal would
// tell a stranger about rooms and users.
func (s *Service) tellOfBinding(ctx context.Context, call *httpapi.Call, req onBindRequest) (empty, error) {
	passedOver, err := s.onBind(ctx, req)
	if passedOver > 0 {
		call.Log.Info("invites in a notice of a bound address count for nothing here", "invites", passedOver)
	}
	return empty{}, err
}

// OnBind takes a notice of the identity service in this process.
func (s *Service) OnBind(ctx context.Context, notice []byte) error {
	var req onBindRequest
	if err := json.Unmarshal(notice, &req); err != nil {
		return err
	}
	_, err := s.onBind(ctx, req)
	return err
}

// onBind puts the invites of a notice that are signed by their identity servers
// into jobs, and gives the number of the others.
func (s *Service) onBind(ctx context.Context, req onBindRequest) (passedOver int, err error) {
	if req.UserID.ServerName() != s.server {
		return 0, errcode.InvalidParam.New("The parameter %q is not valid: %s is a user of another server.", "mxid", req.UserID).With("param", "mxid")
	}
	if len(req.Invites) > maxNoticeInvites {
		return 0, errcode.InvalidParam.New("The parameter %q is not valid: it has more than %d entries.", "invites", maxNoticeInvites).With("param", "invites")
	}
	proofs, err := parseProofs(req)
	if err != nil || len(proofs) == 0 {
		return len(req.Invites), err
	}
	var good []proof
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		if exists, err := s.accounts.Exists(tx, req.UserID); err != nil || !exists {
			good = nil
			return err
		}
		good, err = signedProofs(tx, proofs)
		return err
	})
	passedOver = len(req.Invites) - len(good)
	if err != nil || len(good) == 0 {
		return passedOver, err
	}
	return passedOver, s.db.Write(ctx, func(tx *db.Tx) error {
		for _, p := range good {
			payload := exchange{RoomID: p.room, UserID: req.UserID, Signed: p.signed}
			if err := jobs.Enqueue(tx, exchangeJob, string(p.room)+" "+p.token+" "+string(req.UserID), payload, tx.Now); err != nil {
				return err
			}
		}
		return nil
	})
}

// proof is the acceptance of an invite to a room.
type proof struct {
	room id.RoomID
	acceptance
}

// parseProofs reads the invites of a notice. One for another user than the notice is
// none.
func parseProofs(req onBindRequest) ([]proof, error) {
	var proofs []proof
	for _, i := range req.Invites {
		if i.RoomID == "" {
			return nil, errcode.MissingParam.New("%q is missing.", "invites.room_id").With("param", "invites.room_id")
		}
		a, err := parseAcceptance(i.Signed, "invites.signed")
		if err != nil {
			return nil, err
		}
		if a.userID == req.UserID {
			proofs = append(proofs, proof{room: i.RoomID, acceptance: a})
		}
	}
	return proofs, nil
}

// signedProofs gives those for which there is an invite in a room here, and which
// are signed by its identity server.
//
// Invites to rooms of other servers are not among them: the server of who sent such
// an invite would have to be asked to exchange it, by exchange_third_party_invite.
// Here is the place for that once this server speaks to others.
func signedProofs(tx *db.Tx, proofs []proof) (good []proof, err error) {
	type place struct {
		room  id.RoomID
		token string
	}
	invites := map[place]*event.Event{}
	rooms, tokens := make([]id.RoomID, len(proofs)), make([]string, len(proofs))
	for i, p := range proofs {
		rooms[i], tokens[i] = p.room, p.token
	}
	// The rooms and the tokens are at most maxNoticeInvites, which is less than one
	// statement takes.
	inRooms, inTokens := db.In(rooms), db.In(tokens)
	args := append(inRooms.Args(), inTokens.Args()...)
	err = db.Each(tx, func(r db.Row) error {
		st, err := ScanEvent(r)
		if err == nil {
			invites[place{st.RoomID, *st.StateKey}] = st.Event
		}
		return err
	}, `SELECT `+Columns+` FROM room_state st JOIN events e ON e.pos = st.event_pos JOIN rooms r ON r.room_id = e.room_id
		WHERE st.type = 'm.room.third_party_invite' AND st.until_pos = 9223372036854775807
		AND st.room_id IN (`+inRooms.Marks(1)+`) AND st.state_key IN (`+inTokens.Marks(1+len(inRooms.Args()))+`)`, args...)
	for _, p := range proofs {
		if invite := invites[place{p.room, p.token}]; invite != nil {
			if _, ok := authrules.SigningKey(invite.Content, p.signed); ok {
				good = append(good, p)
			}
		}
	}
	return good, err
}

// exchangeInvite is the worker. What is refused now stays refused, and only a silent
// identity server is asked again.
func (s *Service) exchangeInvite(ctx context.Context, job jobs.Job) error {
	var wanted exchange
	if err := json.Unmarshal(job.Payload, &wanted); err != nil {
		return err
	}
	a, err := parseAcceptance(wanted.Signed, "signed")
	if err != nil {
		return err
	}
	err = s.inviteBound(ctx, wanted, a)
	switch {
	case errors.Is(err, errcode.Unknown) && job.Attempts+1 < maxExchangeTries:
		return err
	case refused(err):
		job.Log.Info("an invite by address did not become one of its user", "room_id", wanted.RoomID, "user_id", wanted.UserID, "err", err)
		return nil
	}
	return err
}

// inviteBound invites a user whose address was invited, if the user can be.
func (s *Service) inviteBound(ctx context.Context, wanted exchange, a acceptance) error {
	key, err := s.validKey(ctx, wanted.UserID, roomIDOrAlias(wanted.RoomID), a)
	if err != nil {
		return err
	}
	_, err = s.act(ctx, wanted.RoomID, change{caller: wanted.UserID, target: wanted.UserID}, func(r *room, c change) error {
		inviteKey := authrules.Key{Type: event.TypeThirdPartyInvite, StateKey: a.token}
		if err := r.load(inviteKey); err != nil {
			return err
		}
		if byAddress := r.state[inviteKey]; byAddress != nil {
			if err := s.invitable(r.tx, byAddress.Sender, c.target); err != nil {
				return err
			}
		}
		return r.accept(c.target, a, key)
	})
	return err
}
