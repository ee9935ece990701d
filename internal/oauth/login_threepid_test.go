package oauth_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// own gives an account an address, as if it had been added a long time ago.
func own(t *testing.T, srv *apitest.Server, user id.UserID, medium, address string) {
	t.Helper()
	write(t, srv, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, 1000, 2000)`, medium, address, user)
		return err
	})
}

func mailLogin(address, password string) object {
	return object{"type": "m.login.password", "identifier": object{"type": "m.id.thirdparty", "medium": "email", "address": address}, "password": password}
}

func TestTP79_LoginByAddress(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	own(t, srv, alice.UserID, "email", "alice@xn--bcher-kva.example")
	own(t, srv, alice.UserID, "msisdn", "447700900123")
	by := func(identifier object) object {
		return object{"type": "m.login.password", "identifier": identifier, "password": apitest.Password}
	}
	ok := func(name string, body any) apitest.Case {
		return apitest.Case{Name: name, As: srv.Anyone(), Do: "POST", Path: loginPath, Body: body, Has: []string{`"user_id":"@alice:narthex.test"`, `"access_token":"nxt_a_`}}
	}
	fails := func(name string, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: srv.Anyone(), Do: "POST", Path: loginPath, Body: body, Want: want}
	}
	phone := func(country, number string) object {
		return by(object{"type": "m.id.phone", "country": country, "phone": number})
	}
	apitest.Run(t, []apitest.Case{
		ok("by mail", mailLogin("alice@example.org", apitest.Password)),
		ok("by mail, in another spelling", mailLogin(" ALICE@Example.Org", apitest.Password)),
		ok("by mail, with an umlaut in the domain", mailLogin("alice@Bücher.example", apitest.Password)),
		ok("by mail, without a type", by(object{"medium": "email", "address": "alice@example.org"})),
		ok("by mail, by the older members", object{"type": "m.login.password", "medium": "email", "address": "alice@example.org", "password": apitest.Password}),
		ok("by number", by(object{"type": "m.id.thirdparty", "medium": "msisdn", "address": "447700900123"})),
		ok("by number as dialled", phone("GB", "07700 900123")),
		ok("by international number", phone("DE", "+44 7700 900123")),

		fails("by mail, with a wrong password", mailLogin("alice@example.org", "wrong"), errcode.Forbidden),
		fails("by a mail address of nobody", mailLogin("bob@example.org", apitest.Password), errcode.Forbidden),
		fails("by what is no mail address", mailLogin("alice", apitest.Password), errcode.Forbidden),
		fails("by a number of nobody", phone("GB", "07700 900124"), errcode.Forbidden),
		fails("by a number of another country", phone("US", "07700 900123"), errcode.Forbidden),
		fails("by what is no number", phone("GB", "x"), errcode.Forbidden),
		fails("by a medium that is not known", by(object{"type": "m.id.thirdparty", "medium": "pigeon", "address": "coo"}), errcode.Forbidden),
		fails("by an address that is no string", by(object{"type": "m.id.thirdparty", "medium": "email", "address": 5}), errcode.BadJSON),
	})

	// Nothing tells an unknown address from a wrong password.
	unknown := login(t, srv, mailLogin("bob@example.org", apitest.Password))
	wrong := login(t, srv, mailLogin("alice@example.org", "wrong"))
	if string(unknown.Body) != string(wrong.Body) || unknown.Status != wrong.Status {
		t.Errorf("%s differs from %s", unknown.Body, wrong.Body)
	}
}

// TestTP79_GuessesCountForTheAccount holds that further names of an account give
// nobody further guesses at its password.
func TestTP79_GuessesCountForTheAccount(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	for i := range 10 {
		body := passwordLogin("alice", "wrong")
		if i%2 == 0 {
			body = mailLogin("Alice@example.org", "wrong")
		}
		login(t, srv, body).Fails(t, srv, errcode.Forbidden)
	}
	login(t, srv, mailLogin("alice@example.org", apitest.Password)).Fails(t, srv, errcode.LimitExceeded)
	login(t, srv, passwordLogin("alice", apitest.Password)).Fails(t, srv, errcode.LimitExceeded)
}

// TestA22_PendingByAnyIdentifier holds that a pending account is told so under each of
// its names, after the right password.
func TestA22_PendingByAnyIdentifier(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	hash, err := srv.App.Passwords.Hash(t.Context(), apitest.Password)
	if err != nil {
		t.Fatal(err)
	}
	no := false
	write(t, srv, func(tx *db.Tx) error {
		return srv.App.Accounts.Insert(tx, accounts.Account{UserID: userID("alice"), PasswordHash: hash, Approved: &no})
	})
	own(t, srv, userID("alice"), "email", "alice@example.org")
	own(t, srv, userID("alice"), "msisdn", "447700900123")
	phone := func(password string) object {
		return object{"type": "m.login.password", "identifier": object{"type": "m.id.phone", "country": "GB", "phone": "07700900123"}, "password": password}
	}
	for _, body := range []object{passwordLogin("alice", apitest.Password), mailLogin("alice@example.org", apitest.Password), phone(apitest.Password)} {
		login(t, srv, body).Fails(t, srv, errcode.UserAwaitingApproval)
	}
	for _, body := range []object{mailLogin("alice@example.org", "wrong"), phone("wrong"), mailLogin("bob@example.org", "wrong")} {
		login(t, srv, body).Fails(t, srv, errcode.Forbidden)
	}
	if d := devices(t, srv, userID("alice")); len(d) != 0 {
		t.Errorf("there are devices: %+v", d)
	}
}
