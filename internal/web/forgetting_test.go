package web_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	wrongMail  = "This is not the link or code that was sent. Look at the mail again: if there are several, take the newest."
	wrongPhone = "This is not the code that was sent. Look at the message again."
	tooLong    = "This is no longer valid, because it has been too long. Ask for a new message."
	tooOften   = "This is no longer valid, because too many wrong codes were typed. Ask for a new message."
	goBack     = "Go on where you began"
	fresh      = "four other short words"

	number  = "+4915123456789"
	dialled = "+49 1512 3456789"
)

// own gives an account an address, as if it had been added a long time ago.
func own(t testing.TB, srv *apitest.Server, user id.UserID, medium, address string) {
	t.Helper()
	srv.Write(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, 1000, 2000)`, medium, address, user)
		return err
	})
}

// whole is a server that is not for development: it sends messages only by what is
// configured.
func whole(cfg *config.Config) { cfg.Dev = false }

// deliver delivers the messages that no request waits for.
func deliver(t testing.TB, srv *apitest.Server) {
	t.Helper()
	srv.Advance(time.Minute)
	srv.RunJobs(t)
}

// wrongCode is a code that is not the right one.
func wrongCode(code string) string {
	if code == "000000" {
		return "000001"
	}
	return "000000"
}

// begin sends a form that begins a validation, and gives the page where it goes on.
func begin(t testing.TB, s *apitest.Surfer, path string, form url.Values) (next, sid string) {
	t.Helper()
	answer := s.Post(t, path, form)
	u, err := url.Parse(answer.Location)
	if answer.Status != 303 || err != nil || u.Path != path+"/code" || u.Query().Get("sid") == "" {
		t.Fatalf("got %d to %q:\n%s", answer.Status, answer.Location, answer.Text)
	}
	return answer.Location, u.Query().Get("sid")
}

// queryIn gives the path and the parameters of the link in the last mail.
func queryIn(t testing.TB, srv *apitest.Server, mails *apitest.Mailbox, address string) (path string, query url.Values) {
	t.Helper()
	u, err := url.Parse(mails.Last(t, address).Link(t, srv))
	if err != nil {
		t.Fatal(err)
	}
	return u.Path, u.Query()
}

// onPhone is another browser, which says that it is one.
func onPhone(t testing.TB, srv *apitest.Server) *apitest.Surfer {
	t.Helper()
	s := apitest.Surf(t, srv)
	s.Header.Set("Accept", "text/html")
	return s
}

func TestForgotPasswordByMail(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, whole, mails.Configure)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login").Shows(t, 200, "Username or mail address", "Forgot your password?")
	s.Get(t, "/forgot-password?continue=%2Faccount%2Fsessions").Shows(t, 200, "Choose a new password", "Your mail address").Without(t, "number")
	form := url.Values{"address": {" Alice@Example.ORG "}, "continue": {"/account/sessions"}}
	s.Post(t, "/forgot-password", with(form, "address", " ")).Shows(t, 400, "Enter your mail address.")
	s.Post(t, "/forgot-password", with(form, "address", "alice")).Shows(t, 400, "A mail address has an @, such as alice@example.org.")
	s.Post(t, "/forgot-password", with(form, "form_token", "x")).Shows(t, 403, "This form was out of date")
	next, sid := begin(t, s, "/forgot-password", form)
	if strings.Contains(next, "secret") || strings.Contains(next, "alice") {
		t.Errorf("the address tells too much: %s", next)
	}
	deliver(t, srv)
	s.Get(t, next).Shows(t, 200, "Look into your mails", "If alice@example.org belongs to an account here, a mail is on its way.")

	code := url.Values{"sid": {sid}, "continue": {"/account/sessions"}}
	s.Post(t, "/forgot-password/code", code).Shows(t, 400, "The link in the mail has not been opened yet.")
	s.Post(t, "/forgot-password/code", with(code, "code_email", "wrong")).Shows(t, 400, wrongMail)
	s.Post(t, "/forgot-password/code", with(code, "form_token", "x")).Shows(t, 403, "This form is out of date")
	s.Post(t, "/forgot-password/code", with(code, "sid", "")).Shows(t, 200, goBack)
	s.Post(t, "/forgot-password/new", with(code, "new_password", fresh, "password_again", fresh)).Goes(t, next)

	// In another browser nothing of it can be done, not even with the token.
	link, query := queryIn(t, srv, mails, "alice@example.org")
	other := onPhone(t, srv)
	other.Get(t, next).Shows(t, 200, goBack)
	other.Get(t, "/login")
	other.Post(t, "/forgot-password/code", with(code, "code_email", query.Get("token"))).Shows(t, 200, goBack)
	// But the link can be opened there.
	other.Get(t, link+"?"+query.Encode()).Shows(t, 200, "Choose a new password?")
	s.Get(t, next).Shows(t, 200, "Look into your mails")
	other.Post(t, link, query).Shows(t, 200, "Your address is confirmed", "Go back to where you began")
	other.Get(t, next).Shows(t, 200, goBack)

	s.Get(t, next).Shows(t, 200, "Choose a new password", "for your account @alice:narthex.test", "Sign out all my apps")
	form = with(code, "new_password", fresh, "password_again", fresh, "sign_out", "yes")
	s.Post(t, "/forgot-password/new", with(form, "new_password", "short", "password_again", "short")).Shows(t, 400, "The password needs at least 8 characters.")
	s.Post(t, "/forgot-password/new", with(form, "password_again", "x")).Shows(t, 400, "The two passwords are not the same.").Without(t, fresh)
	s.Post(t, "/forgot-password/new", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date")
	other.Get(t, "/login")
	other.Post(t, "/forgot-password/new", form).Shows(t, 200, goBack)
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil)
	done := "/login?continue=%2Faccount%2Fsessions&done=reset"
	s.Post(t, "/forgot-password/new", form).Goes(t, done)
	s.Get(t, done).Shows(t, 200, "Your password is changed. Sign in with the new one.")
	if r := alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil); r.Status != 401 {
		t.Errorf("the app is still signed in: %d", r.Status)
	}
	s.Post(t, "/forgot-password/new", form).Shows(t, 200, goBack) // sent twice
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {"alice@example.org"}, "password": {apitest.Password}}).Shows(t, 403, wrongText)
	s.Post(t, "/login", url.Values{"username": {" Alice@example.org"}, "password": {fresh}}).Goes(t, "/account")
}

func TestForgotPasswordByPhone(t *testing.T) {
	phones := apitest.NewPhones(t)
	srv := apitest.New(t, whole, phones.Configure)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "msisdn", number[1:])
	s := apitest.Surf(t, srv)
	s.Get(t, "/login").Shows(t, 200, "Username or phone number")
	s.Get(t, "/forgot-password").Shows(t, 200, "Your phone number")
	form := url.Values{"address": {dialled}}
	s.Post(t, "/forgot-password", with(form, "address", "0151 1")).Shows(t, 400, "Without a country, the phone number has to begin with a +")
	s.Post(t, "/forgot-password", with(form, "address", "+41 79 123 45 67")).Shows(t, 400, "This server sends no text messages to this kind of number, or to its country.")
	next, sid := begin(t, s, "/forgot-password", form)
	deliver(t, srv)
	s.Get(t, next).Shows(t, 200, "Look at your messages", dialled)
	right := phones.Code(t, number)
	code := url.Values{"sid": {sid}}
	s.Post(t, "/forgot-password/code", code).Shows(t, 400, "Enter the code from the message.")
	for range 5 {
		s.Post(t, "/forgot-password/code", with(code, "code_msisdn", wrongCode(right))).Shows(t, 400, wrongPhone)
	}
	s.Post(t, "/forgot-password/code", with(code, "code_msisdn", right)).Shows(t, 400, tooOften)
	srv.Advance(time.Minute)
	again := s.Post(t, "/forgot-password/code", with(code, "again", "yes"))
	if again.Status != 303 || again.Location == next {
		t.Fatalf("got %d to %s", again.Status, again.Location)
	}
	deliver(t, srv)
	u, err := url.Parse(again.Location)
	if err != nil {
		t.Fatal(err)
	}
	code.Set("sid", u.Query().Get("sid"))
	srv.Advance(16 * time.Minute)
	s.Post(t, "/forgot-password/code", with(code, "code_msisdn", phones.Code(t, number))).Shows(t, 400, tooLong)

	next, sid = begin(t, s, "/forgot-password", form)
	deliver(t, srv)
	right = phones.Code(t, number)
	code.Set("sid", sid)
	s.Post(t, "/forgot-password/code", with(code, "code_msisdn", right[:3]+" "+right[3:])).Goes(t, next)
	s.Get(t, next).Shows(t, 200, "for your account @alice:narthex.test")
	s.Post(t, "/forgot-password/new", with(code, "new_password", fresh, "password_again", fresh)).Goes(t, "/login?continue=%2Faccount&done=reset")
	alice.Do(t, "GET", "/_matrix/client/v3/account/whoami", nil).OK(t, nil) // not signed out, as it was not ticked
	s.Get(t, "/login")
	s.Post(t, "/login", url.Values{"username": {dialled}, "password": {fresh}}).Goes(t, "/account")
}

// TestForgetfulnessTellsNobody holds that the pages answer alike whoever has an
// address: an account, a closed account, or none (TP-64, TP-78).
func TestForgetfulnessTellsNobody(t *testing.T) {
	mails, phones := apitest.NewMailbox(t), apitest.NewPhones(t)
	srv := apitest.New(t, mails.Configure, phones.Configure)
	own(t, srv, srv.User(t, "alice").UserID, "msisdn", number[1:])
	bob := srv.User(t, "bob")
	own(t, srv, bob.UserID, "msisdn", "4915123456780")
	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, bob.UserID, "test", false) })

	walk := func(number string) (texts []string) {
		s := apitest.Surf(t, srv)
		s.Get(t, "/forgot-password")
		next, sid := begin(t, s, "/forgot-password", url.Values{"address": {number}})
		deliver(t, srv)
		texts = append(texts, s.Get(t, next).Text)
		for range 6 {
			wrong := s.Post(t, "/forgot-password/code", url.Values{"sid": {sid}, "code_msisdn": {"12345"}}) // never a code
			texts = append(texts, wrong.Text)
		}
		for i := range texts {
			texts[i] = strings.ReplaceAll(texts[i], "+49 1512 345678"+number[len(number)-1:], "NUMBER")
		}
		return texts
	}
	known := walk(number)
	for _, other := range []string{"+4915123456780", "+4915123456781"} {
		for i, text := range walk(other) {
			if text != known[i] {
				t.Errorf("page %d of %s is\n%s\nand not\n%s", i, other, text, known[i])
			}
		}
	}
	if !strings.Contains(known[5], wrongPhone) || !strings.Contains(known[6], tooOften) {
		t.Errorf("the pages are %q", known)
	}
	s := apitest.Surf(t, srv)
	s.Get(t, "/forgot-password")
	begin(t, s, "/forgot-password", url.Values{"address": {"nobody@example.org"}})
	deliver(t, srv)
	if got := mails.Mails("nobody@example.org"); len(got) > 0 {
		t.Errorf("a mail went to nobody: %+v", got)
	}
}

// TestA36_ResetWhileWaiting holds that the page gives an account that waits for
// approval another password, and nothing besides.
func TestA36_ResetWhileWaiting(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, func(cfg *config.Config) {
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	s := apitest.Surf(t, srv)
	s.Get(t, "/register")
	s.Post(t, "/register", url.Values{"username": {"carol"}, "password": {"three short words"}, "password_again": {"three short words"}}).Goes(t, "/account")
	own(t, srv, accountsID(t, "carol"), "email", "carol@example.org")
	srv.Advance(newFor)

	again := apitest.Surf(t, srv)
	again.Get(t, "/forgot-password")
	next, sid := begin(t, again, "/forgot-password", url.Values{"address": {"carol@example.org"}})
	deliver(t, srv)
	_, query := queryIn(t, srv, mails, "carol@example.org")
	form := url.Values{"sid": {sid}, "code_email": {" " + query.Get("token") + "\n"}}
	again.Post(t, "/forgot-password/code", form).Goes(t, next)
	again.Get(t, next).Shows(t, 200, "@carol:narthex.test").Without(t, "approv")
	again.Post(t, "/forgot-password/new", with(form, "new_password", fresh, "password_again", fresh, "sign_out", "yes")).
		Goes(t, "/login?continue=%2Faccount&done=reset")
	again.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	again.Get(t, "/login")
	again.Post(t, "/login", url.Values{"username": {"carol"}, "password": {fresh}}).Goes(t, "/account")
	again.Get(t, "/account").Shows(t, 200, "is not approved yet")
}

// TestForgotPasswordOfNobody holds that an account which is closed while somebody
// chooses a password gets none.
func TestForgotPasswordOfNobody(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "alice@example.org")
	s := apitest.Surf(t, srv)
	s.Get(t, "/forgot-password")
	next, sid := begin(t, s, "/forgot-password", url.Values{"address": {"alice@example.org"}})
	deliver(t, srv)
	_, query := queryIn(t, srv, mails, "alice@example.org")
	form := url.Values{"sid": {sid}, "code_email": {query.Get("token")}, "new_password": {fresh}, "password_again": {fresh}}
	s.Post(t, "/forgot-password/code", form).Goes(t, next)
	s.Get(t, next).Shows(t, 200, "@alice:narthex.test")
	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, alice.UserID, "test", false) })
	s.Post(t, "/forgot-password/new", form).Shows(t, 400, "No account of this server has this address any more.")
	s.Get(t, next).Shows(t, 400, "No account of this server has this address any more.")
}

func TestForgotPasswordWithoutMessages(t *testing.T) {
	srv := apitest.New(t, whole)
	s := apitest.Surf(t, srv)
	s.Get(t, "/login").Shows(t, 200, "Username").Without(t, "Forgot", "mail address")
	s.Get(t, "/forgot-password").Shows(t, 403, "This server sends no messages.")
	s.Get(t, "/login")
	s.Post(t, "/forgot-password", url.Values{"address": {"alice@example.org"}}).Shows(t, 403, "This server sends no messages.")
	s.Get(t, "/forgot-password/code?sid=x").Shows(t, 200, goBack)
}
