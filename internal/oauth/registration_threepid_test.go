package oauth_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const clientSecret = "registering"

// needs makes a registration need addresses of these media.
func needs(media ...string) func(*config.Config) {
	return func(cfg *config.Config) { cfg.Registration.RequiredThreepids = media }
}

// showMail validates a mail address to register with, and gives the stage of it.
func showMail(t *testing.T, srv *apitest.Server, mails *apitest.Mailbox, address string) object {
	t.Helper()
	var r struct {
		SID string `json:"sid"`
	}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register/email/requestToken",
		object{"client_secret": clientSecret, "email": address, "send_attempt": 1}).OK(t, &r)
	srv.Anyone().Do(t, "GET", mails.Last(t, address).Link(t, srv), nil).OK(t, nil)
	return object{"type": "m.login.email.identity", "threepid_creds": object{"sid": r.SID, "client_secret": clientSecret}}
}

func addressesOf(t *testing.T, srv *apitest.Server, token string) string {
	t.Helper()
	return string(as(srv, token).Do(t, "GET", "/_matrix/client/v3/account/3pid", nil).OK(t, nil).Body)
}

func TestTP68_RegisterWithAMailAddress(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"))
	body := object{"username": "alice", "password": apitest.Password}
	c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
	if len(c.Flows) != 1 || !slices.Equal(c.Flows[0].Stages, []string{"m.login.email.identity"}) {
		t.Fatalf("got %+v", c)
	}
	for _, auth := range []object{{"type": "m.login.dummy"}, {"type": "m.login.email.identity"}, {}} {
		challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, with(body, object{"auth": with(auth, object{"session": c.Session})})))
	}
	stage := with(showMail(t, srv, mails, "alice@example.org"), object{"session": c.Session})
	final := with(body, object{"auth": stage})
	s := register(t, srv, final)
	if got := addressesOf(t, srv, s.AccessToken); !strings.Contains(got, `"address":"alice@example.org"`) {
		t.Errorf("the account has %s", got)
	}
	if again := register(t, srv, final); again.UserID != s.UserID { // as after a lost answer
		t.Errorf("again: got %+v", again)
	}
	login(t, srv, mailLogin("alice@example.org", apitest.Password)).OK(t, nil)

	// TP-31: used up.
	delete(stage, "session")
	second := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, with(body, object{"username": "bob", "auth": stage})))
	if second.Errcode != "M_THREEPID_AUTH_FAILED" {
		t.Errorf("got %+v", second)
	}
	if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 1 {
		t.Errorf("got %d accounts, want 1", n)
	}
}

func TestTP68_TakenAndDenied(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"))
	body := object{"username": "alice", "password": apitest.Password, "auth": showMail(t, srv, mails, "alice@example.org")}
	stricter := apitest.Over(t, srv.App.Config.Database, mails.Configure, needs("email"), func(cfg *config.Config) {
		cfg.Threepid.AllowedAddresses = []string{"*@elsewhere.test"}
	})
	stricter.Anyone().Do(t, "POST", registerPath, body).Fails(t, stricter, errcode.ThreepidDenied)
	own(t, srv, srv.User(t, "bob").UserID, "email", "alice@example.org")
	srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.ThreepidInUse)
	if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 1 {
		t.Errorf("got %d accounts, want 1", n)
	}
}

// TestTP31_OneAccountForOneValidationAtOnce holds that of two registrations at once with
// one validation only one makes an account.
func TestTP31_OneAccountForOneValidationAtOnce(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"))
	stage := showMail(t, srv, mails, "alice@example.org")
	atOnce(t, 5, func(i int) (*apitest.Response, error) {
		body := object{"username": "user" + string(rune('a'+i)), "password": apitest.Password, "auth": stage}
		return srv.Anyone().Try(t.Context(), "POST", registerPath, body)
	})
	if n := rows(t, srv, `SELECT COUNT(*) FROM users`); n != 1 {
		t.Errorf("got %d accounts, want 1", n)
	}
}

func TestTP50_68_RegisterWithBoth(t *testing.T) {
	mails, phones := apitest.NewMailbox(t), apitest.NewPhones(t)
	srv := apitest.New(t, mails.Configure, phones.Configure, needs("msisdn", "email"))
	body := object{"username": "alice", "password": apitest.Password}
	c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
	if len(c.Flows) != 1 || !slices.Equal(c.Flows[0].Stages, []string{"m.login.msisdn", "m.login.email.identity"}) {
		t.Fatalf("got %+v", c)
	}
	var r struct {
		SID       string `json:"sid"`
		SubmitURL string `json:"submit_url"`
	}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register/msisdn/requestToken",
		object{"client_secret": clientSecret, "country": "DE", "phone_number": "0151 23456789", "send_attempt": 1}).OK(t, &r)
	submit, err := url.Parse(r.SubmitURL)
	if err != nil {
		t.Fatal(err)
	}
	code := object{"sid": r.SID, "client_secret": clientSecret, "token": phones.Code(t, "+4915123456789")}
	srv.Anyone().Do(t, "POST", submit.Path, code).OK(t, nil)
	stage := object{"type": "m.login.msisdn", "session": c.Session, "threepid_creds": object{"sid": r.SID, "client_secret": clientSecret}}
	next := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, with(body, object{"auth": stage})))
	if !slices.Equal(next.Completed, []string{"m.login.msisdn"}) {
		t.Fatalf("got %+v", next)
	}
	s := register(t, srv, with(body, object{"auth": with(showMail(t, srv, mails, "alice@example.org"), object{"session": c.Session})}))
	if got := addressesOf(t, srv, s.AccessToken); !strings.Contains(got, "4915123456789") || !strings.Contains(got, "alice@example.org") {
		t.Errorf("the account has %s", got)
	}
}

