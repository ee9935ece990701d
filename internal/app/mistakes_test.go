package app_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// The tests named TestMistake replay mistakes with third-party ids that servers, on
// Matrix and elsewhere, have been known for. Each is named for the mistake.

type object = apitest.Object

const (
	v3        = "/_matrix/client/v3"
	is2       = "/_matrix/identity/v2"
	addPath   = v3 + "/account/3pid/add"
	resetPath = v3 + "/account/password"
	bindPath  = is2 + "/3pid/bind"

	forRegister = v3 + "/register/email/requestToken"
	forAdd      = v3 + "/account/3pid/email/requestToken"
	forPassword = v3 + "/account/password/email/requestToken"
	forIdentity = is2 + "/validate/email/requestToken"

	oneSecret = "the.same=secret_-1"
	fresh     = "a new password"
)

// town is a server with everything that third-party ids need.
type town struct {
	*apitest.Server
	mails  *apitest.Mailbox
	phones *apitest.Phones
}

func newTown(t *testing.T, change ...func(*config.Config)) town {
	t.Helper()
	w := town{mails: apitest.NewMailbox(t), phones: apitest.NewPhones(t)}
	w.Server = apitest.New(t, append([]func(*config.Config){w.mails.Configure, w.phones.Configure, func(cfg *config.Config) {
		cfg.Identity.Enabled = true
	}}, change...)...)
	return w
}

// own gives an account an address, as if it had been added a long time ago.
func (w town) own(t *testing.T, user id.UserID, medium, address string) {
	t.Helper()
	w.Write(t, func(tx *db.Tx) error {
		_, err := tx.Exec(`INSERT INTO user_threepids (medium, address, user_id, validated_ts, added_ts) VALUES ($1, $2, $3, 1000, 2000)`, medium, address, user)
		return err
	})
}

// atIdentity is the user with a token of the identity service.
func (w town) atIdentity(t *testing.T, c *apitest.Client) *apitest.Client {
	t.Helper()
	var openID object
	c.Do(t, "POST", v3+"/user/"+string(c.UserID)+"/openid/request_token", "{}").OK(t, &openID)
	var got struct{ Token string }
	w.Anyone().Do(t, "POST", is2+"/account/register", openID).OK(t, &got)
	return &apitest.Client{Server: w.Server, UserID: c.UserID, Token: got.Token}
}

// session is the validation of an address, as a client holds it.
type session struct {
	SID       string `json:"sid"`
	SubmitURL string `json:"submit_url"`
	secret    string
}

func (s session) creds() object { return object{"sid": s.SID, "client_secret": s.secret} }

// with is the credentials with something more.
func (s session) with(name string, value any) object {
	o := s.creds()
	o[name] = value
	return o
}

// path is that of the submit_url; at the identity service there is one for all.
func (s session) path(medium string) string {
	if u, err := url.Parse(s.SubmitURL); err == nil && s.SubmitURL != "" {
		return u.Path
	}
	return is2 + "/validate/" + medium + "/submitToken"
}

func mailWish(address, secret string) object {
	return object{"client_secret": secret, "email": address, "send_attempt": 1}
}

func phoneWish(number, secret string) object {
	return object{"client_secret": secret, "country": "GB", "phone_number": number, "send_attempt": 1}
}

// begin begins a validation by mail.
func (w town) begin(t *testing.T, as *apitest.Client, path, address, secret string) session {
	t.Helper()
	s := session{secret: secret}
	as.Do(t, "POST", path, mailWish(address, secret)).OK(t, &s)
	return s
}

// beginPhone does it by text message.
func (w town) beginPhone(t *testing.T, as *apitest.Client, path, number, secret string) session {
	t.Helper()
	s := session{secret: secret}
	as.Do(t, "POST", strings.Replace(path, "/email/", "/msisdn/", 1), phoneWish(number, secret)).OK(t, &s)
	return s
}

// token is the one in the newest mail to an address.
func (w town) token(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(w.mails.Last(t, address).Link(t, w.Server))
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get("token")
}

// submit takes a token back to where the client was told to.
func (w town) submit(t *testing.T, as *apitest.Client, s session, token string) *apitest.Response {
	t.Helper()
	return as.Do(t, "POST", s.path("email"), s.with("token", token))
}

// validated is a validation that is done.
func (w town) validated(t *testing.T, as *apitest.Client, path, address, secret string) session {
	t.Helper()
	s := w.begin(t, as, path, address, secret)
	w.submit(t, as, s, w.token(t, address)).OK(t, nil)
	return s
}

func byPassword(localpart string) object {
	return object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": localpart}, "password": apitest.Password}
}

func byMail(s session) object {
	return object{"type": "m.login.email.identity", "threepid_creds": s.creds()}
}

// add has a user add an address, with their password.
func (w town) add(t *testing.T, as *apitest.Client, s session) *apitest.Response {
	t.Helper()
	localpart, _, _ := strings.Cut(string(as.UserID[1:]), ":")
	return as.Do(t, "POST", addPath, s.with("auth", byPassword(localpart)))
}

func (w town) reset(t *testing.T, s session) *apitest.Response {
	t.Helper()
	return w.Anyone().Do(t, "POST", resetPath, object{"new_password": fresh, "auth": byMail(s)})
}

func (w town) register(t *testing.T, localpart string, s session) *apitest.Response {
	t.Helper()
	return w.Anyone().Do(t, "POST", v3+"/register", object{"username": localpart, "password": apitest.Password, "auth": byMail(s)})
}

// unproven holds that a stage of authentication refused an address.
func (w town) unproven(t *testing.T, r *apitest.Response) {
	t.Helper()
	if !strings.Contains(string(r.Body), `"errcode":"M_THREEPID_AUTH_FAILED"`) || r.Status != http.StatusUnauthorized {
		t.Errorf("got %d %s, want 401 M_THREEPID_AUTH_FAILED", r.Status, r.Body)
	}
}

func TestMistake_OneSecretForTwoAddresses(t *testing.T) {
	w := newTown(t)
	mallory, alice := w.User(t, "mallory"), w.User(t, "alice")
	w.own(t, alice.UserID, "email", "alice@example.org")
	w.own(t, mallory.UserID, "email", "mallory@example.org")

	// To add: the session of one's own address is validated, the other's is not.
	mine := w.begin(t, mallory, forAdd, "mine@example.net", oneSecret)
	theirs := w.begin(t, mallory, forAdd, "theirs@example.net", oneSecret)
	if mine.SID == theirs.SID {
		t.Fatal("two addresses share a session")
	}
	token := w.token(t, "mine@example.net")
	w.submit(t, mallory, theirs, token).Fails(t, w.Server, errcode.TokenIncorrect)
	w.submit(t, mallory, mine, token).OK(t, nil)
	w.add(t, mallory, theirs).Fails(t, w.Server, errcode.ThreepidAuthFailed)
	// A session that is validated does not move on to another address.
	if again := w.begin(t, mallory, forAdd, "theirs@example.net", oneSecret); again.SID == mine.SID {
		t.Error("a validated session has moved to another address")
	}
	w.add(t, mallory, mine).OK(t, nil)
	if got := string(mallory.Do(t, "GET", v3+"/account/3pid", nil).OK(t, nil).Body); !strings.Contains(got, "mine@example.net") || strings.Contains(got, "theirs@example.net") {
		t.Errorf("mallory has %s", got)
	}

	// To reset: of two accounts.
	own := w.validated(t, w.Anyone(), forPassword, "mallory@example.org", oneSecret)
	other := w.begin(t, w.Anyone(), forPassword, "alice@example.org", oneSecret)
	w.unproven(t, w.reset(t, other))
	w.reset(t, own).OK(t, nil)
	if !w.logsIn(t, "alice", apitest.Password) || !w.logsIn(t, "mallory", fresh) {
		t.Error("the password of another account was reset")
	}

	// To be found: the same at the identity service.
	there := w.atIdentity(t, alice)
	bound := w.validated(t, there, forIdentity, "mine@example.net", oneSecret)
	open := w.begin(t, there, forIdentity, "theirs@example.net", oneSecret)
	there.Do(t, "POST", bindPath, open.with("mxid", alice.UserID)).Fails(t, w.Server, errcode.SessionNotValidated)
	there.Do(t, "POST", bindPath, bound.with("mxid", alice.UserID)).OK(t, nil)
}

func (w town) logsIn(t *testing.T, localpart, password string) bool {
	t.Helper()
	body := byPassword(localpart)
	body["password"] = password
	return w.Anyone().Do(t, "POST", v3+"/login", body).Status == http.StatusOK
}

// TestMistake_ASessionOfAnotherPurpose takes a validated session of each purpose to
// each place that asks for one.
func TestMistake_ASessionOfAnotherPurpose(t *testing.T) {
	w := newTown(t, func(cfg *config.Config) { cfg.Registration.RequiredThreepids = []string{"email"} })
	alice := w.User(t, "alice")
	there := w.atIdentity(t, alice)
	// The address is alice's only in the eyes of a reset, which needs it to be.
	w.own(t, alice.UserID, "email", "alice@example.org")
	sessions := map[string]session{
		"register": w.validated(t, w.Anyone(), forRegister, "new@example.org", oneSecret),
		"add":      w.validated(t, alice, forAdd, "new@example.org", oneSecret),
		"password": w.validated(t, w.Anyone(), forPassword, "alice@example.org", oneSecret),
		"identity": w.validated(t, there, forIdentity, "new@example.org", oneSecret),
	}
	for purpose, s := range sessions {
		if purpose != "register" {
			w.unproven(t, w.register(t, "newcomer", s))
		}
		if purpose != "add" {
			w.add(t, alice, s).Fails(t, w.Server, errcode.ThreepidAuthFailed)
			alice.Do(t, "POST", v3+"/account/3pid", object{"three_pid_creds": s.creds(), "auth": byPassword("alice")}).Fails(t, w.Server, errcode.ThreepidAuthRefused)
		}
		if purpose != "password" {
			w.unproven(t, w.reset(t, s))
		}
		if purpose != "identity" {
			there.Do(t, "POST", bindPath, s.with("mxid", alice.UserID)).Fails(t, w.Server, errcode.NoValidSession)
		}
	}
	// Each is good in its own place, which the others have not spoilt.
	w.reset(t, sessions["password"]).OK(t, nil)
	w.register(t, "newcomer", sessions["register"]).OK(t, nil)
	there.Do(t, "POST", bindPath, sessions["identity"].with("mxid", alice.UserID)).OK(t, nil)
}

// TestMistake_ASessionOfAnotherMedium takes a phone number for a mail address.
func TestMistake_ASessionOfAnotherMedium(t *testing.T) {
	w := newTown(t)
	alice := w.User(t, "alice")
	w.own(t, alice.UserID, "msisdn", "447400123456")
	s := w.beginPhone(t, w.Anyone(), forPassword, "07400 123456", oneSecret)
	code := w.phones.Code(t, "+447400123456")
	w.Anyone().Do(t, "POST", strings.Replace(s.path(""), "/msisdn/", "/email/", 1), s.with("token", code)).Fails(t, w.Server, errcode.InvalidParam)
	w.Anyone().Do(t, "POST", s.path(""), s.with("token", code)).OK(t, nil)
	w.unproven(t, w.reset(t, s))
	w.Anyone().Do(t, "POST", resetPath, object{"new_password": fresh, "auth": object{"type": "m.login.msisdn", "threepid_creds": s.creds()}}).OK(t, nil)
}

