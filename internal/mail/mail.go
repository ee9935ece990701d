package mail

import (
	"context"
	"crypto/x509"
	"errors"
	"log/slog"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// What Deliver says of a mail that it has not delivered.
var (
	// ErrRefused is returned when the mail server will not take the mail (SMTP
	// 5xx), so that sending it again is of no use. It has left the outbox.
	ErrRefused = errors.New("the mail server refused the mail")
	// ErrLater is returned when the mail could not be sent now. It stays in the
	// outbox, and is sent when the mail server takes it.
	ErrLater = errors.New("the mail could not be sent yet")
)

// Deps are what the service stands on.
type Deps struct {
	DB     *db.DB
	Config config.Config
	Log    *slog.Logger
	// Templates are the texts; nil means those inside the program.
	Templates *Templates
	// Roots are whom the mail server's certificate may come from; nil means the
	// authorities that the machine trusts.
	Roots *x509.CertPool
}

// Service sends mails.
type Service struct {
	db  *db.DB
	cfg config.Config
	log *slog.Logger
}

// New makes the service.
func New(d Deps) *Service { return &Service{db: d.DB, cfg: d.Config, log: d.Log} }

// A Message is a mail that is to be written.
type Message struct {
	To       string // one address without a name
	Template string // the name of a template
	Data     any    // what the template is documented to take
	// Expires is when the mail is of no use any more; zero means in three days.
	Expires time.Time
}

// Configured reports whether mails can be sent. With --dev they always can: without
// a mail server they are written into the log.
func (s *Service) Configured() bool { return s.cfg.Mail.SMTP.Host != "" || s.cfg.Dev }

// Queue writes a mail into the outbox, in the caller's transaction, and returns its
// id. An address or data that no mail can be made of is an error that is the
// caller's fault.
func (s *Service) Queue(tx *db.Tx, m Message) (id string, err error) {
	return "", errors.New("not yet")
}

// Deliver tries to send a queued mail, once, now, and for 10 seconds at most: nil,
// [ErrRefused] or [ErrLater]. A mail that is in the outbox no more is a success.
func (s *Service) Deliver(ctx context.Context, id string) error { return ErrLater }

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }
