package app_test

import (
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// beginsWithAnAdministrator uses the link for the first administrator.
func (s *story) beginsWithAnAdministrator() {
	t := s.t
	link, err := s.App.AdminPages.FirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, s.URL)
	_, token, _ := strings.Cut(path, "token=")
	s.typed("link of the first administrator", token)
	s.desk = apitest.Surf(t, s.Server)
	s.desk.Get(t, path).Shows(t, 200, "Make the first administrator")
	f := func(again string) url.Values {
		return form("token", token, "username", "root", "password", rootPassword, "password_again", again)
	}
	s.desk.Post(t, "/admin/first", f(typo)).Shows(t, 400, "The two passwords are not the same.")
	s.desk.Post(t, "/admin/first", f(rootPassword)).Goes(t, "/admin")
	s.desk.Get(t, "/admin").Shows(t, 200)
	s.desk.Get(t, path).Shows(t, 404)

	s.post(v3+"/login", passwordLogin("root", typo)).Fails(t, s.Server, errcode.Forbidden)
	s.post(v3+"/login", passwordLogin(typo, rootPassword)).Fails(t, s.Server, errcode.Forbidden)
	s.post(v3+"/login", `{"type":{"x":"`+typo+`"}}`).Fails(t, s.Server, errcode.BadJSON)
	s.root = s.as(s.logIn("root", rootPassword).Access)
}

// registersBySecret makes bob's account with the shared secret.
func (s *story) registersBySecret() {
	const path = "/_synapse/admin/v1/register"
	var got struct{ Nonce string }
	s.Anyone().Do(s.t, "GET", path, nil).OK(s.t, &got)
	mac := hmac.New(sha1.New, []byte(sharedSecret))
	mac.Write([]byte(got.Nonce + "\x00bob\x00" + bobsPassword + "\x00notadmin"))
	body := object{"nonce": got.Nonce, "username": "bob", "password": bobsPassword, "admin": false, "mac": s.typed("mac", hex.EncodeToString(mac.Sum(nil)))}
	s.post(path, body).OK(s.t, nil)
	s.post(path, body).Fails(s.t, s.Server, errcode.InvalidParam)
}

// registers makes alice's account, with all that is asked for, and lets her in.
func (s *story) registers() {
	t := s.t
	s.root.Do(t, "POST", "/_synapse/admin/v1/registration_tokens/new", object{"token": s.typed("registration token", "planted-registration-token")}).OK(t, nil)
	s.desk.Get(t, "/admin/tokens/new")
	s.desk.Post(t, "/admin/tokens/new", form("token", "planted-token-of-a-page", "limit", "1"))
	s.typed("registration token", "planted-token-of-a-page")
	s.desk.Get(t, "/admin/tokens").Shows(t, 200, "planted-token-of-a-page")
	s.post(v3+"/register?kind=guest", object{}).OK(t, nil)

	mail := s.validated(t, s.Anyone(), forRegister, "alice@example.org", "planted.client_secret-1")
	phone := s.beginPhone(t, s.Anyone(), forRegister, "07400 123456", "planted.client_secret-2")
	code := s.phones.Code(t, "+447400123456")
	s.post(phone.path(""), phone.with("token", s.typed("SMS code", wrong(code)))).Fails(t, s.Server, errcode.TokenIncorrect)
	s.post(phone.path(""), phone.with("token", code)).OK(t, nil)
	body := object{"username": "alice", "password": alicesFirst, accounts.ReasonParam: "a friend of bob"}
	var flows struct{ Session string }
	decodeInto(t, s.post(v3+"/register", body), &flows)
	for _, stage := range []object{
		{"type": "m.login.registration_token", "token": s.typed("registration token", "planted-token-that-is-wrong")},
		{"type": "m.login.registration_token", "token": "planted-registration-token"},
		byMail(mail),
		{"type": "m.login.msisdn", "threepid_creds": phone.creds()},
	} {
		stage["session"] = flows.Session
		body["auth"] = stage
		r := s.post(v3+"/register", body)
		if stage["type"] == "m.login.msisdn" {
			r.Fails(t, s.Server, errcode.UserAwaitingApproval)
		}
	}
	s.post(v3+"/login", passwordLogin("alice", alicesFirst)).Fails(t, s.Server, errcode.UserAwaitingApproval)
	waiting := apitest.Surf(t, s.Server)
	waiting.Get(t, "/register?token=planted-token-of-a-page")
	waiting.Post(t, "/register", form("registration_token", "planted-token-of-a-page", "username", "carol", "password", alicesFirst, "password_again", typo)).Shows(t, 400)
	s.desk.Get(t, "/admin/registrations").Shows(t, 200, "a friend of bob")
	s.desk.Post(t, "/admin/registrations", form("user", "@alice:narthex.test", "decision", "approve", "note", "Welcome!"))
	s.desk.Get(t, "/admin/users?q=alice")
	s.desk.Get(t, "/admin/audit")
}