// TestMistake_ASessionOfAnotherUser has somebody who overheard a session use it.
func TestMistake_ASessionOfAnotherUser(t *testing.T) {
	w := newTown(t)
	alice, mallory := w.User(t, "alice"), w.User(t, "mallory")
	s := w.validated(t, alice, forAdd, "alice@example.org", oneSecret)
	w.add(t, mallory, s).Fails(t, w.Server, errcode.ThreepidAuthFailed)
	w.add(t, alice, s).OK(t, nil)
	// Whoever asks for the same address with the same secret gets their own session.
	other := w.begin(t, alice, forAdd, "more@example.org", oneSecret)
	if mine := w.begin(t, mallory, forAdd, "more@example.org", oneSecret); mine.SID == other.SID {
		t.Error("two users share a session")
	}
}

func TestMistake_AnExpiredTokenIsAccepted(t *testing.T) {
	w := newTown(t)
	alice := w.User(t, "alice")
	w.own(t, alice.UserID, "email", "alice@example.org")
	w.own(t, alice.UserID, "msisdn", "447400123456")

	late := w.begin(t, w.Anyone(), forPassword, "alice@example.org", oneSecret)
	token := w.token(t, "alice@example.org")
	w.Advance(time.Hour + time.Second)
	w.submit(t, w.Anyone(), late, token).Fails(t, w.Server, errcode.SessionExpired)
	w.unproven(t, w.reset(t, late))

	byText := w.beginPhone(t, w.Anyone(), forPassword, "07400 123456", oneSecret)
	code := w.phones.Code(t, "+447400123456")
	w.Advance(15*time.Minute + time.Second)
	w.submit(t, w.Anyone(), byText, code).Fails(t, w.Server, errcode.SessionExpired)

	old := w.validated(t, w.Anyone(), forPassword, "alice@example.org", "another.secret")
	w.Advance(24*time.Hour + time.Second)
	w.unproven(t, w.reset(t, old))
	// The message of before does not open a session that was begun again.
	again := w.begin(t, w.Anyone(), forPassword, "alice@example.org", oneSecret)
	w.submit(t, w.Anyone(), again, token).Fails(t, w.Server, errcode.TokenIncorrect)
	if !w.logsIn(t, "alice", apitest.Password) {
		t.Error("the password has changed")
	}
}

func TestMistake_AUsedSessionIsUsedAgain(t *testing.T) {
	w := newTown(t, func(cfg *config.Config) { cfg.Registration.RequiredThreepids = []string{"email"} })
	alice := w.User(t, "alice")
	w.own(t, alice.UserID, "email", "alice@example.org")

	added := w.validated(t, alice, forAdd, "more@example.org", oneSecret)
	w.add(t, alice, added).OK(t, nil)
	alice.Do(t, "POST", v3+"/account/3pid/delete", object{"medium": "email", "address": "more@example.org"}).OK(t, nil)
	w.add(t, alice, added).Fails(t, w.Server, errcode.ThreepidAuthFailed)

	registered := w.validated(t, w.Anyone(), forRegister, "new@example.org", oneSecret)
	w.register(t, "newcomer", registered).OK(t, nil)
	w.unproven(t, w.register(t, "second", registered))

	reset := w.validated(t, w.Anyone(), forPassword, "alice@example.org", oneSecret)
	token := w.token(t, "alice@example.org")
	w.reset(t, reset).OK(t, nil)
	w.unproven(t, w.reset(t, reset))
	// Following the link once more is no failure, but makes nothing good again.
	w.submit(t, w.Anyone(), reset, token).OK(t, nil)
	w.unproven(t, w.reset(t, reset))
	// Neither does it last for longer.
	w.Advance(24*time.Hour + time.Second)
	w.submit(t, w.Anyone(), reset, token).Fails(t, w.Server, errcode.SessionExpired)
}
