package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// needs makes a registration need addresses of these media.
func needs(media ...string) func(*config.Config) {
	return func(cfg *config.Config) { cfg.Registration.RequiredThreepids = media }
}

func carol(more ...string) url.Values {
	form := url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}, "email": {"Carol@example.org"}, "continue": {"/link"}}
	return with(form, more...)
}

func threepids(t testing.TB, srv *apitest.Server, localpart string) (addresses []string) {
	t.Helper()
	srv.Read(t, func(tx *db.Tx) error {
		rows, err := srv.App.Accounts.Threepids(tx, accountsID(t, localpart))
		for _, r := range rows {
			addresses = append(addresses, r.Address)
		}
		return err
	})
	return addresses
}

func TestRegisterWithAMailAddress(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"))
	own(t, srv, srv.User(t, "alice").UserID, "email", "alice@example.org")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login").Shows(t, 200, "No account yet?")
	s.Get(t, "/register/code").Shows(t, 200, goBack)
	s.Get(t, "/register").Shows(t, 200, "Mail address", "A mail is sent there to confirm it.").Without(t, "Phone number")
	s.Post(t, "/register", carol("email", " ")).Shows(t, 400, "An account here needs one.")
	s.Post(t, "/register", carol("email", "carol")).Shows(t, 400, "A mail address has an @")
	s.Post(t, "/register", carol("email", "alice@example.org")).Shows(t, 400, "This address belongs to an account already.")
	s.Post(t, "/register", carol("username", "alice")).Shows(t, 400, "This username is taken.")
	s.Post(t, "/register", carol("form_token", "x")).Shows(t, 403, "This form was out of date")
	if got := mails.Mails("carol@example.org"); len(got) > 0 {
		t.Errorf("mails were sent: %d", len(got))
	}

	s.Post(t, "/register", carol()).Goes(t, "/register/code")
	s.Get(t, "/register/code").Shows(t, 200, "A mail is on its way to carol@example.org.")
	s.Get(t, "/register").Goes(t, "/register/code") // the tab was closed, and opened again
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	_, query := queryIn(t, srv, mails, "carol@example.org")
	code := url.Values{"code_email": {query.Get("token")}}
	s.Get(t, "/register/code")
	s.Post(t, "/register/code", nil).Shows(t, 400, "The link in the mail has not been opened yet.")
	s.Post(t, "/register/code", url.Values{"code_email": {"wrong"}}).Shows(t, 400, wrongMail)
	s.Post(t, "/register/code", with(code, "form_token", "x")).Shows(t, 403, "This form is out of date")
	other := apitest.Surf(t, srv)
	other.Get(t, "/register")
	other.Post(t, "/register/code", code).Shows(t, 200, goBack)
	s.Post(t, "/register/code", code).Goes(t, "/link")
	s.Get(t, "/account").Shows(t, 200, "@carol:narthex.test")
	if got := threepids(t, srv, "carol"); len(got) != 1 || got[0] != "carol@example.org" {
		t.Errorf("the addresses are %q", got)
	}
	s.Post(t, "/register/code", code).Goes(t, "/account") // sent twice
	s.Get(t, "/account")
	s.Post(t, "/logout", nil)
	s.Get(t, "/register/code").Shows(t, 200, goBack)
	out := apitest.Surf(t, srv)
	out.Get(t, "/login")
	out.Post(t, "/login", url.Values{"username": {"carol@example.org"}, "password": {"three short words"}}).Goes(t, "/account")
}

// TestRegisterByALink opens the link of the mail on another device, and then in the
// same browser: it leads to the button that makes the account.
func TestRegisterByALink(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"))
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	s.Post(t, "/register", carol()).Goes(t, "/register/code")
	link := mails.Last(t, "carol@example.org").Link(t, srv)
	phone := onPhone(t, srv)
	opened := phone.Get(t, link)
	to := strings.TrimPrefix(opened.Location, srv.App.Config.PublicURL)
	if opened.Status != 302 || !strings.HasPrefix(to, "/register/code?sid=") {
		t.Fatalf("got %d to %s", opened.Status, opened.Location)
	}
	phone.Get(t, to).Shows(t, 200, goBack)
	s.Get(t, to).Shows(t, 200, "Your address is confirmed", "Make the account")
	s.Get(t, "/register?again=yes").Shows(t, 200, "Make an account") // what was typed is there
	s.Get(t, "/register/code")
	s.Post(t, "/register/code", nil).Goes(t, "/link")
}

