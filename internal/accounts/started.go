package accounts

import (
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Started is a registration on the pages that waits for addresses to be confirmed. It
// takes nobody's name: that is decided when the account is made.
type Started struct {
	UserID            id.UserID `json:"user_id"`
	PasswordHash      string    `json:"password_hash"`
	RegistrationToken string    `json:"registration_token"`
	Reason            string    `json:"reason"`   // for joining
	Continue          string    `json:"continue"` // where the browser goes then
	// SIDs are the validations of the addresses.
	SIDs []string `json:"sids"`
}

// startedFor is how long a registration waits: as long as a validated address is good.
const startedFor = 24 * time.Hour

// Start keeps a registration for the browser that knows the secret, in place of one
// that it had.
func (s *Service) Start(tx *db.Tx, browser []byte, r Started) error {
	raw, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return tx.Later(`INSERT INTO started_registrations (browser_hash, started, expires_ts) VALUES ($1, $2, $3)
		ON CONFLICT (browser_hash) DO UPDATE SET started = excluded.started, expires_ts = excluded.expires_ts`,
		secret.Hash(string(browser)), raw, tx.Now.Add(startedFor).UnixMilli())
}

// Started gives the registration of a browser, or db.ErrNoRow.
func (s *Service) Started(tx *db.Tx, browser []byte) (r Started, err error) {
	raw, err := db.Value[[]byte](tx, `SELECT started FROM started_registrations WHERE browser_hash = $1 AND expires_ts > $2`,
		secret.Hash(string(browser)), tx.Now.UnixMilli())
	if err != nil {
		return r, err
	}
	return r, json.Unmarshal(raw, &r)
}

// Finish forgets the registration of a browser, of which the account is made now. Of
// two at once one gets db.ErrNoRow.
func (s *Service) Finish(tx *db.Tx, browser []byte) error {
	n, err := tx.Exec(`DELETE FROM started_registrations WHERE browser_hash = $1`, secret.Hash(string(browser)))
	if err == nil && n == 0 {
		return db.ErrNoRow
	}
	return err
}

func sweepStarted(tx *db.Tx) error {
	return tx.Later(`DELETE FROM started_registrations WHERE expires_ts <= $1`, tx.Now.UnixMilli())
}
