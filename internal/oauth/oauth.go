package oauth

import (
	"context"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Deps are what the service stands on.
type Deps struct {
	DB        *db.DB
	Config    config.Config
	Accounts  *accounts.Service
	Passwords *secret.Passwords
}

// Service answers the sign-in endpoints.
type Service struct {
	db        *db.DB
	cfg       config.Config
	server    id.ServerName
	accounts  *accounts.Service
	passwords *secret.Passwords
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config, server: id.ServerName(d.Config.ServerName), accounts: d.Accounts, passwords: d.Passwords}
}

const sweepEvery = 5 * time.Minute

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: "oauth.sweep", Work: s.sweep, Every: sweepEvery}}
}

// rememberSpent is how long a refresh token is kept after it was spent, so
// that its reuse is noticed.
const rememberSpent = 30 * 24 * time.Hour

// sweep forgets what has expired.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		now := tx.Now.UnixMilli()
		if err := tx.Later(`DELETE FROM login_tokens WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM openid_tokens WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM registration_nonces WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		if err := forgetClients(tx); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM oauth_codes WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM browser_sessions WHERE expires_ts <= $1`, now); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM code_guesses WHERE until_ts <= $1`, now); err != nil {
			return err
		}
		if err := tx.Later(`DELETE FROM device_grants WHERE expires_ts <= $1`, tx.Now.Add(-rememberGrants).UnixMilli()); err != nil {
			return err
		}
		return tx.Later(`DELETE FROM refresh_tokens WHERE spent_ts <= $1`, tx.Now.Add(-rememberSpent).UnixMilli())
	})
}

type empty struct{}
