package apitest

import (
	"bytes"
	"io"
	"mime"
	"mime/multipart"
	"net"
	netmail "net/mail"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/config"
)

// Mailbox is a mail server in a test, for all addresses.
type Mailbox struct {
	addr string

	mu      sync.Mutex
	mails   []Mail
	refused map[string]bool
}

// Mail is a mail that has arrived.
type Mail struct {
	To      string // of the envelope: a mail to several people arrives once for each
	Subject string
	Header  netmail.Header
	Text    string // the plain text
}

// NewMailbox starts a mail server. It stops with the test.
func NewMailbox(t testing.TB) *Mailbox {
	t.Helper()
	m := &Mailbox{refused: map[string]bool{}}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	m.addr = listener.Addr().String()
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &delivery{box: m}, nil }))
	server.Domain, server.EnableSMTPUTF8 = "mail.test", true
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = server.Serve(listener) // until it is closed
	}()
	t.Cleanup(func() {
		_, _ = server.Close(), listener.Close() // it may not serve yet, and then closes nothing
		<-done
	})
	return m
}

// Configure makes a server send its mails here.
func (m *Mailbox) Configure(cfg *config.Config) {
	host, port, _ := net.SplitHostPort(m.addr)
	cfg.Mail.From = "Narthex <narthex@narthex.test>"
	cfg.Mail.SMTP = config.SMTP{Host: host, TLS: "none"}
	cfg.Mail.SMTP.Port, _ = strconv.Atoi(port) // the listener's own
}

// Refuse has mails to an address refused for good.
func (m *Mailbox) Refuse(address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[address] = true
}

// Mails are the mails to an address, the oldest first.
func (m *Mailbox) Mails(address string) (mails []Mail) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, mail := range m.mails {
		if mail.To == address {
			mails = append(mails, mail)
		}
	}
	return mails
}

// All are all mails, the oldest first.
func (m *Mailbox) All() []Mail {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.mails)
}

// Last is the newest mail to an address. Without one the test fails.
func (m *Mailbox) Last(t testing.TB, address string) Mail {
	t.Helper()
	mails := m.Mails(address)
	if len(mails) == 0 {
		t.Fatalf("there is no mail to %s", address)
	}
	return mails[len(mails)-1]
}

// Link is the first link to this server in the mail: its path and query.
func (m Mail) Link(t testing.TB, s *Server) string {
	t.Helper()
	_, rest, found := strings.Cut(m.Text, s.App.Config.PublicURL)
	if !found {
		t.Fatalf("there is no link in the mail:\n%s", m.Text)
	}
	link, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(link)
}

// delivery is one connection.
type delivery struct {
	box *Mailbox
	to  []string
}

func (d *delivery) Mail(string, *smtp.MailOptions) error { return nil }
func (d *delivery) Reset()                               { d.to = nil }
func (d *delivery) Logout() error                        { return nil }

func (d *delivery) Rcpt(to string, _ *smtp.RcptOptions) error {
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	if d.box.refused[to] {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "No such user"}
	}
	d.to = append(d.to, to)
	return nil
}

func (d *delivery) Data(r io.Reader) error {
	message, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(message.Header.Get("Subject"))
	if err != nil {
		return err
	}
	text, err := plainText(message)
	d.box.mu.Lock()
	defer d.box.mu.Unlock()
	for _, to := range d.to {
		d.box.mails = append(d.box.mails, Mail{To: to, Subject: subject, Header: message.Header, Text: text})
	}
	return err
}

// plainText is the first part of a multipart mail.
func plainText(m *netmail.Message) (string, error) {
	_, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		return "", err
	}
	part, err := multipart.NewReader(m.Body, params["boundary"]).NextPart() // decodes quoted-printable
	if err != nil {
		return "", err
	}
	raw, err := io.ReadAll(part)
	return string(bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))), err
}
