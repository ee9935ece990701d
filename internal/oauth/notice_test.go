package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
)

// TestOA43_ANewSignInIsToldByMail holds that the owner of the account hears of a
// client that has signed in, and that an account without an address signs in alike.
func TestOA43_ANewSignInIsToldByMail(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	write(t, srv, func(tx *db.Tx) error {
		for medium, address := range map[string]string{"email": "alice@example.org", "msisdn": "447700900123"} {
			if _, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, $4, $4)`,
				medium, address, alice.UserID, tx.Now.UnixMilli()); err != nil {
				return err
			}
		}
		return nil
	})
	clientID, _ := registered(t, srv, element())
	oauthSession(t, srv, alice, clientID, newDevice)
	oauthSession(t, srv, bob, clientID, newDevice)
	exchangeCode(t, srv, clientID, codeFor(t, srv, alice.UserID, authorization(clientID))).OK(t, nil)
	srv.Advance(time.Minute)
	srv.RunJobs(t)
	got := mails.Mails("alice@example.org")
	if len(got) != 2 {
		t.Fatalf("%d mails", len(got))
	}
	for _, part := range []string{"Element", string(alice.UserID), "127.0.0.1", srv.URL + "/account"} {
		if !strings.Contains(got[0].Text, part) {
			t.Errorf("the mail does not say %q: %s", part, got[0].Text)
		}
	}
}
