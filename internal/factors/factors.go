package factors

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Config   config.Config
	Log      *slog.Logger
	Accounts *accounts.Service
}

// Service keeps and checks factors.
type Service struct {
	db       *db.DB
	cfg      config.Config
	log      *slog.Logger
	accounts *accounts.Service
	party    *webauthn.WebAuthn // nil: browsers keep no passkeys for this address
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, log: d.Log, accounts: d.Accounts, party: partyOf(d.Config)}
}

// ErrWrong says that what was given proves nothing: it is wrong, has run out, or was
// used before.
var ErrWrong = errors.New("factors: this proves nothing")

// Factors are what an account has.
type Factors struct {
	Passkeys []Passkey
	// Codes is when one-time codes were set up; zero if they were not.
	Codes    time.Time
	Recovery int // how many recovery codes are left
}

// Any reports whether there is a second factor. Recovery codes alone are none.
func (f Factors) Any() bool { return len(f.Passkeys) > 0 || !f.Codes.IsZero() }

// Of gives the factors of an account.
func (s *Service) Of(tx *db.Tx, userID id.UserID) (f Factors, err error) {
	if f.Passkeys, err = passkeysOf(tx, userID); err != nil {
		return f, err
	}
	added, err := db.Value[int64](tx, `SELECT COALESCE(MAX(added_ts), 0) FROM totp_secrets WHERE user_id = $1`, userID)
	if err != nil {
		return f, err
	}
	if added > 0 {
		f.Codes = time.UnixMilli(added)
	}
	f.Recovery, err = db.Value[int](tx, `SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1`, userID)
	return f, err
}

// ErrLast says that a factor cannot be removed, because the account has to have one
// and this is the last.
var ErrLast = errors.New("factors: the account has to keep a second factor")

// settle brings the account in line after a factor was added or removed, and mails
// what was done. The first factor brings recovery codes, which it gives; the last one
// takes them along.
func (s *Service) settle(tx *db.Tx, userID id.UserID, done Change) (recovery []string, err error) {
	now, err := s.Of(tx, userID)
	if err != nil {
		return nil, err
	}
	if err := s.accounts.SetSecondFactor(tx, userID, now.Any()); err != nil {
		return nil, err
	}
	account, err := s.accounts.Find(tx, userID)
	switch {
	case err != nil:
		return nil, err
	case s.accounts.LacksSecondFactor(account):
		return nil, ErrLast
	case !now.Any():
		err = tx.Later(`DELETE FROM recovery_codes WHERE user_id = $1`, userID)
	case now.Recovery == 0 && done.adds():
		recovery, err = s.renewRecovery(tx, userID)
	}
	if err != nil {
		return nil, err
	}
	return recovery, s.announce(tx, userID, done)
}

// Reset removes all factors of an account, for an administrator who has made sure who
// asks, and notes it in the audit log. It reports whether there were any; without, it
// notes nothing.
func (s *Service) Reset(tx *db.Tx, userID id.UserID, actor string) (bool, error) {
	if _, err := s.accounts.Hold(tx, userID); err != nil {
		return false, err
	}
	had, err := s.Of(tx, userID)
	if err != nil {
		return false, err
	}
	if err := s.removeAll(tx, userID); err != nil || (!had.Any() && had.Recovery == 0) {
		return false, err
	}
	if err := s.announce(tx, userID, FactorsReset); err != nil {
		return false, err
	}
	return had.Any(), s.accounts.Audit(tx, actor, "reset factors", string(userID), map[string]any{
		"passkeys": len(had.Passkeys), "codes": !had.Codes.IsZero(),
	})
}

func (s *Service) removeAll(tx *db.Tx, userID id.UserID) error {
	if err := tx.Later(`DELETE FROM passkeys WHERE user_id = $1`, userID); err != nil {
		return err
	}
	if err := tx.Later(`DELETE FROM totp_secrets WHERE user_id = $1`, userID); err != nil {
		return err
	}
	if err := tx.Later(`DELETE FROM recovery_codes WHERE user_id = $1`, userID); err != nil {
		return err
	}
	if err := tx.Later(`DELETE FROM sign_in_steps WHERE user_id = $1`, userID); err != nil {
		return err
	}
	return s.accounts.SetSecondFactor(tx, userID, false)
}

const sweepEvery = 5 * time.Minute

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: "factors.sweep", Work: s.sweep, Every: sweepEvery},
		{Kind: "factors.forget", Work: s.forget}, // of a deactivated account
	}
}

// forget does away with the factors of a deactivated account, and with the handle that
// passkeys know it by.
func (s *Service) forget(ctx context.Context, job jobs.Job) error {
	var payload struct {
		UserID id.UserID `json:"user_id"`
	}
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		if _, err := s.accounts.Hold(tx, payload.UserID); err != nil {
			return err
		}
		if err := s.removeAll(tx, payload.UserID); err != nil {
			return err
		}
		return tx.Later(`DELETE FROM passkey_users WHERE user_id = $1`, payload.UserID)
	})
}

// sweep forgets what has expired.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now := tx.Now.UnixMilli()
		if err := tx.Later(`DELETE FROM passkey_challenges WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM sign_in_steps WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		return tx.Later(`DELETE FROM factor_guesses WHERE until_ts <= $1`, now)
	})
}
