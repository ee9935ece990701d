package web_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// TestA19ReasonForJoining holds that the page asks why somebody wants to join.
func TestA19ReasonForJoining(t *testing.T) {
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}}
	approval := func(reason string) func(*config.Config) {
		return func(cfg *config.Config) {
			cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.Reason = true, true, reason
		}
	}
	reason := func(t *testing.T, srv *apitest.Server) (got string) {
		t.Helper()
		err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
			a, err := srv.App.Accounts.Find(tx, accountsID(t, "carol"))
			got = a.Signup.Reason
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	t.Run("required", func(t *testing.T) {
		srv := apitest.New(t, approval("required"))
		s := apitest.Surf(t, srv)
		s.Get(t, "/register").Shows(t, 200, "Why do you want to join?").Without(t, "(optional)")
		s.Post(t, "/register", form).Shows(t, 400, "Say why you want to join.")
		long := strings.Repeat("x", accounts.MaxReason+1)
		s.Post(t, "/register", with(form, "reason", long)).Shows(t, 400, "The reason may have at most 500 characters.", long)
		s.Post(t, "/register", with(form, "reason", "I sing\r\nin <b>the</b> choir")).Goes(t, "/account")
		if got := reason(t, srv); got != "I sing in <b>the</b> choir" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("optional", func(t *testing.T) {
		srv := apitest.New(t, approval("optional"))
		s := apitest.Surf(t, srv)
		s.Get(t, "/register").Shows(t, 200, "Why do you want to join?", "(optional)")
		s.Post(t, "/register", form).Goes(t, "/account")
	})
	t.Run("off", func(t *testing.T) {
		srv := apitest.New(t, approval("off"))
		s := apitest.Surf(t, srv)
		s.Get(t, "/register").Shows(t, 200, "Make an account").Without(t, "Why do you want to join?")
		s.Post(t, "/register", with(form, "reason", "not asked for")).Goes(t, "/account")
		if got := reason(t, srv); got != "" {
			t.Errorf("got %q", got)
		}
	})
}
