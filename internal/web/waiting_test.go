package web_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// TestA19_A41_TheWaitingPage holds that who waits is shown since when, why, and how
// they will hear of it; and that after a refusal the password is as good as unknown.
func TestA19_A41_TheWaitingPage(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.Reason = true, true, "optional"
	})
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "reason": {"I sing in the <choir>"}}
	s.Post(t, "/register", form).Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "has been made", "This server sends no notice", "Waiting since", "just now", "I sing in the <choir>")

	carol := accountsID(t, "carol")
	srv.Write(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ('email', 'carol@example.org', $1, 1, 1)`, carol)
		return err
	})
	srv.Advance(24 * time.Hour)
	again := apitest.Surf(t, srv)
	again.Get(t, "/login")
	again.Post(t, "/login", url.Values{"username": {"carol"}, "password": {"three short words"}}).Goes(t, "/account")
	again.Get(t, "/account").Shows(t, 200, "is not approved yet", "yesterday", "You get a mail at carol@example.org").Without(t, "This server sends no notice")

	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Deny(tx, carol, "test", "", false) })
	again.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	again.Get(t, "/login")
	again.Post(t, "/login", url.Values{"username": {"carol"}, "password": {"three short words"}}).Shows(t, 403, wrongText).Without(t, "approv")
}