// logsInAndOn takes alice through all tokens of the old way to sign in.
func (s *story) logsInAndOn() *apitest.Client {
	t := s.t
	first := s.logIn("alice", alicesFirst)
	var second tokens
	s.post(v3+"/refresh", object{"refresh_token": first.Refresh}).OK(t, &second)
	alice := s.as(second.Access)
	s.Anyone().Do(t, "GET", v3+"/account/whoami?access_token="+url.QueryEscape(second.Access), nil).OK(t, nil)
	s.Anyone().Do(t, "GET", v3+"/account/whoami?access_token="+url.QueryEscape(second.Access[1:]), nil).Fails(t, s.Server, errcode.UnknownToken)
	alice.UserID = "@alice:narthex.test"

	auth := passwordLogin("alice", typo)
	var login tokens
	alice.Do(t, "POST", "/_matrix/client/v1/login/get_token", object{"auth": auth})
	auth["password"] = alicesFirst
	alice.Do(t, "POST", "/_matrix/client/v1/login/get_token", object{"auth": auth}).OK(t, &login)
	var other tokens
	s.post(v3+"/login", object{"type": "m.login.token", "token": login.Login}).OK(t, &other)
	s.post(v3+"/login", object{"type": "m.login.token", "token": login.Login}).Fails(t, s.Server, errcode.Forbidden)
	s.as(other.Access).Do(t, "POST", v3+"/logout", object{}).OK(t, nil)
	s.as(other.Access).Do(t, "GET", v3+"/account/whoami", nil).Fails(t, s.Server, errcode.UnknownToken)

	change := object{"new_password": alicesSecond, "auth": auth, "logout_devices": true}
	alice.Do(t, "POST", v3+"/account/password", change).OK(t, nil)
	alice.Do(t, "POST", v3+"/account/password", change) // the password is no longer that
	return alice
}

// addsAndBinds gives alice an address more, and has it found.
func (s *story) addsAndBinds(alice *apitest.Client) {
	t := s.t
	more := s.begin(t, alice, forAdd, "more@example.org", "planted.client_secret-3")
	s.submit(t, alice, more, s.typed("mail token", "planted-mail-token-that-is-wrong")).Fails(t, s.Server, errcode.TokenIncorrect)
	alice.Do(t, "GET", s.mails.Last(t, "more@example.org").Link(t, s.Server), nil).OK(t, nil)
	alice.Do(t, "POST", addPath, more.with("auth", passwordLogin("alice", typo)))
	alice.Do(t, "POST", addPath, more.with("auth", passwordLogin("alice", alicesSecond))).OK(t, nil)

	there := s.atIdentity(t, alice)
	bound := s.validated(t, there, forIdentity, "more@example.org", "planted.client_secret-4")
	there.Do(t, "POST", bindPath, bound.with("mxid", alice.UserID)).OK(t, nil)
	there.Do(t, "GET", is2+"/account", nil).OK(t, nil)
	there.Do(t, "POST", is2+"/account/logout", object{}).OK(t, nil)
	there.Do(t, "GET", is2+"/account", nil)
}

// meetsDevices opens mailboxes for two devices.
func (s *story) meetsDevices(alice *apitest.Client) {
	var box struct{ ID string }
	at := "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	alice.Do(s.t, "POST", at, object{"data": "planted message"}).OK(s.t, &box)
	s.Anyone().Do(s.t, "GET", at+"/"+box.ID, nil).OK(s.t, nil)
	s.Anyone().Do(s.t, "DELETE", at+"/"+box.ID, nil).OK(s.t, nil)
}

