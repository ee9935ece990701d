package sms

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

// What becomes of a message that is not sent.
var (
	// ErrRefused is returned when the gateway will not take the message (HTTP
	// 4xx), so that sending it again is of no use. It has left the outbox.
	ErrRefused = errors.New("the gateway refused the message")
	// ErrLater is returned when the message could not be sent now. It stays in the
	// outbox, and is sent when the gateway takes it.
	ErrLater = errors.New("the message could not be sent yet")
	// ErrDestination is returned for a number that no message may be sent to: in a
	// country that is not in sms.countries, of a kind that costs more than others,
	// or no number.
	ErrDestination = errors.New("no messages are sent to such a number")
	// ErrLimit is what a [LimitError] is.
	ErrLimit = errors.New("no more messages may be sent now")
)

// A LimitError says that one of sms.limits was reached. It is an [ErrLimit].
type LimitError struct {
	Limit string        // the key, such as sms.limits.per_number
	After time.Duration // when another try may succeed
}

// Error says which limit it is.
func (e *LimitError) Error() string { return "the limit " + e.Limit + " is reached" }

// Is reports whether target is ErrLimit.
func (e *LimitError) Is(target error) bool { return target == ErrLimit }

// Deps are what the service stands on.
type Deps struct {
	DB     *db.DB
	Config config.Config
	Log    *slog.Logger
}

// Service sends text messages.
type Service struct {
	db  *db.DB
	cfg config.Config
	log *slog.Logger
}

// New makes the service.
func New(d Deps) *Service { return &Service{db: d.DB, cfg: d.Config, log: d.Log} }

// A Message is a text message that is to be sent.
type Message struct {
	To   string // E.164 without the plus sign: 491511234567
	Text string // at most 160 characters of the basic alphabet cost one message
	// Expires is when the message is of no use any more; zero means in a day.
	Expires time.Time
}

// Configured reports whether messages can be sent. With --dev they always can:
// without a gateway they are written into the log, to any number and without limits.
func (s *Service) Configured() bool {
	return s.cfg.SMS.Webhook.URL != "" || s.cfg.SMS.Twilio.AccountSID != "" || s.cfg.Dev
}

// Allowed reports whether a message may be sent to the number (E.164 without the
// plus sign) now: nil, [ErrDestination], or a [LimitError]. It counts nothing.
func (s *Service) Allowed(tx *db.Tx, number string) error { return nil }

// Queue counts a message against the limits and writes it into the outbox, both in
// the caller's transaction, and returns its id; or it fails as Allowed does.
func (s *Service) Queue(tx *db.Tx, m Message) (id string, err error) {
	return "", errors.New("not yet")
}

// Deliver tries to send a queued message, once, now, and for 10 seconds at most:
// nil, [ErrRefused] or [ErrLater]. One that is in the outbox no more is a success.
func (s *Service) Deliver(ctx context.Context, id string) error { return ErrLater }

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }
