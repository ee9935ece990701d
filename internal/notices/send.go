package notices

import (
	"encoding/json"
	"errors"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Send says something to a user of this server, in the room that the user has for
// that. It gives no event for one who has left that room where notices.return is
// false. The user has to exist. It fails with InvalidParam if notices.localpart names
// the account of a person.
func (s *Service) Send(tx *db.Tx, user id.UserID, text string) (id.EventID, error) {
	content, err := json.Marshal(map[string]string{"msgtype": "m.server_notice", "server_notice_type": noticeType, "body": text})
	if err != nil {
		return "", err
	}
	return s.send(tx, user, content)
}

// noticeType is the kind of notice, which the specification asks for: it knows none
// for texts that are just to be read.
const noticeType = "io.github.narthex-matrix.text"

func (s *Service) send(tx *db.Tx, user id.UserID, content jsontext.Value) (id.EventID, error) {
	roomID, err := s.roomFor(tx, user)
	if err != nil || roomID == "" {
		return "", err
	}
	st, err := s.rooms.Append(tx, rooms.Draft{RoomID: roomID, Type: "m.room.message", Sender: s.speaker, Content: content})
	if err != nil {
		return "", err
	}
	return st.ID, nil
}

// roomFor gives the room of a user, to which the user is invited and which has the
// tag that clients know it by.
func (s *Service) roomFor(tx *db.Tx, user id.UserID) (id.RoomID, error) {
	if err := tx.Lock("notices", ""); err != nil {
		return "", err
	}
	if err := s.introduce(tx); err != nil {
		return "", err
	}
	had, err := db.Value[id.RoomID](tx, `SELECT room_id FROM notice_rooms WHERE user_id = $1`, user)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return "", err
	}
	roomID, err := s.rooms.NoticeRoom(tx, s.speaker, user, had, s.cfg.Notices.Name, s.cfg.Notices.Return)
	if err != nil || roomID == "" || roomID == had {
		return roomID, err
	}
	if err := tx.Later(`INSERT INTO notice_rooms (user_id, room_id) VALUES ($1, $2)
		ON CONFLICT (user_id) DO UPDATE SET room_id = excluded.room_id`, user, roomID); err != nil {
		return "", err
	}
	return roomID, s.accountData.Put(tx, user, roomID, "m.tag", jsontext.Value(`{"tags":{"m.server_notice":{}}}`))
}

// introduce makes the account in whose name the server speaks, unless it is there. It
// has no password and no address, so that nobody signs in to it.
func (s *Service) introduce(tx *db.Tx) error {
	ours, err := db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM notice_speakers WHERE user_id = $1)`, s.speaker)
	if err != nil || ours {
		return err
	}
	err = s.accounts.Insert(tx, accounts.Account{UserID: s.speaker})
	if errors.Is(err, db.ErrDuplicate) {
		return errcode.InvalidParam.New("%s is the account of a person. Put another name into notices.localpart of the configuration.", s.speaker)
	}
	if err != nil {
		return err
	}
	if err := tx.Later(`INSERT INTO notice_speakers (user_id) VALUES ($1)`, s.speaker); err != nil {
		return err
	}
	name, err := json.Marshal(s.cfg.Notices.Name)
	if err != nil {
		return err
	}
	return s.accounts.SetProfileField(tx, s.speaker, accounts.DisplayName, name)
}