// TestA12_AddressOfAPendingAccount holds that the address of an account that waits
// for approval is in use.
func TestA12_AddressOfAPendingAccount(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"), approvalRequired)
	body := object{"username": "alice", "password": apitest.Password, "auth": showMail(t, srv, mails, "alice@example.org")}
	srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
	wish := object{"client_secret": "another", "email": "alice@example.org", "send_attempt": 1}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/register/email/requestToken", wish).Fails(t, srv, errcode.ThreepidInUse)
	login(t, srv, mailLogin("alice@example.org", apitest.Password)).Fails(t, srv, errcode.UserAwaitingApproval)
}

// TestA4_A37_A40_NoticeOfApproval holds that who gave a mail address is told that they
// will hear of the approval there, and then does, once; and that nobody waits for the mail.
func TestA4_A37_A40_NoticeOfApproval(t *testing.T) {
	mails := apitest.NewMailbox(t)
	silent := func(cfg *config.Config) { cfg.Approval.NotifyEmail = false }
	srv := apitest.New(t, mails.Configure, needs("email"), approvalRequired)
	body := object{"username": "alice", "password": apitest.Password, "auth": showMail(t, srv, mails, "alice@example.org")}
	r := srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
	byMail, none := `"approval_notice_medium":"org.matrix.msc3866.email"`, `"approval_notice_medium":"org.matrix.msc3866.none"`
	if !strings.Contains(string(r.Body), byMail) {
		t.Errorf("registration: got %s", r.Body)
	}
	if r := login(t, srv, passwordLogin("alice", apitest.Password)); !strings.Contains(string(r.Body), byMail) {
		t.Errorf("login: got %s", r.Body)
	}
	quiet := apitest.Over(t, srv.App.Config.Database, mails.Configure, needs("email"), approvalRequired, silent)
	if r := login(t, quiet, passwordLogin("alice", apitest.Password)); !strings.Contains(string(r.Body), none) {
		t.Errorf("login, where no mails are sent: got %s", r.Body)
	}
	before := len(mails.Mails("alice@example.org"))
	for range 2 { // no second mail
		write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.Approve(tx, userID("alice"), "@root:narthex.test", "") })
	}
	login(t, srv, passwordLogin("alice", apitest.Password)).OK(t, nil) // whether or not the mail has gone
	for range 3 {
		srv.Advance(time.Minute)
		srv.RunJobs(t)
	}
	sent := mails.Mails("alice@example.org")[before:]
	sent = slices.DeleteFunc(sent, func(m apitest.Mail) bool { return strings.HasPrefix(m.Subject, "New sign-in") })
	if len(sent) != 1 || sent[0].Subject != "Your account on narthex.test is ready" || !strings.Contains(sent[0].Text, "@alice:narthex.test") {
		t.Errorf("got %+v", sent)
	}
}

// TestOptionalAddresses holds that a client may give the addresses that a registration
// asks for, and may leave them out.
func TestOptionalAddresses(t *testing.T) {
	mails := apitest.NewMailbox(t)
	optional := func(media ...string) func(*config.Config) {
		return func(cfg *config.Config) { cfg.Registration.OptionalThreepids = media }
	}
	flowsOf := func(c challenge) (flows []string) {
		for _, f := range c.Flows {
			flows = append(flows, strings.Join(f.Stages, " "))
		}
		return flows
	}
	srv := apitest.New(t, mails.Configure, optional("email"))
	body := object{"username": "alice", "password": apitest.Password}
	c := challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, body))
	if got, want := flowsOf(c), []string{"m.login.dummy", "m.login.email.identity m.login.dummy"}; !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	stage := with(showMail(t, srv, mails, "alice@example.org"), object{"session": c.Session})
	c = challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, with(body, object{"auth": stage})))
	if !slices.Equal(c.Completed, []string{"m.login.email.identity"}) {
		t.Errorf("got %+v", c)
	}
	last := object{"type": "m.login.dummy", "session": c.Session}
	s := register(t, srv, with(body, object{"auth": last}))
	if got := addressesOf(t, srv, s.AccessToken); !strings.Contains(got, `"address":"alice@example.org"`) {
		t.Errorf("the account has %s", got)
	}
	bob := register(t, srv, object{"username": "bob", "password": apitest.Password, "auth": object{"type": "m.login.dummy"}})
	if got := addressesOf(t, srv, bob.AccessToken); got != `{"threepids":[]}` {
		t.Errorf("the account has %s", got)
	}
	// An address that is not confirmed is not left out by itself.
	wrong := object{"type": "m.login.email.identity", "threepid_creds": object{"sid": "unknown", "client_secret": clientSecret}}
	c = challenged(t, srv, srv.Anyone().Do(t, "POST", registerPath, with(body, object{"username": "carol", "auth": wrong})))
	if c.Errcode != "M_THREEPID_AUTH_FAILED" || len(c.Completed) > 0 {
		t.Errorf("got %+v", c)
	}

	both := apitest.New(t, mails.Configure, optional("msisdn"), needs("email"), func(cfg *config.Config) { cfg.Registration.RequireToken = true })
	c = challenged(t, both, both.Anyone().Do(t, "POST", registerPath, body))
	if got, want := flowsOf(c), []string{
		"m.login.registration_token m.login.email.identity m.login.dummy",
		"m.login.registration_token m.login.email.identity m.login.msisdn m.login.dummy",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	all := apitest.New(t, mails.Configure, optional("email", "msisdn"))
	c = challenged(t, all, all.Anyone().Do(t, "POST", registerPath, body))
	if got, want := flowsOf(c), []string{
		"m.login.dummy", "m.login.email.identity m.login.dummy", "m.login.msisdn m.login.dummy", "m.login.email.identity m.login.msisdn m.login.dummy",
	}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
