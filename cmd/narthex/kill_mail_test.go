package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	netmail "net/mail"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/pgtest"
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

// grave is a server that dies and comes back: its data, and what it is configured with.
type grave struct {
	data, database string
	environment    []string
}

// overBoth digs one over SQLite, and one over PostgreSQL where that is installed.
func overBoth(t *testing.T, f func(t *testing.T, box *slowBox, g grave)) {
	t.Helper()
	dig := func(t *testing.T, database string) {
		box := newSlowBox(t)
		g := grave{data: filepath.Join(t.TempDir(), "data"), database: database, environment: []string{
			"NARTHEX_MAIL_FROM=narthex@example.org", "NARTHEX_MAIL_SMTP_HOST=127.0.0.1", "NARTHEX_MAIL_SMTP_PORT=" + box.port, "NARTHEX_MAIL_SMTP_TLS=none"}}
		if database != "" {
			g.environment = append(g.environment, "NARTHEX_DATABASE="+database)
		}
		f(t, box, g)
	}
	t.Run("sqlite", func(t *testing.T) { t.Parallel(); dig(t, "") })
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		database := pgtest.StartFor(t).DatabaseFor(t, "")
		dig(t, database)
	})
}

// rise starts the server, with more in its environment.
func (g grave) rise(t *testing.T, more ...string) *process {
	t.Helper()
	return spawn(t, g.data, append(slices.Clone(g.environment), more...)...)
}

// inside opens its database while it does not run.
func (g grave) inside(t *testing.T, f func(tx *db.Tx, a *app.App) error) {
	t.Helper()
	insideOf(t, g.data, g.database, func(a *app.App) {
		within(t, a, func(tx *db.Tx) error { return f(tx, a) })
	})
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
// time had passed that it waits for, and gives how much that is.
func (g grave) age(t *testing.T) (left int64) {
	t.Helper()
	g.inside(t, func(tx *db.Tx, _ *app.App) (err error) {
		if _, err := tx.Exec(`UPDATE mail_outbox SET lease_ts = 0`); err != nil {
			return err
		}
		if _, err := tx.Exec(`UPDATE jobs SET run_ts = 0, lease_ts = 0 WHERE kind = 'mail.send'`); err != nil {
			return err
		}
		left, err = db.Value[int64](tx, `SELECT COUNT(*) FROM mail_outbox`)
		return err
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
	t.Parallel()
	for name, hide := range map[string]string{"the mail server is busy": "false", "the answer does not wait for the mail": "true"} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, box *slowBox, g grave) {
				g.environment = append(g.environment, "NARTHEX_THREEPID_HIDE_EXISTENCE="+hide)
				for i := range mailRounds {
					p := g.rise(t)
					secret := fmt.Sprint("secret", i)
					box.set(func() { box.busy = true })
					a, err := askForMail(p, secret)
					p.end()
					if err != nil || a.SID == "" {
						t.Fatalf("got %+v, %v", a, err)
					}
					if left := g.age(t); left != 1 {
						t.Fatalf("%d mails are in the outbox, want 1", left)
					}
					box.set(func() { box.busy = false })
					p = g.rise(t)
					m := <-box.arrived
					good(t, p, m, a, secret)
					p.stop() // in peace: it notes what it has sent
					box.noMore(t)
				}
			})
		})
	}
}

// TestK16_AKillAtTheMailServersAnswer kills the server when the mail server has the
// mail, before or after it says so. The mail arrives once more at most, as the same.
func TestK16_AKillAtTheMailServersAnswer(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", "after"} {
		t.Run(when, func(t *testing.T) {
			overBoth(t, func(t *testing.T, box *slowBox, g grave) {
				for i := range mailRounds {
					killedAtTheAnswer(t, box, g, when, fmt.Sprint("secret", i))
				}
			})
		})
	}
}

func killedAtTheAnswer(t *testing.T, box *slowBox, g grave, when, secret string) {
	t.Helper()
	p := g.rise(t)
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
	left := g.age(t)
	p = g.rise(t)
	if left > 0 { // it was killed before it could note that the mail is sent
		again := <-box.arrived
		if first, second := m.Header.Get("Message-Id"), again.Header.Get("Message-Id"); first == "" || first != second {
			t.Errorf("the mail came again as another one: %q, and then %q", first, second)
		}
	} else if when == "before" {
		t.Error("a mail was noted as sent before the mail server said so")
	}
	if asking != nil { // the client asks again, as clients do: the session is the same
		if a, asking = askForMail(p, secret); asking != nil {
			t.Fatal(asking)
		}
	}
	good(t, p, m, a, secret)
	p.stop() // in peace: it notes what it has sent
	box.noMore(t)
	if left := g.age(t); left != 0 {
		t.Errorf("%d mails are still in the outbox", left)
	}
}

// TestK16_AKillAfterAnApprovalLosesNoMail kills the server when an administrator has
// been told that an account is approved, and its owner has not.
func TestK16_AKillAfterAnApprovalLosesNoMail(t *testing.T) {
	t.Parallel()
	overBoth(t, func(t *testing.T, box *slowBox, g grave) {
		const root = id.UserID("@root:localhost")
		g.environment = append(g.environment, "NARTHEX_APPROVAL_ENABLED=true", "NARTHEX_APPROVAL_REQUIRED_FOR_NEW_ACCOUNTS=true", "NARTHEX_APPROVAL_NOTIFY_EMAIL=true")
		box.busy = true
		p := g.rise(t)
		send(t, p, "POST", "/_matrix/client/v3/register", "", `{"username":"alice","password":"a long password","auth":{"type":"m.login.dummy"}}`, http.StatusForbidden)
		p.end()
		var token string
		g.inside(t, func(tx *db.Tx, a *app.App) (err error) {
			if err := a.Accounts.Insert(tx, accounts.Account{UserID: root, PasswordHash: "none", Admin: true}); err != nil {
				return err
			}
			if err := a.Accounts.PutDevice(tx, root, "DEVICE", nil); err != nil {
				return err
			}
			if token, err = a.OAuth.IssueToken(tx, root, "DEVICE", 0); err != nil {
				return err
			}
			_, err = tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ('email', 'alice@example.org', $1, 1, 1)`, killUser)
			return err
		})
		p = g.rise(t)
		send(t, p, "POST", "/_narthex/admin/v1/registrations/"+string(killUser)+"/approve", token, "{}", http.StatusOK)
		p.end()
		if left := g.age(t); left != 1 {
			t.Fatalf("%d mails are in the outbox, want 1", left)
		}
		box.set(func() { box.busy = false })
		p = g.rise(t)
		if to := (<-box.arrived).Header.Get("To"); !strings.Contains(to, "alice@example.org") {
			t.Errorf("the mail is to %s", to)
		}
		p.end()
		box.noMore(t)
	})
}

// send makes a request that is to be answered with the status.
func send(t *testing.T, p *process, method, path, token, body string, want int) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if answer, _ := io.ReadAll(resp.Body); resp.StatusCode != want {
		t.Fatalf("%s %s: got %d %s, want %d", method, path, resp.StatusCode, answer, want)
	}
}
