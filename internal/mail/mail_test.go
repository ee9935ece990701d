package mail_test

import (
	"crypto/x509"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/mail"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const token = "tokentokentokentokentokentoken99"

var validation = mail.Validation{Link: "https://narthex.test/submit?sid=1&token=" + token, Valid: time.Hour}

// post is a service with a database and a worker of its jobs.
type post struct {
	*mail.Service
	store  *dbtest.Store
	runner *jobs.Runner
}

func open(t *testing.T, store *dbtest.Store, roots *x509.CertPool, change ...func(*config.Config)) post {
	t.Helper()
	cfg := config.Default()
	cfg.ServerName, cfg.Database, cfg.RateLimits.Enabled = "narthex.test", store.Database, false
	cfg.Dev, cfg.PublicURL = false, "https://narthex.test"
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	templates, err := mail.LoadTemplates(cfg)
	if err != nil {
		t.Fatal(err)
	}
	p := post{store: store, Service: mail.New(mail.Deps{DB: store.DB, Config: cfg, Log: store.Log.Logger(), Templates: templates, Roots: roots})}
	p.runner = jobs.NewRunner(store.DB, store.Log.Logger(), p.Jobs())
	return p
}

// connected is a service over a fresh database that uses the mail server.
func connected(t *testing.T, m *mailServer, encryption string, change ...func(*config.Config)) post {
	t.Helper()
	return open(t, dbtest.Open(t), m.roots, append([]func(*config.Config){func(c *config.Config) { m.configure(c, encryption) }}, change...)...)
}

func (p post) queue(t *testing.T, m mail.Message) (id string) {
	t.Helper()
	err := p.store.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
		id, err = p.Queue(tx, m)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (p post) send(t *testing.T, to string) error {
	t.Helper()
	return p.Deliver(t.Context(), p.queue(t, mail.Message{To: to, Template: mail.ValidationRegister, Data: validation}))
}

// work works the jobs that are due, and gives how many there were.
func (p post) work(t *testing.T) int {
	t.Helper()
	n, err := p.runner.RunDue(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// waiting is the number of mails in the outbox.
func (p post) waiting(t *testing.T) (n int64) {
	t.Helper()
	err := p.store.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		n, err = db.Value[int64](tx, `SELECT COUNT(*) FROM mail_outbox`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func (p post) expect(t *testing.T, m *mailServer, mails, waiting int) {
	t.Helper()
	if got := len(m.got()); got != mails {
		t.Errorf("the mail server has %d mails, want %d", got, mails)
	}
	if got := p.waiting(t); got != int64(waiting) {
		t.Errorf("%d mails are in the outbox, want %d", got, waiting)
	}
}

func is(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestAMailArrives(t *testing.T) {
	for _, encryption := range []string{"none", "starttls", "implicit"} {
		for _, password := range []string{"", "hunter2"} {
			t.Run(encryption+" "+password, func(t *testing.T) {
				m := startMail(t, encryption)
				m.password = password
				p := connected(t, m, encryption, func(c *config.Config) {
					if password != "" {
						c.Mail.SMTP.Username, c.Mail.SMTP.Password = "narthex", password
					}
				})
				is(t, p.send(t, "alice@example.org"), nil)
				p.expect(t, m, 1, 0)
				got := m.got()[0]
				if got.tls != (encryption != "none") || got.from != "narthex@narthex.test" || got.to != "alice@example.org" || (got.user == "narthex") != (password != "") {
					t.Errorf("got %+v", got)
				}
				if m.hellos[0] != "narthex.test" {
					t.Errorf("EHLO %s", m.hellos[0])
				}
			})
		}
	}
}

func TestWhatAMailLooksLike(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none", func(c *config.Config) { c.Mail.From = "Café <narthex@bücher.example>" })
	id := p.queue(t, mail.Message{To: "alice@example.org", Template: mail.ValidationRegister, Data: validation})
	is(t, p.Deliver(t.Context(), id), nil)
	got := m.got()[0].message(t)
	allowed := map[string]string{
		"From": "=?utf-8?q?Caf=C3=A9?= <narthex@xn--bcher-kva.example>", "To": "<alice@example.org>",
		"Subject": "Confirm your address for narthex.test", "Message-Id": "<" + id + "@narthex.test>",
		"Auto-Submitted": "auto-generated", "Mime-Version": "1.0", "Date": "", "Content-Type": "",
	}
	for name, values := range got.Header {
		if want, ok := allowed[name]; !ok || len(values) != 1 || (want != "" && values[0] != want) {
			t.Errorf("%s: %q, want %q", name, values, want)
		}
	}
	if sent, err := got.Header.Date(); err != nil || sent.Location() != time.UTC && sent.UTC().Format(time.RFC3339) != sent.Format(time.RFC3339) {
		t.Errorf("Date: %v %v", sent, err)
	}
	text, html := parts(t, m.got()[0])
	for _, body := range []string{text, html} {
		if !strings.Contains(body, "narthex.test") || !strings.Contains(body, token) || !strings.Contains(body, "1 hour") {
			t.Errorf("the body lacks something:\n%s", body)
		}
	}
	if !strings.Contains(text, "\n"+validation.Link+"\n") {
		t.Errorf("the link has no line of its own:\n%s", text)
	}
	if !strings.Contains(html, `href="https://narthex.test/submit?sid=1&amp;token=`+token+`"`) || !strings.Contains(html, `name="viewport"`) {
		t.Errorf("the page:\n%s", html)
	}
}

// parts gives the two forms of a mail's body.
func parts(t *testing.T, r received) (text, html string) {
	t.Helper()
	got := r.message(t)
	kind, params, err := mime.ParseMediaType(got.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("Content-Type %s: %v", kind, err)
	}
	reader := multipart.NewReader(got.Body, params["boundary"])
	for _, body := range []struct {
		kind string
		to   *string
	}{{"text/plain; charset=UTF-8", &text}, {"text/html; charset=UTF-8", &html}} {
		part, err := reader.NextPart() // decodes quoted-printable
		if err != nil || part.Header.Get("Content-Type") != body.kind {
			t.Fatalf("part %v: %v", part.Header, err)
		}
		all, err := io.ReadAll(part)
		if err != nil {
			t.Fatal(err)
		}
		*body.to = strings.ReplaceAll(string(all), "\r\n", "\n")
	}
	if _, err := reader.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("a third part: %v", err)
	}
	return text, html
}

func TestAConnectionIsUsedAgain(t *testing.T) {
	m := startMail(t, "starttls")
	p := connected(t, m, "starttls")
	for range 3 {
		is(t, p.send(t, "alice@example.org"), nil)
	}
	if n := m.dialled(); n > 2 { // the greeting counts once before, and once after STARTTLS
		t.Errorf("%d sessions for three mails", n)
	}
	before := m.dialled()
	m.cut()
	is(t, p.send(t, "alice@example.org"), nil)
	p.expect(t, m, 4, 0)
	if m.dialled() == before {
		t.Error("a dead connection was used")
	}
}

// TestTP34APermanentRefusal holds that a mail that is refused for good is not tried
// again, and that the log names nobody.
func TestTP34APermanentRefusal(t *testing.T) {
	for name, refuse := range map[string]func(*mailServer){
		"of the address": func(m *mailServer) {
			m.toAddress = answer(550, smtp.EnhancedCode{5, 1, 1}, "<alice@example.org>: no such user")
		},
		"of the mail": func(m *mailServer) {
			m.answers = []error{answer(554, smtp.EnhancedCode{5, 7, 1}, "alice@example.org does not want it")}
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := startMail(t, "none")
			refuse(m)
			p := connected(t, m, "none")
			is(t, p.send(t, "alice@example.org"), mail.ErrRefused)
			p.expect(t, m, 0, 0)
			p.store.Advance(time.Hour)
			p.work(t)
			p.expect(t, m, 0, 0)
			log := p.store.Log.String()
			if !strings.Contains(log, "a mail was refused") || !strings.Contains(log, "the mail server answered 55") {
				t.Errorf("the log does not say so:\n%s", log)
			}
			if strings.Contains(log, "alice") || strings.Contains(log, token) {
				t.Errorf("the log names somebody:\n%s", log)
			}
		})
	}
}

// TestTP34ATransientFailure holds that a mail is sent later, by the job.
func TestTP34ATransientFailure(t *testing.T) {
	m := startMail(t, "none")
	greylisted := answer(451, smtp.EnhancedCode{4, 7, 1}, "<alice@example.org>: try again later")
	m.answers = []error{greylisted, greylisted, nil}
	p := connected(t, m, "none")
	is(t, p.send(t, "alice@example.org"), mail.ErrLater)
	p.expect(t, m, 0, 1)
	if n := p.work(t); n != 0 {
		t.Errorf("%d jobs before their time", n)
	}
	p.store.Advance(mail.HeadStart + time.Second)
	p.work(t)
	p.expect(t, m, 0, 1)
	p.store.Advance(6 * time.Second) // the first step of the back-off
	p.work(t)
	p.expect(t, m, 1, 0)
	p.store.Advance(time.Hour)
	p.work(t)
	p.expect(t, m, 1, 0)
	if log := p.store.Log.String(); strings.Contains(log, "alice") {
		t.Errorf("the log names somebody:\n%s", log)
	}
}

func TestTheMailServerIsDownAndComesBack(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none")
	address := m.addr
	m.stop()
	for range 3 {
		is(t, p.send(t, "alice@example.org"), mail.ErrLater)
	}
	p.store.Advance(mail.HeadStart + time.Second)
	if n := p.work(t); n != 3 {
		t.Errorf("%d jobs, want 3", n)
	}
	p.expect(t, m, 0, 3)
	m.listen("none", address)
	p.store.Advance(time.Minute)
	p.work(t)
	p.expect(t, m, 3, 0)
}

// TestAServerThatIsDownIsNotCalledForEveryMailAtOnce holds that a long queue does not hold
// up other jobs while the mail server does not answer.
func TestAServerThatIsDownIsNotCalledForEveryMailAtOnce(t *testing.T) {
	calls, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer calls.Close()
	called := make(chan struct{}, 100)
	go func() {
		for {
			c, err := calls.Accept()
			if err != nil {
				return
			}
			called <- struct{}{}
			_ = c.Close()
		}
	}()
	m := &mailServer{t: t, addr: calls.Addr().String()}
	p := connected(t, m, "none")
	for range 10 {
		p.queue(t, mail.Message{To: "alice@example.org", Template: mail.Test, Data: mail.Nothing{}})
	}
	p.store.Advance(mail.HeadStart + time.Second)
	p.work(t)
	if n := len(called); n != 1 {
		t.Errorf("%d calls for 10 mails, want 1", n)
	}
	if n := p.waiting(t); n != 10 {
		t.Errorf("%d mails are left, want 10", n)
	}
}

// TestDevPrints holds that --dev without a mail server shows mails in the log, and
// that a server without both sends none.
func TestDevPrints(t *testing.T) {
	p := open(t, dbtest.Open(t), nil, func(c *config.Config) { c.Dev = true })
	if !p.Configured() {
		t.Error("--dev should print")
	}
	is(t, p.send(t, "alice@example.org"), nil)
	if log := p.store.Log.String(); !strings.Contains(log, "alice@example.org") || !strings.Contains(log, validation.Link) {
		t.Errorf("the log:\n%s", log)
	}
	if n := p.waiting(t); n != 0 {
		t.Errorf("%d mails are left", n)
	}
	p = open(t, p.store, nil)
	if p.Configured() {
		t.Error("without a mail server nothing can be sent")
	}
	is(t, p.send(t, "alice@example.org"), mail.ErrLater)
}
