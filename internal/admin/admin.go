package admin

import (
	"context"
	"errors"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/moderation"
	"github.com/narthex-matrix/narthex/internal/profile"
	"github.com/narthex-matrix/narthex/internal/rooms"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Deps are what the service stands on.
type Deps struct {
	DB         *db.DB
	Config     config.Config
	Accounts   *accounts.Service
	Rooms      *rooms.Service
	Profile    *profile.Service
	Moderation *moderation.Service
	Passwords  *secret.Passwords
}

// Service answers the administrators' endpoints.
type Service struct {
	db         *db.DB
	cfg        config.Config
	server     id.ServerName
	accounts   *accounts.Service
	rooms      *rooms.Service
	profile    *profile.Service
	moderation *moderation.Service
	passwords  *secret.Passwords
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{
		db: d.DB, cfg: d.Config, server: id.ServerName(d.Config.ServerName),
		accounts: d.Accounts, rooms: d.Rooms, profile: d.Profile, moderation: d.Moderation, passwords: d.Passwords,
	}
}

type empty struct{}

// userRequest is a request about one account and with no other parameter.
type userRequest struct {
	UserID id.UserID `path:"userId"`
}

// look reads about an account of this server. It fails with InvalidParam for a
// user of another server, and with NotFound if there is no such account.
func (s *Service) look(ctx context.Context, userID id.UserID, do func(tx *db.Tx, a accounts.Account) error) error {
	if err := s.requireLocal(userID); err != nil {
		return err
	}
	return s.db.Read(ctx, func(tx *db.Tx) error {
		a, err := s.accounts.Find(tx, userID)
		if errors.Is(err, db.ErrNoRow) {
			return noSuchAccount()
		}
		if err != nil {
			return err
		}
		return do(tx, a)
	})
}

// act is look for what changes the account, which nobody else changes meanwhile.
func (s *Service) act(ctx context.Context, userID id.UserID, do func(tx *db.Tx, a accounts.Account) error) error {
	if err := s.requireLocal(userID); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		a, err := s.accounts.Hold(tx, userID)
		if errors.Is(err, db.ErrNoRow) {
			return noSuchAccount()
		}
		if err != nil {
			return err
		}
		return do(tx, a)
	})
}

func (s *Service) requireLocal(userID id.UserID) error {
	if userID.ServerName() != s.server {
		return invalid("userId", "it must be a user of this server")
	}
	return nil
}

func noSuchAccount() error { return errcode.NotFound.New("This server has no such account.") }

// notOneself keeps administrators from locking themselves out.
func notOneself(by, userID id.UserID) error {
	if by == userID {
		return errcode.Forbidden.New("You cannot do this to your own account. Ask another administrator.")
	}
	return nil
}

func invalid(param, reason string) error {
	return errcode.InvalidParam.New("The parameter %q is not valid: %s.", param, reason).With("param", param)
}

const (
	defaultLimit = 100
	maxLimit     = 1000
)

// page checks the two parameters of a paged list: nil means the beginning, and
// the usual length. More than maxLimit rows are not given at once.
func page(from, limit *int64) (offset, length int64, err error) {
	offset, length = 0, defaultLimit
	if from != nil {
		offset = *from
	}
	if limit != nil {
		length = min(*limit, maxLimit)
	}
	switch {
	case offset < 0:
		return 0, 0, invalid("from", "it must not be negative")
	case length < 1:
		return 0, 0, invalid("limit", "it must be at least 1")
	}
	return offset, length, nil
}
