package oauth_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// credentials are the forms of everything that would sign somebody in.
var credentials = regexp.MustCompile(`(nxt|nxr|nxl|nxb|syt|token|code|sid|client_secret)[_=]`)

// TestA41_A63_MailsAboutDecisions holds that people get the administrator's words by
// mail, also where the decision erases the address, and nothing that signs anybody in.
func TestA41_A63_MailsAboutDecisions(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"), approvalRequired)
	for _, name := range []string{"alice", "bob", "carol"} {
		body := object{"username": name, "password": apitest.Password, "auth": showMail(t, srv, mails, name+"@example.org")}
		srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
	}
	write(t, srv, func(tx *db.Tx) error {
		if err := srv.App.Accounts.Approve(tx, userID("alice"), admin, "Welcome\r\nBcc: eve@example.org"); err != nil {
			return err
		}
		if err := srv.App.Accounts.Deny(tx, userID("bob"), admin, "We know no Bob.", false); err != nil {
			return err
		}
		return srv.App.Accounts.Deny(tx, userID("carol"), admin, "", true) // the row goes, too
	})
	for range 3 {
		srv.Advance(time.Minute)
		srv.RunJobs(t)
	}
	for address, want := range map[string][]string{
		"alice@example.org": {"Your account on narthex.test is ready", "The administrator says: Welcome Bcc: eve@example.org\n", srv.App.Config.AccountURL()},
		"bob@example.org":   {"Your account on narthex.test was not approved", "The reason that was given: We know no Bob.\n", "@bob:narthex.test"},
		"carol@example.org": {"Your account on narthex.test was not approved", "@carol:narthex.test"},
	} {
		m := mails.Last(t, address)
		for _, text := range want {
			if !strings.Contains(m.Subject+"\n"+m.Text, text) {
				t.Errorf("%s: no %q in %q\n%s", address, text, m.Subject, m.Text)
			}
		}
		if found := credentials.FindString(m.Text); found != "" {
			t.Errorf("%s: the mail holds %q:\n%s", address, found, m.Text)
		}
	}
	if len(mails.Mails("eve@example.org")) > 0 {
		t.Error("the note was read as a header")
	}
	login(t, srv, passwordLogin("bob", apitest.Password)).Fails(t, srv, errcode.Forbidden)
}

// TestA41_NoMailsAboutDecisions holds that approval.notify_email switches both mails off.
func TestA41_NoMailsAboutDecisions(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"), approvalRequired, func(cfg *config.Config) { cfg.Approval.NotifyEmail = false })
	body := object{"username": "bob", "password": apitest.Password, "auth": showMail(t, srv, mails, "bob@example.org")}
	srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
	before := len(mails.Mails("bob@example.org"))
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Deny(tx, userID("bob"), admin, "no", false) })
	srv.Advance(time.Minute)
	srv.RunJobs(t)
	if n := len(mails.Mails("bob@example.org")) - before; n != 0 {
		t.Errorf("%d mails", n)
	}
}

// TestOA43_AnOlderSignInIsToldByMail holds that sign-ins without OAuth 2.0 are told of as
// those by it are, and failed ones are not.
func TestOA43_AnOlderSignInIsToldByMail(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure)
	alice := srv.User(t, "alice")
	srv.User(t, "bob")
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ('email', 'alice@example.org', $1, 1, 1)`, alice.UserID)
		return err
	})
	login(t, srv, with(passwordLogin("alice", apitest.Password), object{"initial_device_display_name": "Fridge"})).OK(t, nil)
	login(t, srv, passwordLogin("alice", "wrong")).Fails(t, srv, errcode.Forbidden)
	login(t, srv, passwordLogin("bob", apitest.Password)).OK(t, nil) // has no address
	answer := decode[object](t, alice.Do(t, "POST", "/_matrix/client/v1/login/get_token",
		object{"auth": object{"type": "m.login.password", "user": "alice", "password": apitest.Password}}).OK(t, nil))
	login(t, srv, object{"type": "m.login.token", "token": answer["login_token"]}).OK(t, nil)
	srv.Advance(time.Minute)
	srv.RunJobs(t)
	got := mails.Mails("alice@example.org")
	if len(got) != 2 {
		t.Fatalf("%d mails, want 2", len(got))
	}
	if text := got[0].Text + got[1].Text; !strings.Contains(text, "Device: Fridge\n") || !strings.Contains(text, "From: 127.0.0.1") {
		t.Errorf("got:\n%s", text)
	}
}
