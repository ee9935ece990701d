package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	netmail "net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// mailRounds is how often a server is killed in each test of this file.
const mailRounds = 3

// slowBox is a mail server that the test watches closely enough to kill the server
// around its answer.
type slowBox struct {
	port    string
	arrived chan *netmail.Message

	mu sync.Mutex
	// busy has it put everything off.
	busy bool
	// before and after are called around the answer that a mail was taken.
	before, after func()
}

func newSlowBox(t *testing.T) *slowBox {
	t.Helper()
	b := &slowBox{arrived: make(chan *netmail.Message, 100)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, b.port, _ = net.SplitHostPort(l.Addr().String())
	server := smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return slowSession{b}, nil }))
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(watched{l, b}) }() // until it is closed
	t.Cleanup(func() { _ = server.Close(); <-done })
	return b
}

// environment configures a server for it.
func (b *slowBox) environment(more ...string) []string {
	return append([]string{"NARTHEX_MAIL_FROM=narthex@example.org", "NARTHEX_MAIL_SMTP_HOST=127.0.0.1", "NARTHEX_MAIL_SMTP_PORT=" + b.port, "NARTHEX_MAIL_SMTP_TLS=none"}, more...)
}

func (b *slowBox) set(f func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f()
}

type slowSession struct{ box *slowBox }

func (s slowSession) Reset()                               {}
func (s slowSession) Logout() error                        { return nil }
func (s slowSession) Mail(string, *smtp.MailOptions) error { return nil }

func (s slowSession) Rcpt(string, *smtp.RcptOptions) error {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	if s.box.busy {
		return &smtp.SMTPError{Code: 450, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "Later, please"}
	}
	return nil
}

func (s slowSession) Data(r io.Reader) error {
	m, err := netmail.ReadMessage(r)
	if err != nil {
		return err
	}
	text, err := io.ReadAll(m.Body)
	m.Body = bytes.NewReader(text)
	s.box.arrived <- m
	return err
}

// watched are connections that know what the server writes.
type watched struct {
	net.Listener
	box *slowBox
}

func (l watched) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	return watchedConn{c, l.box}, err
}

type watchedConn struct {
	net.Conn
	box *slowBox
}

func (c watchedConn) Write(p []byte) (int, error) {
	if !bytes.HasPrefix(p, []byte("250 ")) || !bytes.Contains(p, []byte("queued")) {
		return c.Conn.Write(p)
	}
	c.box.mu.Lock()
	before, after := c.box.before, c.box.after
	c.box.mu.Unlock()
	if before != nil {
		before()
	}
	n, err := c.Conn.Write(p)
	if after != nil {
		after()
	}
	return n, err
}

// age makes everything in the outbox of a server that does not run due, as if the
// time had passed that it waits for.
func age(t *testing.T, data string) (left int64) {
	t.Helper()
	inside(t, data, func(a *app.App) {
		within(t, a, func(tx *db.Tx) (err error) {
			if _, err := tx.Exec(`UPDATE mail_outbox SET lease_ts = 0`); err != nil {
				return err
			}
			if _, err := tx.Exec(`UPDATE jobs SET run_ts = 0, lease_ts = 0 WHERE kind = 'mail.send'`); err != nil {
				return err
			}
			left, err = db.Value[int64](tx, `SELECT COUNT(*) FROM mail_outbox`)
			return err
		})
	})
	return left
}

// asked is the validation that a client has been told of.
type asked struct {
	SID       string `json:"sid"`
	SubmitURL string `json:"submit_url"`
}

// askForMail asks for a mail to register with.
func askForMail(p *process, secret string) (a asked, err error) {
	resp, err := http.Post(p.url+"/_matrix/client/v3/register/email/requestToken", "application/json",
		strings.NewReader(`{"client_secret":"`+secret+`","email":"alice@example.org","send_attempt":1}`))
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	return a, json.NewDecoder(resp.Body).Decode(&a)
}

var mailedToken = regexp.MustCompile(`token(?:=3D|=)([A-Za-z0-9]{32})`)

// noMore holds that no other mail has arrived.
func (b *slowBox) noMore(t *testing.T) {
	t.Helper()
	for len(b.arrived) > 0 {
		t.Errorf("there is another mail: %v", (<-b.arrived).Header)
	}
}

