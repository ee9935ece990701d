package notices_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// addressed gives an account a mail address.
func addressed(t *testing.T, srv *apitest.Server, user id.UserID, address string) {
	t.Helper()
	srv.Write(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ('email', $1, $2, 1, 1)`, address, user)
		return err
	})
}

// TestDigestForAdministrators holds that administrators hear at once of the first
// account that waits, and of the later ones an hour after that, together.
func TestDigestForAdministrators(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, approvalRequired)
	root, second, alice := srv.Administrator(t, "root"), srv.Administrator(t, "second"), srv.User(t, "alice")
	addressed(t, srv, root.UserID, "root@example.org")
	addressed(t, srv, alice.UserID, "alice@example.org")

	wait(t, srv, "carol", "I sing\nin the choir")
	settle(t, srv)
	link := srv.App.Config.Issuer() + "admin/registrations"
	first := "A new account waits for your approval:\n• @carol:narthex.test: I sing in the choir\nApprove or refuse them: " + link
	for _, administrator := range []*apitest.Client{root, second} {
		if got := texts(t, srv, administrator); !slices.Equal(got, []string{first}) {
			t.Errorf("%s: got %q", administrator.UserID, got)
		}
	}
	m := mails.Last(t, "root@example.org")
	if m.Subject != "Somebody waits for your approval on narthex.test" || !strings.Contains(m.Text, "\n- @carol:narthex.test: I sing in the choir\n") || !strings.Contains(m.Text, link) {
		t.Errorf("got %q\n%s", m.Subject, m.Text)
	}

	wait(t, srv, "dave", "")
	srv.Advance(10 * time.Minute)
	wait(t, srv, "erin", "me too")
	settle(t, srv)
	if got := len(texts(t, srv, second)); got != 1 {
		t.Errorf("%d notices within the hour", got)
	}
	srv.Advance(time.Hour)
	settle(t, srv)
	want := "2 new accounts wait for your approval:\n• @dave:narthex.test\n• @erin:narthex.test: me too\n3 accounts wait in all.\nApprove or refuse them: " + link
	if got := texts(t, srv, second); !slices.Equal(got, []string{first, want}) {
		t.Errorf("got %q", got)
	}
	if m := mails.Last(t, "root@example.org"); m.Subject != "2 people wait for your approval on narthex.test" || !strings.Contains(m.Text, "3 accounts wait in all.") {
		t.Errorf("got %q\n%s", m.Subject, m.Text)
	}
	srv.Advance(3 * time.Hour)
	settle(t, srv)
	if got := len(texts(t, srv, second)); got != 2 {
		t.Errorf("%d notices although nobody new waits", got)
	}
	if n := len(mails.Mails("root@example.org")); n != 2 {
		t.Errorf("%d mails, want 2", n)
	}
	if n := len(mails.Mails("alice@example.org")) + len(invites(t, alice)); n != 0 {
		t.Error("somebody heard of it who is no administrator")
	}
}

// TestNoDigestWhenNobodyWaitsAnyMore holds that a decision makes a digest needless,
// and that the next account is told of at once.
func TestNoDigestWhenNobodyWaitsAnyMore(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	decide := func(do func(tx *db.Tx) error) { srv.Write(t, do) }
	accounts := srv.App.Accounts
	wait(t, srv, "carol", "")
	decide(func(tx *db.Tx) error { return accounts.Approve(tx, userID("carol"), "test", "") })
	wait(t, srv, "dave", "")
	decide(func(tx *db.Tx) error { return accounts.Deny(tx, userID("dave"), "test", "", false) })
	settle(t, srv)
	if n := len(invites(t, root)); n != 0 {
		t.Errorf("%d invites", n)
	}
	wait(t, srv, "erin", "")
	settle(t, srv)
	if got := texts(t, srv, root); len(got) != 1 || !strings.Contains(got[0], "@erin:") || strings.Contains(got[0], "@dave:") {
		t.Errorf("got %q", got)
	}
}

// TestTwoServersSendOneDigestAtOnce holds that servers over one database agree.
func TestTwoServersSendOneDigestAtOnce(t *testing.T) {
	mails := apitest.NewMailbox(t)
	one := apitest.New(t, mails.Configure, approvalRequired)
	two := apitest.Over(t, one.App.Config.Database, mails.Configure, approvalRequired)
	root := one.Administrator(t, "root")
	addressed(t, one, root.UserID, "root@example.org")
	wait(t, one, "carol", "")
	wait(t, two, "dave", "")
	for range 3 {
		done := make(chan error)
		go func() { done <- two.App.RunJobs(t.Context()) }()
		err := one.App.RunJobs(t.Context())
		if other := <-done; err != nil || other != nil {
			t.Fatal(err, other)
		}
		one.Advance(20 * time.Second)
		two.Advance(20 * time.Second)
	}
	if n := len(mails.Mails("root@example.org")); n != 1 {
		t.Errorf("%d mails, want 1", n)
	}
	for _, srv := range []*apitest.Server{one, two} {
		srv.Advance(time.Hour)
		settle(t, srv)
	}
	// Both accounts were told of, each once.
	all := strings.Join(texts(t, one, root), "\n")
	if strings.Count(all, "@carol:") != 1 || strings.Count(all, "@dave:") != 1 {
		t.Errorf("got %s", all)
	}
	if n := len(mails.Mails("root@example.org")); n > 2 {
		t.Errorf("%d mails, want 2 at most", n)
	}
}

func TestDigestSwitches(t *testing.T) {
	for _, test := range []struct {
		name    string
		by      []string
		mails   int
		notices int
	}{
		{"both", []string{"mail", "notice"}, 1, 1},
		{"mail", []string{"mail"}, 1, 0},
		{"notice", []string{"notice"}, 0, 1},
		{"off", []string{}, 0, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			mails := apitest.NewMailbox(t)
			srv := apitest.New(t, mails.Configure, approvalRequired, func(cfg *config.Config) { cfg.Approval.NotifyAdmins = test.by })
			root := srv.Administrator(t, "root")
			addressed(t, srv, root.UserID, "root@example.org")
			wait(t, srv, "carol", "")
			settle(t, srv)
			if m, n := len(mails.Mails("root@example.org")), len(invites(t, root)); m != test.mails || n != test.notices {
				t.Errorf("got %d mails and %d notices, want %d and %d", m, n, test.mails, test.notices)
			}
		})
	}
}

// TestLongDigest holds that a flood of registrations makes one digest that can be read.
func TestLongDigest(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	root := srv.Administrator(t, "root")
	for i := range 25 {
		wait(t, srv, fmt.Sprintf("user%02d", i), strings.Repeat("because ", 60))
	}
	settle(t, srv)
	srv.Advance(time.Hour)
	settle(t, srv)
	got := texts(t, srv, root)
	all := strings.Join(got, "\n")
	if len(got) != 2 || !strings.Contains(got[1], "24 new accounts wait") || !strings.Contains(got[1], "• and 4 more\n25 accounts wait in all.\n") || strings.Count(all, "• @user") != 21 {
		t.Errorf("got %d notices:\n%s", len(got), all)
	}
}

// TestNobodyIsToldWhereTheNameIsTaken holds that a mistake in the configuration keeps
// no mail from being sent.
func TestNobodyIsToldWhereTheNameIsTaken(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, approvalRequired, func(cfg *config.Config) { cfg.Notices.Localpart = "alice" })
	root := srv.Administrator(t, "root")
	srv.User(t, "alice")
	addressed(t, srv, root.UserID, "root@example.org")
	wait(t, srv, "carol", "")
	settle(t, srv)
	mails.Last(t, "root@example.org")
	if !strings.Contains(srv.Log.String(), "could not be told who waits") {
		t.Error("the log says nothing")
	}
}