// signsInInTheBrowser signs alice in, and lets an app of the old way take her session.
func (s *story) signsInInTheBrowser() *apitest.Surfer {
	t := s.t
	browser := apitest.Surf(t, s.Server)
	browser.Get(t, "/login")
	browser.Post(t, "/login", form("username", "alice", "password", typo)).Shows(t, 403)
	browser.Post(t, "/login", form("username", "alice", "password", alicesSecond)).Goes(t, "/account")
	browser.Get(t, "/account/password")
	browser.Post(t, "/account/password", form("password", typo, "new_password", alicesThird, "password_again", alicesThird)).Shows(t, 403)
	browser.Post(t, "/account/password", form("password", alicesSecond, "new_password", alicesThird, "password_again", typo)).Shows(t, 400)
	browser.Get(t, "/sso?redirect_url=https%3A%2F%2Fchat.example.net%2F").Shows(t, 200)
	v := browser.Post(t, "/sso", form("redirect_url", "https://chat.example.net/", "answer", "allow"))
	if !strings.Contains(v.Location, "loginToken=nxt_l_") {
		t.Errorf("got %d to %q", v.Status, v.Location)
	}
	browser.Get(t, "/account/sessions").Shows(t, 200)
	return browser
}

func (s *story) registersAClient() (clientID string) {
	var client struct {
		ID string `json:"client_id"`
	}
	decodeInto(s.t, s.post("/oauth2/register", object{
		"client_name": "Element", "client_uri": "https://app.example.org/", "redirect_uris": []string{"https://app.example.org/callback"},
		"application_type": "web", "response_types": []string{"code"}, "token_endpoint_auth_method": "none",
		"grant_types": []string{"authorization_code", "refresh_token", deviceGrant},
	}), &client)
	return client.ID
}

// agreesToAClient signs alice in by a code, refreshes, looks into and revokes tokens.
func (s *story) agreesToAClient(browser *apitest.Surfer, clientID string) {
	t := s.t
	verifier := s.typed("code verifier", "planted-verifier-that-is-long-enough-to-be-one-of-rfc-7636")
	sum := sha256.Sum256([]byte(verifier))
	const callback = "https://app.example.org/callback"
	query := form("client_id", clientID, "redirect_uri", callback, "response_type", "code", "state", "xyz", "scope", scope+"NEWDEVICE1",
		"code_challenge", base64.RawURLEncoding.EncodeToString(sum[:]), "code_challenge_method", "S256").Encode()
	browser.Get(t, "/oauth2/authorize?"+query).Shows(t, 200)
	v := browser.Post(t, "/oauth2/authorize", form("query", query, "answer", "allow"))
	to, err := url.Parse(v.Location)
	if err != nil || to.Query().Get("code") == "" {
		t.Fatalf("got %d to %q", v.Status, v.Location)
	}
	grant := form("grant_type", "authorization_code", "client_id", clientID, "redirect_uri", callback, "code", to.Query().Get("code"))
	s.post("/oauth2/token", grant) // without the verifier
	grant.Set("code_verifier", verifier)
	var first, second tokens
	s.post("/oauth2/token", grant).OK(t, &first)
	s.post("/oauth2/token", form("grant_type", "refresh_token", "client_id", clientID, "refresh_token", first.Refresh)).OK(t, &second)
	s.post("/oauth2/introspect", form("token", second.Access, "client_secret", introspector)).OK(t, nil)
	s.post("/oauth2/introspect", form("token", second.Access, "client_secret", introspector+"!"))
	s.post("/oauth2/revoke", form("token", second.Access, "client_id", clientID)).OK(t, nil)
	s.post("/oauth2/token", form("grant_type", "refresh_token", "client_id", clientID, "refresh_token", second.Refresh))
}

const scope = "urn:matrix:client:api:* urn:matrix:client:device:"

// agreesToADevice signs alice in on a device that shows a code.
func (s *story) agreesToADevice(browser *apitest.Surfer, clientID string) {
	t := s.t
	var asked struct {
		DeviceCode string `json:"device_code"`
		UserCode   string `json:"user_code"`
	}
	s.post("/oauth2/device", form("client_id", clientID, "scope", scope+"NEWDEVICE2")).OK(t, &asked)
	page := "/link?user_code=" + asked.UserCode
	apitest.Surf(t, s.Server).Get(t, page)
	browser.Get(t, page).Shows(t, 200)
	poll := form("grant_type", deviceGrant, "client_id", clientID, "device_code", asked.DeviceCode)
	s.post("/oauth2/token", poll)
	browser.Post(t, "/link", form("user_code", asked.UserCode, "mine", "yes", "answer", "allow"))
	s.Advance(time.Minute)
	s.post("/oauth2/token", poll).OK(t, nil)
}

