package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/secret"
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

const (
	// lifetime is how long a mail without an expiry is tried.
	lifetime = 3 * 24 * time.Hour
	// patience is how long Deliver tries.
	patience = 10 * time.Second
	// headStart is what Deliver has before the job looks at a mail.
	headStart = 15 * time.Second
	// lease is longer than any try: to connect and to send take reply each.
	lease = 2*reply + time.Minute
	// pause is how long the job leaves a mail server alone that could not be
	// reached, so that a long queue does not hold up other jobs.
	pause = 10 * time.Second
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
	db        *db.DB
	cfg       config.Config
	log       *slog.Logger
	templates *Templates
	from      sender
	relay     *relay
	// down is until when (Unix milliseconds) the mail server is left alone. It is
	// this process's own experience, and no more than a hint.
	down atomic.Int64
}

// New makes the service. The configuration has been checked.
func New(d Deps) *Service {
	s := &Service{db: d.DB, cfg: d.Config, log: d.Log, templates: d.Templates}
	if s.templates == nil {
		d.Config.Mail.Templates = ""
		s.templates, _ = LoadTemplates(d.Config) // those inside the program have been tested
	}
	s.from, _ = parseSender(d.Config.Mail.From, d.Config.ServerName) // Check has refused others
	s.relay = newRelay(d.Config.Mail.SMTP, greeting(d.Config.BaseURL()),
		&tls.Config{ServerName: d.Config.Mail.SMTP.Host, RootCAs: d.Roots, MinVersion: tls.VersionTLS12})
	return s
}

// greeting is the name for EHLO: the host that the server is known by, not what the
// machine calls itself. An IP address stands in brackets (RFC 5321, 4.1.3).
func greeting(base string) string {
	u, err := url.Parse(base)
	if err != nil || u.Hostname() == "" {
		return "localhost"
	}
	ip, err := netip.ParseAddr(u.Hostname())
	switch {
	case err != nil:
		return u.Hostname()
	case ip.Is4():
		return "[" + ip.String() + "]"
	}
	return "[IPv6:" + ip.String() + "]"
}

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
// caller's fault. The job does not touch the mail for 15 seconds, so that
// [Service.Deliver] comes first.
func (s *Service) Queue(tx *db.Tx, m Message) (id string, err error) {
	w, err := s.templates.render(m.Template, m.Data)
	if err != nil {
		return "", err
	}
	if w.address, err = parseAddress(m.To); err != nil {
		return "", err
	}
	w.id, w.created, w.expires = secret.String(16), tx.Now, m.Expires
	if w.expires.IsZero() {
		w.expires = tx.Now.Add(lifetime)
	}
	if err := insert(tx, w); err != nil {
		return "", err
	}
	return w.id, jobs.Enqueue(tx, sendKind, w.id, sendPayload{ID: w.id}, tx.Now.Add(headStart))
}

// Deliver tries to send a queued mail, once, now, and for 10 seconds at most: nil,
// [ErrRefused] or [ErrLater]. A mail that is in the outbox no more is a success.
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
	s.log.Error("a mail could not be tried", "err", err)
	return ErrLater
}

// Try sends the test mail, without the outbox, and returns the mail server's
// answer. Its error holds the server's own words, for the operator who asked.
func (s *Service) Try(ctx context.Context, address string, now time.Time) (answer string, err error) {
	w, err := s.templates.render(Test, Nothing{})
	if err != nil {
		return "", err
	}
	if w.address, err = parseAddress(address); err != nil {
		return "", err
	}
	w.id, w.created = secret.String(16), now
	answer, err = s.hand(ctx, w)
	var f *failure
	if errors.As(err, &f) && f.cause != nil {
		return answer, f.cause
	}
	return answer, err
}

// hand gives a mail to the mail server.
func (s *Service) hand(ctx context.Context, w written) (answer string, err error) {
	if s.cfg.Mail.SMTP.Host == "" {
		return "", &failure{greeting: true, cause: errors.New("mail.smtp.host is empty")}
	}
	m, err := s.from.build(w)
	if err != nil {
		return "", err
	}
	return s.relay.send(ctx, m, !isASCII(w.address))
}

// Server names the mail server of the configuration, for people.
func (s *Service) Server() string {
	host, port := s.cfg.Mail.SMTP.Address()
	return net.JoinHostPort(host, strconv.Itoa(port))
}
