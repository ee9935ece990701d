package web_test

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// TestMailsAboutFactors holds that the owner of an account is told by mail of each
// change of what opens it, and nobody else is.
func TestMailsAboutFactors(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, withKey(t), byName, mails.Configure)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	own(t, srv, bob.UserID, "email", "bob@example.org")
	told, ahead := 0, time.Duration(0)
	wantMail := func(text string) {
		t.Helper()
		deliver(t, srv)
		ahead += time.Minute
		if n := len(mails.All()); n != told+1 {
			t.Fatalf("there are %d new mails", n-told)
		}
		told++
		mail := mails.Last(t, "alice@example.org")
		if !strings.Contains(strings.Join(strings.Fields(mail.Text), " "), text) {
			t.Errorf("the mail does not say %q:\n%s", text, mail.Text)
		}
		if link := mail.Link(t, srv); link != "/account/security" {
			t.Errorf("the mail leads to %s", link)
		}
	}
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	key := addSoftPasskey(t, srv, s, "Blue key")
	wantMail("A passkey was added.")
	s.Post(t, "/account/security/codes", url.Values{"secret": {"x"}}).Goes(t, "/account/security/codes") // changes nothing
	setUp := func() apitest.Seen {
		t.Helper()
		mine := secretOn(t, s.Get(t, "/account/security/codes"))
		mine.ahead = ahead
		return s.Post(t, "/account/security/codes", url.Values{"secret": {mine.secret}, "code": {mine.code(t)}})
	}
	setUp().Goes(t, "/account/security?done=codes")
	wantMail("One-time codes from an app were set up.")
	s.Get(t, "/account/security")
	recovery := recoveryCode.FindString(s.Post(t, "/account/security/recovery", nil).Shows(t, 200).Text)
	wantMail("New recovery codes were made. The old ones no longer work.")

	other := firstStep(t, srv)
	other.Post(t, "/login/second", url.Values{"code": {"aaaa-aaaa-aaaa-aaaa"}}).Shows(t, 403, refusedCode)
	other.Post(t, "/login/second", url.Values{"code": {recovery}}).Goes(t, "/account")
	wantMail("A recovery code was used to sign in.")
	s.Get(t, "/account/security")
	s.Post(t, "/account/security/codes", url.Values{"remove": {"yes"}}).Goes(t, "/account/security?done=no-code")
	wantMail("One-time codes were switched off.")
	s.Get(t, "/account/security")
	s.Post(t, "/account/security/passkey", url.Values{"id": {url64(key.id)}, "act": {"remove"}}).Goes(t, "/account/security?done=removed")
	wantMail("A passkey was removed.")

	setUp().Shows(t, 200, "Keep these recovery codes")
	wantMail("One-time codes from an app were set up.")
	srv.Write(t, func(tx *db.Tx) error {
		_, err := srv.App.Factors.Reset(tx, alice.UserID, "test")
		return err
	})
	wantMail("An administrator removed your passkeys, one-time codes and recovery codes.")
}

