package validation

import (
	"context"
	"errors"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/sms"
)

// Medium is the kind of an address, as the specification spells it.
type Medium string

// The media.
const (
	Email Medium = "email"
	Phone Medium = "msisdn"
)

// Purpose is what a session is good for. One of another purpose does not exist, as
// far as a caller can see (TP-28).
type Purpose string

// The purposes: the homeserver's three, and the identity service.
const (
	Register Purpose = "register"
	Add      Purpose = "add"
	Password Purpose = "password"
	Identity Purpose = "identity"
)

// Pretence is what an answer hides of the accounts of this server (TP-64). With all
// but NoPretence an answer takes a random time and does not wait for the delivery.
type Pretence string

// The pretences.
const (
	// NoPretence is for callers that refuse an address openly.
	NoPretence Pretence = ""
	// Discreet validates the address, with an answer like that of the other two.
	Discreet Pretence = "discreet"
	// PretendUnused is for an address that an account has already. If it is a mail
	// address it is told so (see Request.Notice); the session is never validated.
	PretendUnused Pretence = "unused"
	// PretendUsed is for an address that no account has. It is sent nothing; the
	// session is never validated.
	PretendUsed Pretence = "used"
)

// What [Service.Send], [Service.Validated] and [Service.Use] fail with where the
// homeserver and the identity service have different codes for it.
var (
	// ErrSend says that the message was refused for good (TP-45, TP-46, TP-65).
	ErrSend = errors.New("validation: the message was refused")
	// ErrUnknown says that there is no such session for these purposes with this
	// secret.
	ErrUnknown = errors.New("validation: no such session")
	// ErrExpired says that the session is too old, or was guessed at too often.
	ErrExpired = errors.New("validation: the session has expired")
	// ErrNotValidated says that nobody has given the token back yet.
	ErrNotValidated = errors.New("validation: the session is not validated")
	// ErrUsed says that the session has been used up (TP-31).
	ErrUsed = errors.New("validation: the session has been used")
)

// Request asks to begin a session, or to send its message again.
type Request struct {
	Purpose      Purpose
	Medium       Medium
	Address      string // canonical: of ParseEmail, or Number.MSISDN
	ClientSecret string
	SendAttempt  int64
	NextLink     string // empty: none
	// NextPath takes the place of NextLink for pages of this server: a path, with
	// which a query may be.
	NextPath string
	// Account is the user that asks; empty for nobody. With another user it is
	// another session.
	Account string
	// SubmitURL is the absolute address, without a query, that a mail leads to: of
	// the GET of [Service.SubmitRoutes].
	SubmitURL string
	Pretend   Pretence
	// Notice is for the mail of PretendUnused.
	Notice mail.Account
}

// Validated is an address that has been shown to belong to whoever knows the
// session's secret.
type Validated struct {
	Purpose Purpose
	Medium  Medium
	Address string // canonical
	Account string // as in the Request
	At      time.Time
}

// Deps is what the service stands on.
type Deps struct {
	DB     *db.DB
	Config config.Config
	Mail   *mail.Service
	SMS    *sms.Service
	// Wait waits, or gives the context's error. Nil means a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

// Service runs the sessions.
type Service struct {
	db   *db.DB
	cfg  config.Config
	mail *mail.Service
	sms  *sms.Service
	wait func(ctx context.Context, d time.Duration) error
}

// New makes the service.
func New(d Deps) *Service {
	s := &Service{db: d.DB, cfg: d.Config, mail: d.Mail, sms: d.SMS, wait: d.Wait}
	if s.wait == nil {
		s.wait = sleep
	}
	return s
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Configured reports whether the server has a way to send messages of the medium.
func (s *Service) Configured(m Medium) bool {
	switch m {
	case Email:
		return s.mail.Configured()
	case Phone:
		return s.sms.Configured()
	}
	return false
}

const sweepEvery = time.Hour

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: "validation.sweep", Every: sweepEvery, Work: func(ctx context.Context, _ jobs.Job) error {
		return s.db.Write(ctx, sweep)
	}}}
}
