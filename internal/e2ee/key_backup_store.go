package e2ee

import (
	"errors"
	"strconv"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// backup is one row of `key_backups` that is not deleted.
type backup struct {
	version   int64
	algorithm string
	authData  []byte
	etag      int64
	keys      int64
}

func (b backup) name() string { return strconv.FormatInt(b.version, 10) }
func (b backup) tag() string  { return strconv.FormatInt(b.etag, 10) }

func noBackup() error {
	return errcode.NotFound.New("There is no such backup of your keys on this server.")
}

// lockBackup keeps others from changing the backups of a user until the
// transaction ends.
func lockBackup(tx *db.Tx, userID id.UserID) error { return tx.Lock("key backup", string(userID)) }

// parseVersion reads the name of a backup. One that this server has not given is
// -1, which no backup has.
func parseVersion(name string) int64 {
	version, err := strconv.ParseInt(name, 10, 64)
	if err != nil || strconv.FormatInt(version, 10) != name {
		return -1
	}
	return version
}

func scanBackup(r db.Row) (b backup, err error) {
	err = r.Scan(&b.version, &b.algorithm, &b.authData, &b.etag, &b.keys)
	return b, err
}

// currentBackup gives the newest backup, or fails with NotFound.
func currentBackup(tx *db.Tx, userID id.UserID) (backup, error) {
	b, err := db.One(tx, scanBackup, `SELECT version, algorithm, auth_data, etag, keys FROM key_backups
		WHERE user_id = $1 AND NOT deleted ORDER BY version DESC LIMIT 1`, userID)
	if errors.Is(err, db.ErrNoRow) {
		return b, noBackup()
	}
	return b, err
}

// findBackup gives a backup by its name, or fails with NotFound.
func findBackup(tx *db.Tx, userID id.UserID, name string) (backup, error) {
	b, err := db.One(tx, scanBackup, `SELECT version, algorithm, auth_data, etag, keys FROM key_backups
		WHERE user_id = $1 AND version = $2 AND NOT deleted`, userID, parseVersion(name))
	if errors.Is(err, db.ErrNoRow) {
		return b, noBackup()
	}
	return b, err
}

// insertBackup makes a backup with the next number.
func insertBackup(tx *db.Tx, userID id.UserID, algorithm string, authData []byte) (version int64, err error) {
	version, err = db.Value[int64](tx, `SELECT COALESCE(MAX(version), 0) + 1 FROM key_backups WHERE user_id = $1`, userID)
	if err != nil {
		return 0, err
	}
	err = tx.Later(`INSERT INTO key_backups (user_id, version, algorithm, auth_data, etag, keys, deleted) VALUES ($1, $2, $3, $4, 0, 0, FALSE)`,
		userID, version, algorithm, authData)
	return version, err
}

// count notes in a backup that there are more keys in it, or fewer; or just others.
func (b *backup) count(tx *db.Tx, userID id.UserID, more int64) error {
	b.etag++
	b.keys += more
	return tx.Later(`UPDATE key_backups SET etag = $3, keys = $4 WHERE user_id = $1 AND version = $2`, userID, b.version, b.etag, b.keys)
}

// sessionOf is a session in a room.
type sessionOf struct {
	roomID    id.RoomID
	sessionID string
}

// sessionKey is one row of `key_backup_sessions`.
type sessionKey struct {
	firstMessageIndex int64
	forwardedCount    int64
	isVerified        bool
	sessionData       []byte
}

// beats reports whether the key takes the place of another of the same session.
// Specification: End-to-end encryption, "Server-side key backups".
func (k sessionKey) beats(old sessionKey) bool {
	switch {
	case k.isVerified != old.isVerified:
		return k.isVerified
	case k.firstMessageIndex != old.firstMessageIndex:
		return k.firstMessageIndex < old.firstMessageIndex
	}
	return k.forwardedCount < old.forwardedCount
}

func scanSession(r db.Row) (of sessionOf, k sessionKey, err error) {
	err = r.Scan(&of.roomID, &of.sessionID, &k.firstMessageIndex, &k.forwardedCount, &k.isVerified, &k.sessionData)
	return of, k, err
}

// sessions gives the keys in a backup: all of them, those of one room, or the one
// of a session in it.
func sessions(tx *db.Tx, userID id.UserID, version int64, of sessionOf) (map[sessionOf]sessionKey, error) {
	found := map[sessionOf]sessionKey{}
	add := func(r db.Row) error {
		of, k, err := scanSession(r)
		found[of] = k
		return err
	}
	const all = `SELECT room_id, session_id, first_message_index, forwarded_count, is_verified, session_data FROM key_backup_sessions WHERE user_id = $1 AND version = $2`
	switch {
	case of.roomID == "":
		return found, db.Each(tx, add, all, userID, version)
	case of.sessionID == "":
		return found, db.Each(tx, add, all+` AND room_id = $3`, userID, version, of.roomID)
	}
	return found, db.Each(tx, add, all+` AND room_id = $3 AND session_id = $4`, userID, version, of.roomID, of.sessionID)
}

// stored gives those of some sessions that are in a backup, without their data.
func stored(tx *db.Tx, userID id.UserID, version int64, wanted map[sessionOf]sessionKey) (map[sessionOf]sessionKey, error) {
	var pairs []string
	for of := range wanted {
		pairs = append(pairs, string(of.roomID), of.sessionID)
	}
	found := map[sessionOf]sessionKey{}
	return found, db.Chunks(pairs, func(pairs []string) error {
		in := db.In(pairs)
		return db.Each(tx, func(r db.Row) error {
			var of sessionOf
			var k sessionKey
			err := r.Scan(&of.roomID, &of.sessionID, &k.firstMessageIndex, &k.forwardedCount, &k.isVerified)
			found[of] = k
			return err
		}, `SELECT room_id, session_id, first_message_index, forwarded_count, is_verified FROM key_backup_sessions
			WHERE user_id = $1 AND version = $2 AND (room_id, session_id) IN (VALUES `+in.Pairs(3)+`)`, in.Args(userID, version)...)
	})
}

func putSession(tx *db.Tx, userID id.UserID, version int64, of sessionOf, k sessionKey) error {
	return tx.Later(`INSERT INTO key_backup_sessions (user_id, version, room_id, session_id, first_message_index, forwarded_count, is_verified, session_data)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (user_id, version, room_id, session_id) DO UPDATE SET
			first_message_index = excluded.first_message_index, forwarded_count = excluded.forwarded_count,
			is_verified = excluded.is_verified, session_data = excluded.session_data`,
		userID, version, of.roomID, of.sessionID, k.firstMessageIndex, k.forwardedCount, k.isVerified, k.sessionData)
}

// deleteSessions is sessions for deleting; it gives how many there were.
func deleteSessions(tx *db.Tx, userID id.UserID, version int64, of sessionOf) (int64, error) {
	const all = `DELETE FROM key_backup_sessions WHERE user_id = $1 AND version = $2`
	switch {
	case of.roomID == "":
		return tx.Exec(all, userID, version)
	case of.sessionID == "":
		return tx.Exec(all+` AND room_id = $3`, userID, version, of.roomID)
	}
	return tx.Exec(all+` AND room_id = $3 AND session_id = $4`, userID, version, of.roomID, of.sessionID)
}