// TestPasskeyChallengeRunsOut holds that an answer is good for five minutes, once, in
// the browser that was asked, and for what it was asked.
func TestPasskeyChallengeRunsOut(t *testing.T) {
	srv := apitest.New(t, withKey(t), byName)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	key := addSoftPasskey(t, srv, s, "Blue key")

	begin := func() (*apitest.Surfer, url.Values) {
		t.Helper()
		b := apitest.Surf(t, srv)
		b.Get(t, "/login")
		return b, url.Values{"response": {key.signed(t, ceremonyOn(t, b.Post(t, "/login/passkey", nil)))}}
	}
	const refused = "This passkey was not accepted"
	late, form := begin()
	srv.Advance(6 * time.Minute)
	late.Post(t, "/login/passkey", form).Shows(t, 403, refused)
	swept, form := begin()
	srv.Advance(6 * time.Minute)
	srv.RunJobs(t)
	swept.Post(t, "/login/passkey", form).Shows(t, 403, refused)

	b, form := begin()
	thief := apitest.Surf(t, srv)
	thief.Get(t, "/login")
	thief.Post(t, "/login/passkey", form).Shows(t, 403, refused) // which uses it up
	b.Post(t, "/login/passkey", form).Shows(t, 403, refused)
	b, form = begin()
	srv.Advance(4 * time.Minute)
	b.Post(t, "/login/passkey", form).Goes(t, "/account")
	b.Get(t, "/account/security")
	b.Post(t, "/login/passkey", form).Shows(t, 403, refused)

	// What was asked for as a second step adds nothing, and confirms nothing.
	step := firstStep(t, srv)
	asked := ceremonyOn(t, step.Post(t, "/login/second/passkey", nil))
	b.Get(t, "/account/security")
	b.Post(t, "/confirm/passkey", url.Values{"response": {key.signed(t, asked)}}).Shows(t, 403, refused)
	step.Get(t, "/login/second")
	asked = ceremonyOn(t, step.Post(t, "/login/second/passkey", nil))
	srv.Advance(6 * time.Minute)
	step.Post(t, "/login/second/passkey", url.Values{"response": {key.signed(t, asked)}}).Shows(t, 403, refused)
	asked = ceremonyOn(t, step.Post(t, "/login/second/passkey", nil))
	step.Post(t, "/login/second/passkey", url.Values{"response": {key.signed(t, asked)}}).Goes(t, "/account")
	step.Get(t, "/account").Shows(t, 200, "Your account")

	// A new passkey, too late.
	step.Get(t, "/account/security")
	asked = ceremonyOn(t, step.Post(t, "/account/security/passkeys", nil))
	srv.Advance(6 * time.Minute)
	step.Post(t, "/account/security/passkeys", url.Values{"response": {newSoftPasskey(t, srv).made(t, asked)}}).Shows(t, 403, "The passkey was not added")
}

// TestOnePasskeyAnswerAtOnceIsGoodOnce sends one answer through two servers at the same
// time.
func TestOnePasskeyAnswerAtOnceIsGoodOnce(t *testing.T) {
	key := withKey(t)
	srv := apitest.New(t, key, byName)
	srv.User(t, "alice")
	passkey := addSoftPasskey(t, srv, apitest.Surf(t, srv).SignIn(t, "alice"), "Blue key")
	servers := []*apitest.Server{srv, srv}
	if source := srv.App.Config.DatabaseSource(); strings.HasPrefix(source, "postgres") {
		servers[1] = apitest.Over(t, source, key, func(cfg *config.Config) { cfg.PublicURL = srv.URL })
	}
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	asked := ceremonyOn(t, s.Post(t, "/login/passkey", nil))
	form := url.Values{"form_token": {s.Token}, "response": {passkey.signed(t, asked)}}.Encode()
	site, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	cookies := s.Client.Jar.Cookies(site)
	const tries = 6
	var all sync.WaitGroup
	statuses := make(chan int, tries)
	for i := range tries {
		all.Go(func() {
			status, err := postWithCookies(t, servers[i%2].URL+"/login/passkey", form, cookies)
			if err != nil {
				t.Error(err)
			}
			statuses <- status
		})
	}
	all.Wait()
	close(statuses)
	got := map[int]int{}
	for status := range statuses {
		got[status]++
	}
	if got[303] != 1 || got[403] != tries-1 {
		t.Errorf("the answers are %v", got)
	}
}

// TestConfirmByBoth holds that who has a password and a second factor confirms by both,
// each code once, and that neither alone is enough.
func TestConfirmByBoth(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	mine, recovery := setUpCodes(t, s)
	srv.Advance(16 * time.Minute)
	mine.ahead += 16 * time.Minute
	s.Get(t, "/account/security/codes").Goes(t, "/confirm?continue=%2Faccount%2Fsecurity%2Fcodes")
	s.Get(t, "/confirm").Shows(t, 200, "Your password", "The six digits that your app shows now, or one of your recovery codes")
	for _, code := range []string{mine.code(t), recovery[0]} {
		s.Post(t, "/confirm", url.Values{"code": {code}}).Shows(t, 403, "This is not your password.")
		s.Post(t, "/confirm", url.Values{"password": {code}}).Shows(t, 403, "This is not your password.")
		s.Post(t, "/confirm", url.Values{"password": {"wrong"}, "code": {code}}).Shows(t, 403, "This is not your password.")
	}
	for _, code := range []string{"", " ", "12345", "aaaa-aaaa-aaaa-aaaa"} {
		s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "code": {code}}).Shows(t, 403, refusedCode)
	}
	s.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "code": {mine.code(t), "x"}}).Shows(t, 400)
	s.Get(t, "/account/security/codes").Goes(t, "/confirm?continue=%2Faccount%2Fsecurity%2Fcodes")
	both := url.Values{"password": {apitest.Password}, "code": {mine.code(t)}, "continue": {"/account/security/codes"}}
	s.Get(t, "/confirm")
	s.Post(t, "/confirm", both).Goes(t, "/account/security/codes")
	s.Get(t, "/account/security/codes").Shows(t, 200, "Scan this with the app")
	s.Get(t, "/confirm")
	s.Post(t, "/confirm", both).Shows(t, 403, refusedCode)
	both.Set("code", recovery[0])
	s.Post(t, "/confirm", both).Goes(t, "/account/security/codes")
	s.Get(t, "/confirm")
	s.Post(t, "/confirm", both).Shows(t, 403, refusedCode)
}

