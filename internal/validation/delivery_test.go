package validation_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// mailServer is a real SMTP server that answers each recipient as it is told.
type mailServer struct {
	mu     sync.Mutex
	answer error // nil takes the mail
	mails  int
}

func (m *mailServer) NewSession(*smtp.Conn) (smtp.Session, error) { return m, nil }
func (m *mailServer) Mail(string, *smtp.MailOptions) error        { return nil }
func (m *mailServer) Reset()                                      {}
func (m *mailServer) Logout() error                               { return nil }

func (m *mailServer) Rcpt(string, *smtp.RcptOptions) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.answer
}

func (m *mailServer) Data(r io.Reader) error {
	_, err := io.ReadAll(r)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mails++
	return err
}

func (m *mailServer) set(answer error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.answer = answer
}

func (m *mailServer) start(t *testing.T) func(*config.Config) {
	t.Helper()
	server := smtp.NewServer(m)
	server.Domain = "mail.test"
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close() })
	host, port, _ := net.SplitHostPort(listener.Addr().String())
	return func(c *config.Config) {
		c.Mail.From, c.Mail.SMTP.Host, c.Mail.SMTP.TLS = "narthex@narthex.test", host, "none"
		c.Mail.SMTP.Port, _ = strconv.Atoi(port)
	}
}

func TestTP34_DeliveryIsTriedAtOnce(t *testing.T) {
	m := &mailServer{}
	w := newWorld(t, m.start(t))
	req := byMail(validation.Register)
	expect := func(mails int, failure error) (sid string) {
		t.Helper()
		sid, err := w.Send(t.Context(), from("192.0.2.1"), req)
		is(t, err, failure)
		if m.mails != mails {
			t.Errorf("%d mails, want %d", m.mails, mails)
		}
		return sid
	}
	refused := &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such mailbox"}
	m.set(refused)
	expect(0, validation.ErrSend)
	expect(0, validation.ErrSend) // it was tried again
	m.set(nil)
	sid := expect(1, nil) // the same number
	expect(1, nil)

	req.SendAttempt = 2
	m.set(refused)
	expect(1, validation.ErrSend)
	req.SendAttempt = 1
	expect(1, nil) // which was sent
	req.SendAttempt = 2
	m.set(&smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "later"})
	if again := expect(1, nil); again != sid { // the outbox goes on
		t.Errorf("got %q, want %q", again, sid)
	}
	expect(1, nil) // it is recorded
}

func TestTP46_TP47_TextMessages(t *testing.T) {
	w := newWorld(t)
	req := byPhone(validation.Add)
	sid := w.send(req)
	sent := w.sent(codesSent)
	if len(sent) != 1 {
		t.Fatalf("sent: %q in %s", sent, w.out)
	}
	in := validation.Submission{Purpose: validation.Add, Medium: validation.Phone, SID: sid, ClientSecret: clientSecret, Token: sent[0]}
	if err := w.submit(in); err != nil {
		t.Error(err)
	}

	var status atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(int(status.Load())) }))
	t.Cleanup(gateway.Close)
	strict := newWorld(t, func(c *config.Config) {
		c.SMS.Webhook.URL, c.SMS.Webhook.Secret = gateway.URL, "secret"
		c.SMS.Countries = []string{"GB"}
		c.SMS.Limits.PerNumber, c.SMS.Limits.Spend, c.SMS.Price = 2, 100, 0.1
	})
	send := func(number string, attempt int64, pretend validation.Pretence) error {
		req.Address, req.SendAttempt, req.Pretend = number, attempt, pretend
		_, err := strict.Send(t.Context(), from("192.0.2.1"), req)
		return err
	}
	for _, pretend := range []validation.Pretence{validation.NoPretence, validation.Discreet, validation.PretendUsed, validation.PretendUnused} {
		is(t, send("12025550143", 1, pretend), errcode.DestinationRejected) // another country
	}
	status.Store(400)
	is(t, send("447400123456", 1, validation.NoPretence), validation.ErrSend)
	status.Store(503)
	if err := send("447400123456", 1, validation.NoPretence); err != nil { // the outbox goes on
		t.Error(err)
	}
	status.Store(200)
	is(t, send("447400123456", 3, validation.NoPretence), errcode.LimitExceeded)
	// TP-64: a limit that only a number has which is really sent messages does not show.
	if err := send("447400123456", 4, validation.Discreet); err != nil {
		t.Error(err)
	}
}
