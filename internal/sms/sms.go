package sms

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/secret"
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
	// ErrText is returned for a text that is empty or too long.
	ErrText = errors.New("the text of a message has to be 1 to 600 characters long")
)

const (
	// lifetime is how long a message without an expiry is tried.
	lifetime = 24 * time.Hour
	// patience is how long Deliver tries.
	patience = 10 * time.Second
	// headStart is what Deliver has before the job looks at a message.
	headStart = 15 * time.Second
	// reply is how long a gateway may take to answer.
	reply = 20 * time.Second
	// lease is longer than any try.
	lease = reply + time.Minute
	// pause is how long the job leaves a gateway alone that did not answer, so that
	// a long queue does not hold up other jobs.
	pause = 10 * time.Second
)

// Deps are what the service stands on.
type Deps struct {
	DB     *db.DB
	Config config.Config
	Log    *slog.Logger
}

// Service sends text messages.
type Service struct {
	db   *db.DB
	cfg  config.SMS
	dev  bool
	log  *slog.Logger
	http *http.Client
	// down is until when (Unix milliseconds) the gateway is left alone. It is this
	// process's own experience, and no more than a hint.
	down atomic.Int64
}

// New makes the service. The configuration has been checked.
func New(d Deps) *Service {
	return &Service{db: d.DB, cfg: d.Config.SMS, dev: d.Config.Dev, log: d.Log, http: &http.Client{
		Timeout: reply,
		// A gateway that moves is for the operator to follow: the message and the
		// credentials go where the configuration says, and nowhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// A Message is a text message that is to be sent.
type Message struct {
	To   string // E.164 without the plus sign: 4915112345678
	Text string // up to 600 characters; 160 of the basic alphabet cost one message
	// Expires is when the message is of no use any more; zero means in a day.
	Expires time.Time
}

// printing reports whether messages are written into the log instead.
func (s *Service) printing() bool {
	return s.dev && s.cfg.Webhook.URL == "" && s.cfg.Twilio.AccountSID == ""
}

// Configured reports whether messages can be sent. With --dev they always can:
// without a gateway they are written into the log, to any number and without limits.
func (s *Service) Configured() bool {
	return s.dev || s.cfg.Webhook.URL != "" || s.cfg.Twilio.AccountSID != ""
}

// Queue counts a message against the limits and writes it into the outbox, both in
// the caller's transaction, and returns its id; or it fails as [Service.Allowed]
// does, or with [ErrText]. The job does not touch the message for 15 seconds, so
// that [Service.Deliver] comes first.
func (s *Service) Queue(tx *db.Tx, m Message) (id string, err error) {
	p := parcel{id: secret.String(16), number: m.To, created: tx.Now, expires: m.Expires}
	if p.body, err = plain(m.Text); err != nil {
		return "", err
	}
	if p.expires.IsZero() {
		p.expires = tx.Now.Add(lifetime)
	}
	if !s.printing() {
		if err := s.count(tx, p); err != nil {
			return "", err
		}
	}
	if err := insert(tx, p); err != nil {
		return "", err
	}
	return p.id, jobs.Enqueue(tx, sendKind, p.id, sendPayload{ID: p.id}, tx.Now.Add(headStart))
}

// Deliver tries to send a queued message, once, now, and for 10 seconds at most:
// nil, [ErrRefused] or [ErrLater]. One that is in the outbox no more is a success.
// Call it after the transaction of Queue, and before its caller is answered.
func (s *Service) Deliver(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := s.try(ctx, id, false)
	switch {
	case err == nil || errors.Is(err, ErrRefused):
		return err
	case errors.Is(err, ErrLater):
		return ErrLater
	}
	s.log.Error("a text message could not be tried", "err", err)
	return ErrLater
}

// Try sends a text message without the outbox and without a look at the limits, and
// returns the gateway's answer. Its error holds the gateway's own words, for the
// operator who asked.
func (s *Service) Try(ctx context.Context, number, text string, now time.Time) (answer string, err error) {
	if _, err := s.destination(number); err != nil {
		return "", err
	}
	answer, err = s.hand(ctx, parcel{id: secret.String(16), number: number, body: text, created: now, tried: now})
	var f *failure
	if errors.As(err, &f) && f.cause != nil {
		return answer, f.cause
	}
	return answer, err
}
