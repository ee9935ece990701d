package mail

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/textproto"
	"sync"
	"time"

	gomail "github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"

	"github.com/narthex-matrix/narthex/internal/config"
)

const (
	// reply is how long one mail may take on a connection.
	reply = 30 * time.Second
	// idle is how long a connection waits for the next mail. Servers wait for
	// minutes (RFC 5321, 4.5.3.2.7), but middleboxes forget a silent connection.
	idle = 20 * time.Second
	// atOnce is how many mails are sent at the same time.
	atOnce = 4
)

// failure is why a mail server has not taken a mail.
type failure struct {
	code     int    // of the server's answer; 0 if there was none
	enhanced string // RFC 3463: 5.1.1
	greeting bool   // it was not about this mail, but about who sends it
	unsure   bool   // the mail was sent, and no answer came
	cause    error  // with the server's words, which can name people
}

// Error says what is known without naming anybody: it is for the log.
func (f *failure) Error() string {
	at := "to the mail"
	if f.greeting {
		at = "before the mail"
	}
	switch {
	case f.code != 0 && f.enhanced != "":
		return fmt.Sprintf("the mail server answered %d %s %s", f.code, f.enhanced, at)
	case f.code != 0:
		return fmt.Sprintf("the mail server answered %d %s", f.code, at)
	case f.unsure:
		return "the mail server did not say whether it took the mail"
	case f.greeting:
		return fmt.Sprintf("the mail server cannot be used: %v", f.cause)
	}
	return "the connection to the mail server broke"
}

func (f *failure) Unwrap() error { return f.cause }

// permanent reports whether the server will never take this mail.
func (f *failure) permanent() bool { return f.code >= 500 }

// relay is the operator's mail server. It keeps one connection for the next mail.
type relay struct {
	cfg   config.SMTP
	hello string // the name that the server is greeted with
	tls   *tls.Config
	slots chan struct{}

	mu    sync.Mutex
	spare *connection
}

// connection is one conversation with the mail server.
type connection struct {
	client *gomail.Client
	smtp   *smtp.Client
	raw    net.Conn
	expiry *time.Timer // ends it while it is spare
}

func newRelay(cfg config.SMTP, hello string, tlsConfig *tls.Config) *relay {
	return &relay{cfg: cfg, hello: hello, tls: tlsConfig, slots: make(chan struct{}, atOnce)}
}

// send hands a mail to the server and returns its answer. The error is a *failure,
// or that of the context.
func (r *relay) send(ctx context.Context, m *gomail.Msg, utf8 bool) (answer string, err error) {
	select {
	case r.slots <- struct{}{}:
		defer func() { <-r.slots }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if c := r.take(); c != nil {
		if answer, err = r.over(ctx, c, m, utf8); !stale(err) {
			return answer, err
		}
	}
	c, err := r.dial(ctx)
	if err != nil {
		return "", err
	}
	return r.over(ctx, c, m, utf8)
}

// over sends a mail over a connection, and keeps or ends it.
func (r *relay) over(ctx context.Context, c *connection, m *gomail.Msg, utf8 bool) (string, error) {
	stop := context.AfterFunc(ctx, func() { _ = c.raw.Close() }) // what waits for an answer then fails
	err := c.send(m, utf8)
	if err == nil && stop() {
		r.keep(c)
		return m.ServerResponse(), nil
	}
	c.end()
	return m.ServerResponse(), err
}

var errStale = errors.New("the connection has ended while it was spare")

func stale(err error) bool { return errors.Is(err, errStale) }

func (c *connection) send(m *gomail.Msg, utf8 bool) error {
	if err := c.smtp.UpdateDeadline(reply); err != nil {
		return errStale
	}
	if ok, _ := c.smtp.Extension("SMTPUTF8"); utf8 && !ok {
		return &failure{code: 553, enhanced: "5.6.7", cause: errors.New("the mail server takes no addresses with letters beyond ASCII (SMTPUTF8, RFC 6531)")}
	}
	err := c.client.SendWithSMTPClient(c.smtp, m)
	if err == nil || m.IsDelivered() { // what failed then is the preparation of the next mail
		return nil
	}
	var refused *gomail.SendError
	if !errors.As(err, &refused) {
		return &failure{cause: err}
	}
	if refused.Reason == gomail.ErrConnCheck {
		return fmt.Errorf("%w: %w", errStale, err)
	}
	return &failure{
		code: refused.ErrorCode(), enhanced: refused.EnhancedStatusCode(), cause: err,
		unsure: refused.Reason == gomail.ErrSMTPDataClose && refused.ErrorCode() == 0,
	}
}

// end leaves politely if the server still listens.
func (c *connection) end() {
	_ = c.smtp.UpdateDeadline(time.Second)
	_ = c.client.CloseWithSMTPClient(c.smtp)
	_ = c.raw.Close()
}

// dial greets the server, encrypts as the configuration says, and signs in.
func (r *relay) dial(ctx context.Context) (*connection, error) {
	c := &connection{}
	host, port := r.cfg.Address()
	options := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(reply), gomail.WithHELO(r.hello),
		gomail.WithTLSConfig(r.tls), gomail.WithTLSPolicy(gomail.TLSMandatory),
		gomail.WithDialContextFunc(func(ctx context.Context, network, address string) (_ net.Conn, err error) {
			if c.raw, err = (&net.Dialer{}).DialContext(ctx, network, address); err != nil || r.cfg.TLS != "implicit" {
				return c.raw, err
			}
			secure := tls.Client(c.raw, r.tls)
			return secure, secure.HandshakeContext(ctx)
		}),
	}
	mechanisms := []gomail.SMTPAuthType{gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5}
	switch r.cfg.TLS {
	case "implicit":
		options = append(options, gomail.WithSSL())
	case "none": // only on this machine, if there is a password: config.Check holds that
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS))
		mechanisms[2], mechanisms[3] = gomail.SMTPAuthPlainNoEnc, gomail.SMTPAuthLoginNoEnc
	}
	if r.cfg.Username != "" {
		options = append(options, gomail.WithUsername(r.cfg.Username), gomail.WithPassword(r.cfg.Password),
			gomail.WithOpportunisticSMTPAuth(mechanisms...))
	}
	var err error
	if c.client, err = gomail.NewClient(host, options...); err != nil {
		return nil, &failure{greeting: true, cause: err}
	}
	if err := c.greet(ctx); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *connection) greet(ctx context.Context) (err error) {
	ctx, cancel := context.WithTimeout(ctx, reply)
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		if c.raw != nil {
			_ = c.raw.Close()
		}
	})
	c.smtp, err = c.client.DialToSMTPClientWithContext(ctx)
	if err == nil && stop() {
		return nil
	}
	if c.raw != nil {
		_ = c.raw.Close()
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	f := &failure{greeting: true, cause: err}
	var answer *textproto.Error
	if errors.As(err, &answer) {
		f.code = answer.Code
	}
	return f
}

// take gives the spare connection, or nil.
func (r *relay) take() *connection {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.spare
	r.spare = nil
	if c != nil {
		c.expiry.Stop()
	}
	return c
}

// keep makes a connection the spare one, for a while.
func (r *relay) keep(c *connection) {
	c.expiry = time.AfterFunc(idle, func() {
		r.mu.Lock()
		ours := r.spare == c
		if ours {
			r.spare = nil
		}
		r.mu.Unlock()
		if ours {
			c.end()
		}
	})
	r.mu.Lock()
	other := r.spare
	r.spare = c
	r.mu.Unlock()
	if other != nil {
		other.expiry.Stop()
		other.end()
	}
}