// resetsThePassword resets it once as clients do, and once on the pages.
func (s *story) resetsThePassword() {
	t := s.t
	done := s.validated(t, s.Anyone(), forPassword, "alice@example.org", "planted.client_secret-5")
	s.post(resetPath, object{"new_password": alicesThird, "auth": byMail(done)}).OK(t, nil)

	browser := apitest.Surf(t, s.Server)
	browser.Get(t, "/forgot-password")
	to, err := url.Parse(browser.Post(t, "/forgot-password", form("address", "alice@example.org")).Location)
	if err != nil {
		t.Fatal(err)
	}
	s.Advance(time.Minute)
	s.RunJobs(t)
	sid := to.Query().Get("sid")
	browser.Get(t, to.String()).Shows(t, 200)
	browser.Post(t, "/forgot-password/code", form("sid", sid, "code_email", "planted-mail-token-that-is-wrong")).Shows(t, 400)
	link := s.mails.Last(t, "alice@example.org").Link(t, s.Server)
	elsewhere := apitest.Surf(t, s.Server)
	elsewhere.Header.Set("Accept", "text/html")
	elsewhere.Get(t, link)
	browser.Post(t, "/forgot-password/code", form("sid", sid, "code_email", s.token(t, "alice@example.org"))).Goes(t, to.String())
	browser.Get(t, to.String()).Shows(t, 200)
	browser.Post(t, "/forgot-password/new", form("sid", sid, "new_password", alicesSecond, "password_again", typo)).Shows(t, 400)
	browser.Post(t, "/forgot-password/new", form("sid", sid, "new_password", alicesSecond, "password_again", alicesSecond))
	s.logIn("alice", alicesSecond)
}

// usesASecondFactor sets up one-time codes, signs in by them and by a recovery code, and
// confirms what is asked for.
func (s *story) usesASecondFactor() {
	t := s.t
	browser := apitest.Surf(t, s.Server)
	browser.Get(t, "/login")
	browser.Post(t, "/login", form("username", "alice", "password", alicesSecond)).Goes(t, "/account")
	m := shown["TOTP secret"].FindStringSubmatch(browser.Get(t, "/account/security/codes").Shows(t, 200).HTML)
	raw, ahead := base32Bytes(t, m[1]), 2*time.Minute
	s.typed("TOTP secret", string(raw))
	code := func() string {
		c, err := totp.GenerateCode(m[1], time.Now().Add(ahead))
		if err != nil {
			t.Fatal(err)
		}
		return s.typed("one-time code", c)
	}
	browser.Post(t, "/account/security/codes", form("secret", m[1], "code", s.typed("one-time code", wrong(code())))).Shows(t, 403)
	v := browser.Post(t, "/account/security/codes", form("secret", m[1], "code", code())).Shows(t, 200, "Keep these recovery codes")
	recovery := shown["recovery code"].FindAllString(v.Text, -1)

	for _, proof := range []func() string{code, func() string { return recovery[0] }} {
		s.Advance(time.Minute)
		ahead += time.Minute
		again := apitest.Surf(t, s.Server)
		again.Get(t, "/login")
		again.Post(t, "/login", form("username", "alice", "password", alicesSecond)).Goes(t, "/login/second?continue=%2Faccount")
		again.Get(t, "/login/second")
		again.Post(t, "/login/second", form("code", s.typed("one-time code", "000000"))).Shows(t, 403)
		again.Post(t, "/login/second", form("code", proof())).Goes(t, "/account")
	}
	s.post(v3+"/login", passwordLogin("alice", alicesSecond)).Fails(t, s.Server, errcode.Forbidden)
	s.Advance(16 * time.Minute)
	browser.Get(t, "/account/security/codes").Goes(t, "/confirm?continue=%2Faccount%2Fsecurity%2Fcodes")
	browser.Get(t, "/confirm")
	browser.Post(t, "/confirm", form("password", typo, "continue", "/account/security")).Shows(t, 403)
	ahead += 16 * time.Minute
	browser.Post(t, "/confirm", form("password", alicesSecond, "code", s.typed("one-time code", "000000"))).Shows(t, 403)
	browser.Post(t, "/confirm", form("password", alicesSecond, "code", code(), "continue", "/account/security")).Goes(t, "/account/security")
	browser.Get(t, "/account/security")
	browser.Post(t, "/account/security/recovery", nil).Shows(t, 200, "The codes of before no longer work.")
}