// TestRegistrationThatCameTooLate holds that what is gone meanwhile is asked for again,
// and the confirmed address is not.
func TestRegistrationThatCameTooLate(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"))
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	s.Post(t, "/register", carol()).Goes(t, "/register/code")
	srv.User(t, "carol")
	onPhone(t, srv).Get(t, mails.Last(t, "carol@example.org").Link(t, srv))
	s.Get(t, "/register/code")
	s.Post(t, "/register/code", nil).Shows(t, 400, "This username is taken. Choose another one.")
	s.Post(t, "/register", carol("username", "caroline", "email", "carol@example.org")).Goes(t, "/register/code")
	if got := len(mails.Mails("carol@example.org")); got != 1 {
		t.Errorf("%d mails were sent", got)
	}
	own(t, srv, accountsID(t, "carol"), "email", "carol@example.org") // somebody was faster
	s.Get(t, "/register/code").Shows(t, 200, "Make the account")
	s.Post(t, "/register/code", nil).Shows(t, 400, "This address belongs to an account already.")
	s.Post(t, "/register", carol("username", "caroline", "email", "caroline@example.org")).Goes(t, "/register/code")
	srv.Advance(25 * time.Hour)
	srv.RunJobs(t)
	s.Get(t, "/register/code").Shows(t, 200, goBack)
	s.Get(t, "/register").Shows(t, 200, "Make an account")
}

func TestRegisterWithOptionalAddresses(t *testing.T) {
	mails, phones := apitest.NewMailbox(t), apitest.NewPhones(t)
	srv := apitest.New(t, mails.Configure, phones.Configure, func(cfg *config.Config) {
		cfg.Registration.OptionalThreepids = []string{"email", "msisdn"}
	})
	s := apitest.Surf(t, srv)
	s.Get(t, "/register").Shows(t, 200, "You may leave this empty. A mail is sent there", "Phone number")
	s.Post(t, "/register", carol("email", "")).Goes(t, "/link")
	if got := threepids(t, srv, "carol"); len(got) != 0 {
		t.Errorf("the addresses are %q", got)
	}

	both := apitest.Surf(t, srv)
	both.Get(t, "/register")
	both.Post(t, "/register", carol("username", "dave", "msisdn", "0151")).Shows(t, 400, "Without a country, the phone number has to begin with a +")
	both.Post(t, "/register", carol("username", "dave", "msisdn", number)).Goes(t, "/register/code")
	both.Get(t, "/register/code").Shows(t, 200, "carol@example.org", dialled)
	_, query := queryIn(t, srv, mails, "carol@example.org")
	code := url.Values{"code_email": {query.Get("token")}, "code_msisdn": {wrongCode(phones.Code(t, number))}}
	both.Post(t, "/register/code", code).Shows(t, 400, wrongPhone, "carol@example.org is confirmed.")
	srv.Advance(time.Minute)
	both.Post(t, "/register/code", url.Values{"again": {"yes"}}).Goes(t, "/register/code")
	both.Post(t, "/register/code", url.Values{"code_msisdn": {phones.Code(t, number)}}).Goes(t, "/link")
	if got := threepids(t, srv, "dave"); len(got) != 2 {
		t.Errorf("the addresses are %q", got)
	}
}

// TestA4_WaitingPageSaysWhoIsToldWhere is a registration with an address where an
// administrator decides.
func TestA4_WaitingPageSaysWhoIsToldWhere(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"), func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.NotifyEmail = true, true, true
	})
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	s.Post(t, "/register", carol("continue", "/account")).Goes(t, "/register/code")
	onPhone(t, srv).Get(t, mails.Last(t, "carol@example.org").Link(t, srv))
	s.Get(t, "/register/code")
	s.Post(t, "/register/code", nil).Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "Your account @carol:narthex.test has been made.", "carol@example.org").Without(t, "sends no notice")
}

func TestRegisterCodeWhereRegistrationIsClosed(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Registration.Enabled = false })
	s := apitest.Surf(t, srv)
	s.Get(t, "/register/code").Shows(t, 403, "This server does not allow registration.")
	s.Get(t, "/login")
	s.Post(t, "/register/code", nil).Shows(t, 403, "This server does not allow registration.")
}