// factorRows is how much is kept about the factors of a user.
func factorRows(t testing.TB, srv *apitest.Server, userID id.UserID) (n int, flag bool) {
	t.Helper()
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		n, err = db.Value[int](tx, `SELECT (SELECT COUNT(*) FROM passkeys WHERE user_id = $1) + (SELECT COUNT(*) FROM passkey_users WHERE user_id = $1)
			+ (SELECT COUNT(*) FROM totp_secrets WHERE user_id = $1) + (SELECT COUNT(*) FROM recovery_codes WHERE user_id = $1)
			+ (SELECT COUNT(*) FROM sign_in_steps WHERE user_id = $1)`, userID)
		if err != nil {
			return err
		}
		a, err := srv.App.Accounts.Find(tx, userID)
		flag = a.SecondFactor
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n, flag
}

// TestFactorsGoWithTheAccount holds that a deactivated or refused account keeps no
// factors, that they open nothing before they are deleted, and that others keep theirs.
func TestFactorsGoWithTheAccount(t *testing.T) {
	srv := apitest.New(t, withKey(t), byName, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	alice := srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	key := addSoftPasskey(t, srv, s, "Blue key")
	mine := secretOn(t, s.Get(t, "/account/security/codes"))
	s.Post(t, "/account/security/codes", url.Values{"secret": {mine.secret}, "code": {mine.code(t)}}).Goes(t, "/account/security?done=codes")
	halfway := firstStep(t, srv)
	srv.User(t, "bob")
	addSoftPasskey(t, srv, apitest.Surf(t, srv).SignIn(t, "bob"), "Red key")
	waiting := accountsID(t, "carol")
	srv.User(t, "carol")
	setUpCodes(t, apitest.Surf(t, srv).SignIn(t, "carol"))
	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Unapprove(tx, waiting, "test", true) })
	if n, flag := factorRows(t, srv, alice.UserID); n != 14 || !flag { // one each, ten recovery codes, and a step
		t.Fatalf("alice has %d rows, %t", n, flag)
	}

	b := apitest.Surf(t, srv)
	b.Get(t, "/login")
	asked := ceremonyOn(t, b.Post(t, "/login/passkey", nil))
	s.Get(t, "/account/deactivate")
	srv.Write(t, func(tx *db.Tx) error {
		if err := srv.App.Accounts.Deny(tx, waiting, "test", "", false); err != nil {
			return err
		}
		return srv.App.Accounts.Deactivate(tx, alice.UserID, "test", false)
	})
	b.Post(t, "/login/passkey", url.Values{"response": {key.signed(t, asked)}}).Shows(t, 403, "This passkey was not accepted")
	halfway.Get(t, "/login/second").Goes(t, "/login?continue=%2Faccount")
	srv.RunJobs(t)
	for _, gone := range []id.UserID{alice.UserID, waiting} {
		if n, flag := factorRows(t, srv, gone); n != 0 || flag {
			t.Errorf("%s still has %d rows, %t", gone, n, flag)
		}
	}
	if n, flag := factorRows(t, srv, accountsID(t, "bob")); n != 12 || !flag {
		t.Errorf("bob has %d rows, %t", n, flag)
	}
	b.Get(t, "/login")
	asked = ceremonyOn(t, b.Post(t, "/login/passkey", nil))
	b.Post(t, "/login/passkey", url.Values{"response": {key.signed(t, asked)}}).Shows(t, 403, "This passkey was not accepted")
}
