package mail_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"net/http/httptest"

	"github.com/narthex-matrix/narthex/internal/config"
)

// mailServer is a real SMTP server that keeps what it gets, and answers as it is
// told.
type mailServer struct {
	t     *testing.T
	roots *x509.CertPool
	addr  string
	smtp  *smtp.Server
	stop  func() // ends listening, whether or not the server got as far as to serve

	mu          sync.Mutex
	mails       []received
	connections int
	hellos      []string
	offered     []string // every address of RCPT TO
	password    string   // empty: no authentication
	answers     []error  // to the next DATA; nil takes the mail
	toAddress   error    // to RCPT TO
	hangUp      bool     // ends the connection instead of answering DATA
	open        []*smtp.Conn
}

type received struct {
	from, to string
	raw      string
	tls      bool
	user     string
}

func (r received) message(t *testing.T) *netmail.Message {
	t.Helper()
	m, err := netmail.ReadMessage(strings.NewReader(r.raw))
	if err != nil {
		t.Fatalf("%v in\n%s", err, r.raw)
	}
	return m
}

// startMail starts a mail server: "none", "starttls" or "implicit".
func startMail(t *testing.T, encryption string, change ...func(*smtp.Server)) *mailServer {
	t.Helper()
	m := &mailServer{t: t}
	m.listen(encryption, "127.0.0.1:0", change...)
	return m
}

func (m *mailServer) listen(encryption, address string, change ...func(*smtp.Server)) {
	m.t.Helper()
	web := httptest.NewTLSServer(nil) // for its certificate
	web.Close()
	m.roots = x509.NewCertPool()
	m.roots.AddCert(web.Certificate())
	certificates := &tls.Config{Certificates: web.TLS.Certificates}

	m.smtp = smtp.NewServer(m)
	m.smtp.Domain = "mail.test"
	m.smtp.AllowInsecureAuth = encryption == "none"
	m.smtp.ErrorLog = quiet{}
	if encryption != "none" {
		m.smtp.TLSConfig = certificates
	}
	for _, f := range change {
		f(m.smtp)
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		m.t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	if encryption == "implicit" {
		listener = tls.NewListener(listener, certificates)
	}
	server := m.smtp
	go func() { _ = server.Serve(listener) }()
	m.stop = func() { _, _ = server.Close(), listener.Close() } // one of them may have closed already
	m.t.Cleanup(m.stop)
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// configure points a configuration at the server.
func (m *mailServer) configure(cfg *config.Config, encryption string) {
	host, port, _ := net.SplitHostPort(m.addr)
	cfg.Mail.From = "Narthex <narthex@narthex.test>"
	cfg.Mail.SMTP = config.SMTP{Host: host, TLS: encryption}
	for _, c := range port {
		cfg.Mail.SMTP.Port = cfg.Mail.SMTP.Port*10 + int(c-'0')
	}
}

func (m *mailServer) got() []received {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]received(nil), m.mails...)
}

func (m *mailServer) dialled() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.connections
}

func (m *mailServer) set(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// cut ends all connections, as a server does that restarts.
func (m *mailServer) cut() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.open {
		_ = c.Conn().Close()
	}
	m.open = nil
}

// NewSession begins a conversation.
func (m *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.connections++
	m.open = append(m.open, c)
	m.hellos = append(m.hellos, c.Hostname())
	return &session{m: m, c: c}, nil
}

type session struct {
	m    *mailServer
	c    *smtp.Conn
	now  received
	user string
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

func (s *session) AuthMechanisms() []string {
	if s.m.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != s.m.password {
			return smtp.ErrAuthFailed
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.m.password != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	_, encrypted := s.c.TLSConnectionState()
	s.now = received{from: from, tls: encrypted, user: s.user}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	s.m.offered = append(s.m.offered, to)
	s.now.to += to
	return s.m.toAddress
}

func (s *session) Data(r io.Reader) error {
	var b bytes.Buffer
	if _, err := b.ReadFrom(r); err != nil {
		return err
	}
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if len(s.m.answers) > 0 {
		answer := s.m.answers[0]
		s.m.answers = s.m.answers[1:]
		if answer != nil {
			return answer
		}
	}
	s.now.raw = b.String()
	s.m.mails = append(s.m.mails, s.now)
	if s.m.hangUp {
		_ = s.c.Conn().Close()
		return errors.New("hung up")
	}
	return nil
}

func answer(code int, enhanced smtp.EnhancedCode, text string) error {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}
