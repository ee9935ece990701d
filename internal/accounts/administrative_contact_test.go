package accounts_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestTP69_Addresses(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	own(t, srv, alice.UserID, "msisdn", "447700900123")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	if got, want := addresses(t, alice), `{"threepids":[`+
		`{"medium":"email","address":"alice@example.org","validated_at":1000,"added_at":2000},`+
		`{"medium":"msisdn","address":"447700900123","validated_at":1000,"added_at":2000}]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := addresses(t, bob), `{"threepids":[]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	srv.Suspend(t, bob)
	bob.Do(t, "GET", addressesPath, nil).OK(t, nil)
	srv.Guest(t, "guest").Do(t, "GET", addressesPath, nil).Fails(t, srv, errcode.GuestAccessForbidden)
	srv.Anyone().Do(t, "GET", addressesPath, nil).Fails(t, srv, errcode.MissingToken)
}

func TestTP71_Add(t *testing.T) {
	srv, mails := withMail(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	password := byPassword("alice", apitest.Password, "")

	r := request(t, alice, addEmailPath, emailWish("Alice@Example.org"))
	alice.Do(t, "POST", addPath, with(creds(r.SID), object{"auth": password})).Fails(t, srv, errcode.ThreepidAuthFailed)
	token := tokenIn(t, srv, mails.Last(t, "alice@example.org"))
	alice.Do(t, "POST", r.path(t), with(creds(r.SID), object{"token": token})).OK(t, nil)
	if got := addresses(t, alice); got != `{"threepids":[]}` {
		t.Errorf("validated, but not added: got %s", got)
	}
	c := challenged(t, srv, alice.Do(t, "POST", addPath, creds(r.SID)))
	challenged(t, srv, alice.Do(t, "POST", addPath, with(creds(r.SID), object{"auth": byPassword("alice", "wrong", c.Session)})))
	bob.Do(t, "POST", addPath, with(creds(r.SID), object{"auth": byPassword("bob", apitest.Password, "")})).Fails(t, srv, errcode.ThreepidAuthFailed)
	srv.Advance(time.Minute)
	alice.Do(t, "POST", addPath, with(creds(r.SID), object{"auth": byPassword("alice", apitest.Password, c.Session)})).OK(t, nil)
	if got := addresses(t, alice); !strings.Contains(got, `"medium":"email","address":"alice@example.org","validated_at":`) {
		t.Errorf("got %s", got)
	}
	// Once more, as after a lost answer.
	alice.Do(t, "POST", addPath, with(creds(r.SID), object{"auth": password})).OK(t, nil)
	alice.Do(t, "POST", deletePath, object{"medium": "email", "address": "alice@example.org"}).OK(t, nil)
	alice.Do(t, "POST", addPath, with(creds(r.SID), object{"auth": password})).Fails(t, srv, errcode.ThreepidAuthFailed) // TP-31: used up

	post := func(name string, as *apitest.Client, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: as, Do: "POST", Path: addPath, Body: body, Want: want}
	}
	forRegistration := validate(t, srv, mails, registerEmailPath, "carol@example.org")
	apitest.Run(t, []apitest.Case{
		post("TP-28 a validation for registering", alice, with(creds(forRegistration), object{"auth": password}), errcode.ThreepidAuthFailed),
		post("an unknown session", alice, with(creds("unknown"), object{"auth": password}), errcode.ThreepidAuthFailed),
		post("a wrong secret", alice, object{"sid": forRegistration, "client_secret": "other"}, errcode.ThreepidAuthFailed),
		post("no session", alice, object{"client_secret": clientSecret}, errcode.MissingParam),
		post("no secret", alice, object{"sid": "x"}, errcode.MissingParam),
		post("a session that is no string", alice, object{"sid": 1, "client_secret": clientSecret}, errcode.BadJSON),
		post("without a token", srv.Anyone(), creds("x"), errcode.MissingToken),
	})
}

// TestTP71_AddTwice holds that of two accounts that have validated an address only
// the first gets it.
func TestTP71_AddTwice(t *testing.T) {
	srv, mails := withMail(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	wish := func(as *apitest.Client, secret string) object {
		r := request(t, as, addEmailPath, with(emailWish("shared@example.org"), object{"client_secret": secret}))
		session := object{"sid": r.SID, "client_secret": secret}
		as.Do(t, "POST", r.path(t), with(session, object{"token": tokenIn(t, srv, mails.Last(t, "shared@example.org"))})).OK(t, nil)
		return session
	}
	first, second, again := wish(alice, "one"), wish(bob, "two"), wish(alice, "three")
	alice.Do(t, "POST", addPath, with(first, object{"auth": byPassword("alice", apitest.Password, "")})).OK(t, nil)
	bob.Do(t, "POST", addPath, with(second, object{"auth": byPassword("bob", apitest.Password, "")})).Fails(t, srv, errcode.ThreepidInUse)
	bob.Do(t, "POST", addressesPath, object{"three_pid_creds": second, "auth": byPassword("bob", apitest.Password, "")}).Fails(t, srv, errcode.ThreepidInUse)
	alice.Do(t, "POST", addPath, with(again, object{"auth": byPassword("alice", apitest.Password, "")})).OK(t, nil) // their own already
	if got := addresses(t, alice); strings.Count(got, "shared@example.org") != 1 {
		t.Errorf("got %s", got)
	}
}

func TestTP70_AddByTheOlderEndpoint(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	password := byPassword("alice", apitest.Password, "")
	sid := validate(t, srv, mails, addEmailPath, "alice@example.org")
	post := func(name string, body any, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: alice, Do: "POST", Path: addressesPath, Body: body, Want: want}
	}
	apitest.Run(t, []apitest.Case{
		post("not without authentication", object{"three_pid_creds": creds(sid)}, errcode.InteractiveAuth),
		post("works", object{"three_pid_creds": with(creds(sid), object{"id_server": "narthex.test"}), "auth": password}, nil),
		post("again, as older clients spell it", object{"threePidCreds": creds(sid), "auth": password}, nil),
		post("not verifiable", object{"three_pid_creds": creds("unknown"), "auth": password}, errcode.ThreepidAuthRefused),
		post("no credentials", object{"auth": password}, errcode.MissingParam),
		post("no secret", object{"three_pid_creds": object{"sid": sid}}, errcode.MissingParam),
		post("credentials that are no object", object{"three_pid_creds": sid}, errcode.BadJSON),
	})
	if got := addresses(t, alice); strings.Count(got, "alice@example.org") != 1 {
		t.Errorf("got %s", got)
	}
}

// TestTP71_Policies holds that an address which is not allowed any more is not added.
func TestTP71_Policies(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	sid := validate(t, srv, mails, addEmailPath, "alice@example.org")
	stricter := apitest.Over(t, srv.App.Config.Database, mails.Configure, func(cfg *config.Config) { cfg.Threepid.AllowedAddresses = []string{"*@elsewhere.test"} })
	closed := apitest.Over(t, srv.App.Config.Database, mails.Configure, func(cfg *config.Config) { cfg.Threepid.AllowChanges = false })
	at := func(s *apitest.Server) *apitest.Client { return &apitest.Client{Server: s, Token: alice.Token} }
	body := with(creds(sid), object{"auth": byPassword("alice", apitest.Password, "")})
	older := object{"three_pid_creds": creds(sid), "auth": byPassword("alice", apitest.Password, "")}

	at(stricter).Do(t, "POST", addPath, body).Fails(t, stricter, errcode.ThreepidDenied)
	at(stricter).Do(t, "POST", addressesPath, older).Fails(t, stricter, errcode.ThreepidDenied)
	at(closed).Do(t, "POST", addPath, body).Fails(t, closed, errcode.Forbidden)
	at(closed).Do(t, "POST", addressesPath, older).Fails(t, closed, errcode.Forbidden)
	at(closed).Do(t, "POST", deletePath, object{"medium": "email", "address": "alice@example.org"}).Fails(t, closed, errcode.Forbidden)
	alice.Do(t, "POST", addPath, body).OK(t, nil)
}

// TestOA35_SessionsOfOAuthChangeNoAddresses holds that a session of OAuth 2.0, which
// cannot authenticate interactively, neither adds nor removes addresses.
func TestOA35_SessionsOfOAuthChangeNoAddresses(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	phone := srv.OAuthDevice(t, alice.UserID, "PHONE_OF_ALICE")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	sid := validate(t, srv, mails, addEmailPath, "other@example.org")
	auth := byPassword("alice", apitest.Password, "")
	apitest.Run(t, []apitest.Case{
		{Name: "add", As: phone, Do: "POST", Path: addPath, Body: with(creds(sid), object{"auth": auth}), Want: errcode.Forbidden},
		{Name: "add, older", As: phone, Do: "POST", Path: addressesPath, Body: object{"three_pid_creds": creds(sid), "auth": auth}, Want: errcode.Forbidden},
		{Name: "delete", As: phone, Do: "POST", Path: deletePath, Body: object{"medium": "email", "address": "alice@example.org"}, Want: errcode.Forbidden},
		{Name: "the list", As: phone, Do: "GET", Path: addressesPath, Has: []string{"alice@example.org"}, HasNot: []string{"other@example.org"}},
	})
}

func TestTP73_DeleteWhatWasNeverBound(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	own(t, srv, alice.UserID, "msisdn", "447700900123")
	own(t, srv, bob.UserID, "email", "bob@example.org")
	drop := func(name string, as *apitest.Client, medium, address any) apitest.Case {
		return apitest.Case{Name: name, As: as, Do: "POST", Path: deletePath, Body: object{"medium": medium, "address": address},
			Has: []string{`{"id_server_unbind_result":"no-support"}`}}
	}
	apitest.Run(t, []apitest.Case{
		drop("a mail address in another spelling", alice, "email", "ALICE@example.ORG"),
		drop("once more", alice, "email", "alice@example.org"),
		drop("a phone number", alice, "msisdn", "447700900123"),
		drop("somebody else's", alice, "email", "bob@example.org"),
		drop("what is no address", alice, "email", "nothing"),
		drop("an unknown medium", alice, "pigeon", "coo"),
		{Name: "no address", As: alice, Do: "POST", Path: deletePath, Body: object{"medium": "email"}, Want: errcode.MissingParam},
		{Name: "a medium that is no string", As: alice, Do: "POST", Path: deletePath, Body: object{"medium": 1, "address": "a"}, Want: errcode.BadJSON},
		{Name: "without a token", As: srv.Anyone(), Do: "POST", Path: deletePath, Body: object{}, Want: errcode.MissingToken},
	})
	if got := addresses(t, alice); got != `{"threepids":[]}` {
		t.Errorf("alice has %s", got)
	}
	if got := addresses(t, bob); !strings.Contains(got, "bob@example.org") {
		t.Errorf("bob has %s", got)
	}
}

func TestTP74_UnbindWhatWasNeverBound(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	body := object{"medium": "email", "address": "alice@example.org"}
	const none = `{"id_server_unbind_result":"no-support"}`
	apitest.Run(t, []apitest.Case{
		{Name: "nothing was bound", As: alice, Do: "POST", Path: unbindPath, Body: body, Has: []string{none}},
		{Name: "an identity server that is not trusted", As: alice, Do: "POST", Path: unbindPath, Body: with(body, object{"id_server": "id.example.org"}), Has: []string{none}},
		{Name: "what is no address", As: alice, Do: "POST", Path: unbindPath, Body: with(body, object{"address": "nothing"}), Has: []string{none}},
		{Name: "by nobody", As: srv.Anyone(), Do: "POST", Path: unbindPath, Body: body, Want: errcode.MissingToken},
		{Name: "no medium", As: alice, Do: "POST", Path: unbindPath, Body: object{"address": "alice@example.org"}, Want: errcode.MissingParam},
		{Name: "malformed", As: alice, Do: "POST", Path: unbindPath, Body: `{"medium":["email"],"address":"a"}`, Want: errcode.BadJSON},
	})
	if got := addresses(t, alice); !strings.Contains(got, "alice@example.org") {
		t.Errorf("alice has %s", got)
	}
}

// TestA41_AddressesGoWithTheAccount holds that a deactivated account has no address,
// so that somebody else can use it.
func TestA41_AddressesGoWithTheAccount(t *testing.T) {
	srv, _ := withMail(t, approvalRequired)
	alice, denied := srv.User(t, "alice"), pend(t, srv, "denied")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	own(t, srv, denied, "email", "denied@example.org")
	request(t, srv.Anyone(), resetEmailPath, emailWish("alice@example.org"))
	srv.Anyone().Do(t, "POST", registerEmailPath, emailWish("denied@example.org")).Fails(t, srv, errcode.ThreepidInUse)
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, alice.UserID, admin, false) })
	write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Deny(tx, denied, admin, "", false) })
	srv.Anyone().Do(t, "POST", resetEmailPath, emailWish("alice@example.org")).Fails(t, srv, errcode.ThreepidNotFound) // TP-78
	request(t, srv.Anyone(), registerEmailPath, emailWish("denied@example.org"))
	if n := count(t, srv, `SELECT COUNT(*) FROM user_threepids`); n != 0 {
		t.Errorf("%d addresses are left", n)
	}
}
