package push

import (
	"errors"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

type changesRow struct {
	raw []byte
	pos int64
}

func scanChanges(r db.Row) (row changesRow, err error) {
	err = r.Scan(&row.raw, &row.pos)
	return row, err
}

// changesRowOf gives the user's row; its position is 0 if there is none.
func changesRowOf(tx *db.Tx, userID id.UserID) (changesRow, error) {
	row, err := db.One(tx, scanChanges, `SELECT changes, pos FROM push_rules WHERE user_id = $1`, userID)
	if errors.Is(err, db.ErrNoRow) {
		return changesRow{raw: []byte(`{}`)}, nil
	}
	return row, err
}

// changesOf gives what the user changed, and the position of the last change, 0 if
// there is none.
func changesOf(tx *db.Tx, userID id.UserID) (c changes, pos int64, err error) {
	row, err := changesRowOf(tx, userID)
	if err != nil {
		return c, 0, err
	}
	return c, row.pos, json.Unmarshal(row.raw, &c)
}

// putChanges stores what the user changed under a new position and wakes the user.
func putChanges(tx *db.Tx, userID id.UserID, c changes) error {
	raw, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if len(raw) > maxChanges {
		return errcode.TooLarge.New("Your push rules have more than %d bytes together. Remove some first.", maxChanges)
	}
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	err = tx.Later(`INSERT INTO push_rules (user_id, changes, pos) VALUES ($1, $2, $3)
		ON CONFLICT (user_id) DO UPDATE SET changes = excluded.changes, pos = excluded.pos`, userID, raw, pos)
	if err == nil {
		tx.Wake(bus.User(userID))
	}
	return err
}

// PushRules gives the content of the account data m.push_rules, and the position
// of its last change, which is 0 for a user who has the default rules.
func (s *Service) PushRules(tx *db.Tx, userID id.UserID) (jsontext.Value, int64, error) {
	c, pos, err := changesOf(tx, userID)
	if err != nil {
		return nil, 0, err
	}
	raw, err := json.Marshal(pushRulesResponse{Global: c.named(userID)})
	return raw, pos, err
}

// Changed is the part of a statement that gives the position at which the push rules of
// the user of a session were changed last; 0 for never.
const Changed = `COALESCE((SELECT pos FROM push_rules WHERE user_id = session.user_id), 0)`

// compiled gives the user's push rules, which were changed last at a position.
func (s *Service) compiled(tx *db.Tx, userID id.UserID, pos int64) (*Rules, error) {
	if pos == 0 {
		return defaultRules, nil
	}
	if kept, ok := s.rules.Get(userID); ok && kept.pos == pos {
		return kept.rules, nil
	}
	c, pos, err := changesOf(tx, userID)
	if err != nil {
		return nil, err
	}
	kept := compiledRules{compile(c.full()), pos}
	s.rules.Set(userID, kept)
	return kept.rules, nil
}