// good holds that the link in a mail is good for the session.
func good(t *testing.T, p *process, m *netmail.Message, a asked, secret string) {
	t.Helper()
	text, err := io.ReadAll(m.Body)
	found := mailedToken.FindSubmatch(bytes.ReplaceAll(text, []byte("=\r\n"), nil))
	if err != nil || found == nil {
		t.Fatalf("there is no token in the mail: %v\n%s", err, text)
	}
	u, err := url.Parse(a.SubmitURL)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.PostForm(p.url+u.Path, url.Values{"sid": {a.SID}, "client_secret": {secret}, "token": {string(found[1])}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK {
		t.Errorf("the token of the mail: got %d %s", resp.StatusCode, answer)
	}
}

// TestK16_AKillAfterTheAnswerLosesNoMail kills the server when it has answered that a
// mail is on its way, and nobody has taken it yet.
func TestK16_AKillAfterTheAnswerLosesNoMail(t *testing.T) {
	for name, setting := range map[string]string{"the mail server is busy": "false", "the answer does not wait for the mail": "true"} {
		t.Run(name, func(t *testing.T) {
			box := newSlowBox(t)
			data := filepath.Join(t.TempDir(), "data")
			environment := box.environment("NARTHEX_THREEPID_HIDE_EXISTENCE=" + setting)
			p := spawn(t, data, environment...)
			for i := range mailRounds {
				secret := "secret" + string(rune('a'+i))
				box.set(func() { box.busy = true })
				a, err := askForMail(p, secret)
				p.end()
				if err != nil || a.SID == "" {
					t.Fatalf("got %+v, %v", a, err)
				}
				if left := age(t, data); left != 1 {
					t.Fatalf("%d mails are in the outbox, want 1", left)
				}
				box.set(func() { box.busy = false })
				p = spawn(t, data, environment...)
				m := <-box.arrived
				good(t, p, m, a, secret)
				box.noMore(t)
			}
		})
	}
}

// TestK16_AKillAtTheMailServersAnswer kills the server when the mail server has the
// mail, before or after it says so. The mail arrives once more at most, as the same.
func TestK16_AKillAtTheMailServersAnswer(t *testing.T) {
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			box := newSlowBox(t)
			data := filepath.Join(t.TempDir(), "data")
			for i := range mailRounds {
				secret := "secret" + string(rune('a'+i))
				p := spawn(t, data, box.environment()...)
				box.set(func() {
					if when == "before" {
						box.before = p.end
					} else {
						box.after = p.kill
					}
				})
				a, asking := askForMail(p, secret)
				p.end()
				box.set(func() { box.before, box.after = nil, nil })
				m := <-box.arrived
				left := age(t, data)
				p = spawn(t, data, box.environment()...)
				if left > 0 { // it was killed before it could note that the mail is sent
					again := <-box.arrived
					if again.Header.Get("Message-Id") != m.Header.Get("Message-Id") {
						t.Errorf("the mail came again as another one: %s, and then %s", m.Header.Get("Message-Id"), again.Header.Get("Message-Id"))
					}
				}
				box.noMore(t)
				if asking != nil { // the client asks again, as clients do: the session is the same
					if a, asking = askForMail(p, secret); asking != nil {
						t.Fatal(asking)
					}
				}
				good(t, p, m, a, secret)
				box.noMore(t)
				p.end()
				if left := age(t, data); left != 0 {
					t.Errorf("%d mails are still in the outbox", left)
				}
			}
		})
	}
}

// TestK16_AKillAfterAnApprovalLosesNoMail kills the server when an administrator has
// been told that an account is approved, and its owner has not.
func TestK16_AKillAfterAnApprovalLosesNoMail(t *testing.T) {
	box := newSlowBox(t)
	box.busy = true
	data := filepath.Join(t.TempDir(), "data")
	environment := box.environment("NARTHEX_APPROVAL_ENABLED=true", "NARTHEX_APPROVAL_REQUIRED_FOR_NEW_ACCOUNTS=true", "NARTHEX_APPROVAL_NOTIFY_EMAIL=true")
	token := ""
	inside(t, data, func(a *app.App) {
		within(t, a, func(tx *db.Tx) (err error) {
			const root = id.UserID("@root:localhost")
			if err := a.Accounts.Insert(tx, accounts.Account{UserID: root, PasswordHash: "none", Admin: true}); err != nil {
				return err
			}
			if err := a.Accounts.PutDevice(tx, root, "DEVICE", nil); err != nil {
				return err
			}
			token, err = a.OAuth.IssueToken(tx, root, "DEVICE", 0)
			return err
		})
	})
	p := spawn(t, data, environment...)
	resp, err := http.Post(p.url+"/_matrix/client/v3/register", "application/json", strings.NewReader(`{"username":"alice","password":"a long password","auth":{"type":"m.login.dummy"}}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	p.end()
	inside(t, data, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error {
			_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ('email', 'alice@example.org', $1, 1, 1)`, killUser)
			return err
		})
	})
	p = spawn(t, data, environment...)
	req, err := http.NewRequest("POST", p.url+"/_narthex/admin/v1/registrations/"+string(killUser)+"/approve", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if resp, err = http.DefaultClient.Do(req); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("got %v, %v", resp, err)
	}
	resp.Body.Close()
	p.end()
	if left := age(t, data); left != 1 {
		t.Fatalf("%d mails are in the outbox, want 1", left)
	}
	box.set(func() { box.busy = false })
	spawn(t, data, environment...)
	m := <-box.arrived
	if to := m.Header.Get("To"); !strings.Contains(to, "alice@example.org") {
		t.Errorf("the mail is to %s", to)
	}
	box.noMore(t)
}
