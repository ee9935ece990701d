package db

// span is the open interval between two positions.
type span struct{ after, before int64 }

// Restored makes the database of a backup go on as a server. What the server that
// made it gave out since, tokens with higher positions, is lost, and must never be
// taken for what the restored server gives out: positions go on from the time in
// microseconds, which no server has reached, since none takes a million positions in
// a second. A clock that was set back does no harm if beyond is the last position of
// the server that is replaced; 0 if there is none.
func (tx *Tx) Restored(beyond int64) error {
	last, err := tx.Position()
	if err != nil {
		return err
	}
	next := max(last+1, beyond+1, tx.Now.UnixMicro())
	if _, err := tx.Exec(`UPDATE stream SET pos = $1`, next); err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO lost_positions (after_pos, before_pos, restored_ts) VALUES ($1, $2, $3)`, last, next, tx.Now.UnixMilli())
	return err
}

// Lost reports whether a position was given out by a server whose backup was
// restored, after the backup was made. What its holder knows may never have been.
func (tx *Tx) Lost(pos int64) (bool, error) {
	// A restore happens while nobody serves, so the list is read once.
	lost := tx.d.lost.Load()
	if lost == nil {
		list, err := All(tx, func(r Row) (s span, err error) {
			err = r.Scan(&s.after, &s.before)
			return s, err
		}, `SELECT after_pos, before_pos FROM lost_positions`)
		if err != nil {
			return false, err
		}
		lost = &list
		tx.d.lost.Store(lost)
	}
	for _, s := range *lost {
		if s.after < pos && pos < s.before {
			return true, nil
		}
	}
	return false, nil
}
