package oauth_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// asksReason configures whether people say why they want to join.
func asksReason(how string) func(*config.Config) {
	return func(cfg *config.Config) {
		approvalRequired(cfg)
		cfg.Approval.Reason = how
	}
}

func reasonOf(t *testing.T, srv *apitest.Server, localpart string) string {
	t.Helper()
	return account(t, srv, userID(localpart)).Signup.Reason
}

func TestReasonRequired(t *testing.T) {
	srv := apitest.New(t, asksReason("required"), func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	post := func(body object) *apitest.Response { return srv.Anyone().Do(t, "POST", registerPath, body) }

	t.Run("A-6 the first call is asked for authentication as ever", func(t *testing.T) {
		body := object{"username": "alice", "password": apitest.Password}
		session := challenged(t, srv, post(body)).Session
		final := with(body, object{"auth": object{"type": "m.login.dummy", "session": session}})
		if got := string(post(final).Fails(t, srv, errcode.MissingParam).Body); !strings.Contains(got, accounts.ReasonParam) {
			t.Errorf("the answer does not name the member: %s", got)
		}
		if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 0 {
			t.Errorf("%d accounts were made", n)
		}
		// The authentication is not lost.
		post(with(final, object{accounts.ReasonParam: " a\nfriend\u202e of\x00 Bob "})).Fails(t, srv, errcode.UserAwaitingApproval)
		if got := reasonOf(t, srv, "alice"); got != "a friend of Bob" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("it may come with the first request", func(t *testing.T) {
		body := object{"username": "carol", "password": apitest.Password}
		session := challenged(t, srv, post(with(body, object{accounts.ReasonParam: "the choir"}))).Session
		post(with(body, object{"auth": object{"type": "m.login.dummy", "session": session}})).Fails(t, srv, errcode.UserAwaitingApproval)
		if got := reasonOf(t, srv, "carol"); got != "the choir" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("nothing but spaces is no reason", func(t *testing.T) {
		post(with(registration("dave"), object{accounts.ReasonParam: " \n\u200b"})).Fails(t, srv, errcode.MissingParam)
	})
	t.Run("malformed", func(t *testing.T) {
		post(with(registration("dave"), object{accounts.ReasonParam: 1})).Fails(t, srv, errcode.BadJSON)
		post(with(registration("dave"), object{accounts.ReasonParam: strings.Repeat("ä", accounts.MaxReason+1)})).Fails(t, srv, errcode.InvalidParam)
		post(with(registration("dave"), object{accounts.ReasonParam: strings.Repeat("ä", accounts.MaxReason)})).Fails(t, srv, errcode.UserAwaitingApproval)
	})
	t.Run("A-17 a guest who makes an account gives one", func(t *testing.T) {
		g := decode[session](t, srv.Anyone().Do(t, "POST", registerPath+"?kind=guest", object{}).OK(t, nil))
		body := with(registration(g.UserID.Localpart()), object{"guest_access_token": g.AccessToken})
		post(body).Fails(t, srv, errcode.MissingParam)
		whoami(t, srv, g.AccessToken).OK(t, nil)
		post(with(body, object{accounts.ReasonParam: "I like it here"})).Fails(t, srv, errcode.UserAwaitingApproval)
		if got := reasonOf(t, srv, g.UserID.Localpart()); got != "I like it here" {
			t.Errorf("got %q", got)
		}
	})
}

func TestA13VouchedAccountsNeedNoReason(t *testing.T) {
	srv := apitest.New(t, asksReason("required"), func(cfg *config.Config) { cfg.Registration.RequireToken = true })
	write(t, srv, func(tx *db.Tx) error {
		_, err := srv.App.Accounts.CreateRegistrationToken(tx, accounts.RegistrationToken{Token: "vouched", Preapproved: true})
		return err
	})
	register(t, srv, object{"username": "bob", "password": apitest.Password, "auth": object{"type": "m.login.registration_token", "token": "vouched"}})
}

func TestReasonIsKeptOnlyWhereItIsAskedFor(t *testing.T) {
	for _, test := range []struct {
		name, want string
		configure  func(*config.Config)
	}{
		{"optional", "the choir", asksReason("optional")},
		{"off", "", asksReason("off")},
		{"nobody decides", "", func(cfg *config.Config) { cfg.Approval.Reason = "required" }},
	} {
		t.Run(test.name, func(t *testing.T) {
			srv := apitest.New(t, test.configure)
			srv.Anyone().Do(t, "POST", registerPath, registration("bob")) // without one
			srv.Anyone().Do(t, "POST", registerPath, with(registration("carol"), object{accounts.ReasonParam: "the choir"}))
			if bob, carol := reasonOf(t, srv, "bob"), reasonOf(t, srv, "carol"); bob != "" || carol != test.want {
				t.Errorf("got %q and %q, want %q", bob, carol, test.want)
			}
		})
	}
}
