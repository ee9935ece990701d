package rooms

import (
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// NoticeRoom gives the room in which the speaker, an account of the server's own,
// tells one user something: the one that the user had, if it is still good, or else
// a new one. In it nobody but the speaker can do anything but read and leave. The
// user is invited, whether or not they accept invites; one who has left is invited
// once more if again is set, and otherwise the room is "". Client-server API, Server
// Notices.
func (s *Service) NoticeRoom(tx *db.Tx, speaker, user id.UserID, had id.RoomID, name string, again bool) (id.RoomID, error) {
	r, err := s.noticeRoom(tx, speaker, user, had, name)
	if err != nil {
		return "", err
	}
	switch r.membership(user) {
	case event.Join, event.Invite:
		return r.id, r.close()
	case event.Leave:
		if !again {
			return "", nil
		}
	}
	if err := r.setMembership(change{caller: speaker, target: user, direct: true}, event.Invite); err != nil {
		return "", err
	}
	return r.id, r.close()
}

func (s *Service) noticeRoom(tx *db.Tx, speaker, user id.UserID, had id.RoomID, name string) (*room, error) {
	if had != "" {
		r, err := s.enter(tx, had, change{caller: speaker, target: user})
		switch {
		case err == nil && r.membership(speaker) == event.Join:
			return r, nil
		case err != nil && !errors.Is(err, errcode.NotJoined):
			return nil, err
		}
	}
	req := createRoomRequest{
		Name: name, PowerOverride: jsontext.Value(`{"users_default":-10}`),
		InitialState: []initialState{{Type: guestAccessKey.Type, Content: jsontext.Value(`{"guest_access":"forbidden"}`)}},
	}
	v, err := req.check(s)
	if err != nil {
		return nil, err
	}
	r := s.begin(tx, v)
	if err := r.found(speaker, req, ""); err != nil {
		return nil, err
	}
	return r, r.load(memberKey(user))
}

// isForNotices reports whether the server itself made the room to tell somebody
// something. The create event has been loaded.
func (r *room) isForNotices() bool {
	create := r.get(event.TypeCreate, "")
	return create != nil && create.Sender.ServerName() == r.s.server && create.Sender.Localpart() == r.s.cfg.Notices.Localpart
}

// mayReject refuses to reject the invite to a room with notices, which clients
// cannot expect to do. Whoever has joined it may leave it.
func (r *room) mayReject(c change) error {
	if r.membership(c.caller) == event.Invite && r.isForNotices() {
		return errcode.CannotLeaveServerNoticeRoom.New("In this room the server tells you what you have to know. Join it; afterwards you may leave it.")
	}
	return nil
}
