package accountdata

import (
	"bytes"
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Row is one row of `account_data`.
type Row struct {
	RoomID  id.RoomID // empty: global
	Type    string
	Content jsontext.Value
	Pos     int64 // of its last change
}

func scanRow(r db.Row) (row Row, err error) {
	err = r.Scan(&row.RoomID, &row.Type, (*[]byte)(&row.Content), &row.Pos)
	return row, err
}

// Since gives the account data that changed after position from and up to to, in
// the order of the changes; with from 0 it is all of it. Push rules are not among
// it: package push gives them.
func (s *Service) Since(tx *db.Tx, userID id.UserID, from, to int64) ([]Row, error) {
	return db.All(tx, scanRow, `SELECT room_id, type, content, pos FROM account_data
		WHERE user_id = $1 AND pos > $2 AND pos <= $3 ORDER BY pos`, userID, from, to)
}

// Get gives the content of one type, or db.ErrNoRow. An empty room ID means the
// global account data.
func (s *Service) Get(tx *db.Tx, userID id.UserID, roomID id.RoomID, dataType string) (jsontext.Value, error) {
	return db.Value[[]byte](tx, `SELECT content FROM account_data WHERE user_id = $1 AND room_id = $2 AND type = $3`, userID, roomID, dataType)
}

// Global is Get for account data that belongs to no room.
func (s *Service) Global(tx *db.Tx, userID id.UserID, dataType string) (jsontext.Value, error) {
	return s.Get(tx, userID, "", dataType)
}

// Put stores the content, a compact JSON object, under a new position, and wakes
// the user. An empty room ID means the global account data. Content that is there
// already keeps its position, and nobody is woken: clients repeat themselves.
func (s *Service) Put(tx *db.Tx, userID id.UserID, roomID id.RoomID, dataType string, content jsontext.Value) error {
	before, err := s.Get(tx, userID, roomID, dataType)
	switch {
	case err == nil && bytes.Equal(before, content):
		return nil
	case err != nil && !errors.Is(err, db.ErrNoRow):
		return err
	}
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	err = tx.Later(`INSERT INTO account_data (user_id, room_id, type, content, pos) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (user_id, room_id, type) DO UPDATE SET content = excluded.content, pos = excluded.pos`,
		userID, roomID, dataType, []byte(content), pos)
	if err == nil {
		tx.Wake(bus.User(userID))
	}
	return err
}

// deleteAll deletes all account data and filters of a user, for whom nobody waits
// any more.
func deleteAll(tx *db.Tx, userID id.UserID) error {
	if err := tx.Later(`DELETE FROM account_data WHERE user_id = $1`, userID); err != nil {
		return err
	}
	return tx.Later(`DELETE FROM filters WHERE user_id = $1`, userID)
}

// IgnoredUsers gives the users whom the user ignores (m.ignored_user_list); nil
// if there are none. A list that is not of the specified shape ignores nobody, and
// nobody can ignore themselves.
func (s *Service) IgnoredUsers(tx *db.Tx, userID id.UserID) (map[id.UserID]bool, error) {
	content, err := s.Global(tx, userID, typeIgnoredUsers)
	if errors.Is(err, db.ErrNoRow) {
		return nil, nil
	}
	return ReadIgnored(content, userID), err
}

// What statements of others are made of that read more than this: the list that
// [ReadIgnored] reads, of the user of a session, and whether there is account data of the
// user $1 after position $3.
const (
	IgnoredList = `(SELECT content FROM account_data WHERE user_id = session.user_id AND room_id = '' AND type = 'm.ignored_user_list')`
	HasNews     = `EXISTS (SELECT 1 FROM account_data WHERE user_id = $1 AND pos > $3)`
)

// ReadIgnored gives the users whom a content of m.ignored_user_list ignores, as
// [Service.IgnoredUsers] does. The content is nil if there is none.
func ReadIgnored(content []byte, userID id.UserID) map[id.UserID]bool {
	var list struct {
		Users map[string]jsontext.Value `json:"ignored_users"`
	}
	if content == nil || json.Unmarshal(content, &list) != nil {
		return nil
	}
	ignored := make(map[id.UserID]bool, len(list.Users))
	for name := range list.Users {
		if u, err := id.ParseUserID(name); err == nil && u != userID {
			ignored[u] = true
		}
	}
	return ignored
}
