package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

func TestAddAMailAddress(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, whole, mails.Configure, func(cfg *config.Config) { cfg.Threepid.AllowedAddresses = []string{"*@example.org"} })
	srv.User(t, "alice")
	own(t, srv, srv.User(t, "bob").UserID, "email", "bob@example.org")
	apitest.Surf(t, srv).Get(t, "/account/addresses").Goes(t, "/login?continue=%2Faccount%2Faddresses")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/account").Shows(t, 200, "Mail addresses and phone numbers")
	s.Get(t, "/account/addresses").Shows(t, 200, "Your account has none.", "Add a mail address")
	s.Post(t, "/account/addresses", nil).Shows(t, 400, "Enter a mail address.")
	s.Post(t, "/account/addresses", url.Values{"address": {"alice@"}}).Shows(t, 400, "The part of the mail address after the @ is not the name of a domain.")
	s.Post(t, "/account/addresses", url.Values{"address": {"bob@example.org"}}).Shows(t, 400, "This address belongs to an account already.")
	s.Post(t, "/account/addresses", url.Values{"address": {"alice@example.net"}}).Shows(t, 403, "This server does not allow this address. Use another one.")
	s.Post(t, "/account/addresses", url.Values{"address": {"alice@example.org"}, "form_token": {"x"}}).Shows(t, 403, "This form is out of date")
	mails.Refuse("refused@example.org")
	s.Post(t, "/account/addresses", url.Values{"address": {"refused@example.org"}}).Shows(t, 400, "The message to this address was refused on its way.")

	next, sid := begin(t, s, "/account/addresses", url.Values{"address": {"Alice@example.org"}})
	s.Get(t, next).Shows(t, 200, "A mail is on its way to alice@example.org.", "Your password")
	_, query := queryIn(t, srv, mails, "alice@example.org")
	form := url.Values{"sid": {sid}, "code_email": {query.Get("token")}, "password": {apitest.Password}}
	s.Post(t, "/account/addresses/code", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date")
	s.Post(t, "/account/addresses/code", with(form, "code_email", "wrong")).Shows(t, 400, wrongMail)
	s.Post(t, "/account/addresses/code", with(form, "code_email", "")).Shows(t, 400, "The link in the mail has not been opened yet.")
	s.Post(t, "/account/addresses/code", with(form, "sid", "unknown")).Shows(t, 200, goBack)
	other := apitest.Surf(t, srv).SignIn(t, "alice")
	other.Post(t, "/account/addresses/code", form).Shows(t, 200, goBack)
	s.Post(t, "/account/addresses/code", with(form, "password", "")).Shows(t, 403, "This is not your password.", "alice@example.org is confirmed.")
	s.Post(t, "/account/addresses/code", with(form, "code_email", "", "password", "wrong")).Shows(t, 403, "This is not your password.")
	s.Get(t, "/account/addresses").Shows(t, 200, "Your account has none.")
	s.Post(t, "/account/addresses/code", with(form, "code_email", "")).Goes(t, "/account/addresses?done=address")
	s.Get(t, "/account/addresses?done=address").Shows(t, 200, "The address is added.", "alice@example.org", "added just now")
	s.Post(t, "/account/addresses/code", form).Shows(t, 200, goBack) // sent twice
}

// TestAddAnAddressByItsLink opens the link of the mail in the same browser, where it
// leads on, and in one that is signed in as nobody.
func TestAddAnAddressByItsLink(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure)
	srv.User(t, "alice")
	srv.User(t, "bob")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	next, sid := begin(t, s, "/account/addresses", url.Values{"address": {"alice@example.org"}})
	link := mails.Last(t, "alice@example.org").Link(t, srv)
	opened := onPhone(t, srv).Get(t, link)
	if to := strings.TrimPrefix(opened.Location, srv.App.Config.PublicURL); opened.Status != 302 || to != next {
		t.Fatalf("the link leads by %d to %s, not to %s", opened.Status, opened.Location, next)
	}
	s.Get(t, next).Shows(t, 200, "Your address is confirmed")
	// Whoever signs in as somebody else in this browser cannot have it.
	s.Get(t, "/account")
	s.Post(t, "/logout", nil)
	s.SignIn(t, "bob")
	s.Get(t, next).Shows(t, 200, goBack)
	s.Post(t, "/account/addresses/code", url.Values{"sid": {sid}, "password": {apitest.Password}}).Shows(t, 200, goBack)
	s.Get(t, "/account")
	s.Post(t, "/logout", nil)
	s.SignIn(t, "alice")
	s.Post(t, "/account/addresses/code", url.Values{"sid": {sid}, "password": {apitest.Password}}).Goes(t, "/account/addresses?done=address")
}

