package accounts

import (
	"context"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/secret"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Config     config.Config
	Passwords  *secret.Passwords
	Validation *validation.Service
	Mail       *mail.Service
	// IdentityServers is what addresses are published by.
	IdentityServers *identityserver.Service
}

// Service answers the account endpoints.
type Service struct {
	db         *db.DB
	cfg        config.Config
	server     id.ServerName
	passwords  *secret.Passwords
	validation *validation.Service
	mail       *mail.Service

	identityServers *identityserver.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, cfg: d.Config, server: id.ServerName(d.Config.ServerName), passwords: d.Passwords, validation: d.Validation, mail: d.Mail,
		identityServers: d.IdentityServers,
	}
}

const sweepEvery = 5 * time.Minute

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{
		{Kind: "accounts.sweep", Work: s.sweep, Every: sweepEvery},
		{Kind: unbindJob, Work: s.unbindLater},
	}
}

// sweep forgets what has expired, and denies who has waited for too long.
func (s *Service) sweep(ctx context.Context, _ jobs.Job) error {
	if err := s.db.Write(ctx, sweepSessions); err != nil {
		return err
	}
	if err := s.db.Write(ctx, sweepGuesses); err != nil {
		return err
	}
	if err := s.db.Write(ctx, sweepResets); err != nil {
		return err
	}
	if err := s.db.Write(ctx, sweepStarted); err != nil {
		return err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Later(`DELETE FROM sign_ins WHERE ts <= $1`, tx.Now.Add(-signInsKept).UnixMilli())
	})
	if err != nil {
		return err
	}
	return s.denyOverdue(ctx)
}
