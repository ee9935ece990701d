package adminpages_test

import (
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/mail"
)

func TestOverview(t *testing.T) {
	srv, root := begin(t)
	root.Get(t, "/admin").Shows(t, 200, "Nobody waits for your approval.", "Mails leave as they should.", "Narthex", "SQL",
		"1 in the last 30 days; the most on one day were 1", "Sign-ins as a table", "Rate limits are off")
	srv.Advance(-3 * 24 * time.Hour)
	srv.User(t, "alice")
	srv.Device(t, "@alice:narthex.test", "TABLET")
	srv.Advance(-30 * 24 * time.Hour)
	srv.User(t, "long-ago")
	srv.Advance(33 * 24 * time.Hour)
	pend(t, srv, "waiting")
	write(t, srv, func(tx *db.Tx) error {
		mails := mail.New(mail.Deps{DB: srv.App.DB, Config: srv.App.Config})
		_, err := mails.Queue(tx, mail.Message{To: "a@example.org", Template: mail.Approved, Data: mail.Account{UserID: "@a:narthex.test"}})
		return err
	})
	root.Get(t, "/admin").Shows(t, 200, "Waiting accounts 1 Decide", "Mails leave as they should.",
		"3 in the last 30 days; the most on one day were 2", "Without guests.")
	srv.Advance(16 * time.Minute)
	root.Get(t, "/admin").Shows(t, 200, "The mail server has not taken them.", "Mails that are stuck 1")
}

// TestAdministratorsFindTheWay holds that the page of the account leads here, for
// administrators alone.
func TestAdministratorsFindTheWay(t *testing.T) {
	srv, root := begin(t)
	srv.User(t, "alice")
	root.Get(t, "/account").Shows(t, 200, "Administration")
	apitest.Surf(t, srv).SignIn(t, "alice").Get(t, "/account").Shows(t, 200).Without(t, "/admin")
}