func TestAddAPhoneNumber(t *testing.T) {
	phones := apitest.NewPhones(t)
	srv := apitest.New(t, phones.Configure, func(cfg *config.Config) {
		cfg.SMS.Countries, cfg.SMS.Limits.PerNumber = []string{"DE"}, 2
	})
	alice := srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	next, sid := begin(t, s, "/account/addresses", url.Values{"address": {"0151 23456789"}}) // there is one country
	s.Get(t, next).Shows(t, 200, dialled)
	first := phones.Code(t, number)
	form := url.Values{"sid": {sid}, "password": {apitest.Password}}
	s.Post(t, "/account/addresses/code", with(form, "again", "yes")).Goes(t, next) // not within half a minute
	srv.Advance(time.Minute)
	s.Post(t, "/account/addresses/code", with(form, "again", "yes")).Goes(t, next)
	srv.Advance(time.Minute)
	s.Post(t, "/account/addresses/code", with(form, "again", "yes")).Shows(t, 429)
	s.Post(t, "/account/addresses/code", with(form, "code_msisdn", wrongCode(first))).Shows(t, 400, wrongPhone)
	s.Post(t, "/account/addresses/code", with(form, "code_msisdn", first)).Goes(t, "/account/addresses?done=address")
	if got := string(alice.Do(t, "GET", "/_matrix/client/v3/account/3pid", nil).OK(t, nil).Body); !strings.Contains(got, `"address":"4915123456789"`) {
		t.Errorf("got %s", got)
	}
	out := apitest.Surf(t, srv)
	out.Get(t, "/login")
	out.Post(t, "/login", url.Values{"username": {"015123456789"}, "password": {apitest.Password}}).Goes(t, "/account")
}

func TestRemoveAnAddress(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure)
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	own(t, srv, srv.User(t, "bob").UserID, "email", "bob@example.org")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	form := url.Values{"medium": {"email"}, "address": {"alice@example.org"}}
	s.Post(t, "/account/addresses/remove", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date")
	s.Post(t, "/account/addresses/remove", form).Shows(t, 200, "Remove this mail address?", "alice@example.org")
	sure := with(form, "sure", "yes", "password", apitest.Password)
	s.Post(t, "/account/addresses/remove", with(sure, "password", "wrong")).Shows(t, 403, "This is not your password.")
	s.Post(t, "/account/addresses/remove", with(sure, "password", "")).Shows(t, 403, "This is not your password.")
	s.Get(t, "/account/addresses").Shows(t, 200, "alice@example.org")
	// Of somebody else, of no kind, and of no form: nothing is removed.
	for _, more := range [][]string{{"address", "bob@example.org"}, {"medium", "pigeon"}, {"address", "@"}} {
		s.Post(t, "/account/addresses/remove", with(sure, more...)).Goes(t, "/account/addresses?done=removed")
	}
	s.Get(t, "/account/addresses").Shows(t, 200, "alice@example.org")
	apitest.Surf(t, srv).SignIn(t, "bob").Get(t, "/account/addresses").Shows(t, 200, "bob@example.org")
	s.Post(t, "/account/addresses/remove", sure).Goes(t, "/account/addresses?done=removed")
	s.Get(t, "/account/addresses?done=removed").Shows(t, 200, "The address is removed.", "Your account has none.")
	s.Post(t, "/account/addresses/remove", sure).Goes(t, "/account/addresses?done=removed") // sent twice
}

func TestAddressesThatCannotBeChanged(t *testing.T) {
	mails := apitest.NewMailbox(t)
	const notHere = "This server does not let people change the addresses of their account. Ask its administrator."
	srv := apitest.New(t, mails.Configure, func(cfg *config.Config) { cfg.Threepid.AllowChanges = false })
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/account/addresses").Shows(t, 200, "alice@example.org", notHere).Without(t, `id="address"`, "Remove")
	s.Post(t, "/account/addresses", url.Values{"address": {"new@example.org"}}).Shows(t, 403, notHere)
	form := url.Values{"medium": {"email"}, "address": {"alice@example.org"}, "sure": {"yes"}, "password": {apitest.Password}}
	s.Post(t, "/account/addresses/remove", form).Shows(t, 403, notHere, "alice@example.org")

	t.Run("suspended", func(t *testing.T) {
		srv := apitest.New(t, mails.Configure)
		alice := srv.User(t, "alice")
		own(t, srv, alice.UserID, "email", "alice@example.org")
		srv.Suspend(t, alice)
		s := apitest.Surf(t, srv).SignIn(t, "alice")
		s.Get(t, "/account/addresses").Shows(t, 200, "alice@example.org", "Your account is suspended")
		s.Post(t, "/account/addresses", url.Values{"address": {"new@example.org"}}).Shows(t, 403, "Your account is suspended")
		s.Post(t, "/account/addresses/remove", form).Shows(t, 403, "Your account is suspended")
	})
	t.Run("nothing is sent", func(t *testing.T) {
		srv := apitest.New(t, whole)
		srv.User(t, "alice")
		s := apitest.Surf(t, srv).SignIn(t, "alice")
		s.Get(t, "/account/addresses").Shows(t, 200, "This server sends no mails and no text messages")
		s.Post(t, "/account/addresses", url.Values{"address": {"new@example.org"}}).Shows(t, 400, "so none can be added")
	})
}
