package web_test

import (
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

var (
	secretField  = regexp.MustCompile(`name="secret" value="([A-Z2-7]{32})"`)
	recoveryCode = regexp.MustCompile(`\b[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}\b`)
)

// withKey puts the key of one-time codes into a folder that goes with the test.
func withKey(t testing.TB) func(*config.Config) {
	folder := t.TempDir()
	return func(cfg *config.Config) { cfg.Data = folder }
}

// app is somebody's app for one-time codes, by an implementation that is not ours.
type app struct {
	secret string
	ahead  time.Duration // of the server's clock
}

func (a app) code(t testing.TB) string {
	t.Helper()
	code, err := totp.GenerateCode(a.secret, time.Now().Add(a.ahead))
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// secretOn reads the secret off a page.
func secretOn(t testing.TB, v apitest.Seen) app {
	t.Helper()
	m := secretField.FindStringSubmatch(v.HTML)
	if m == nil {
		t.Fatalf("there is no secret:\n%s", v.Text)
	}
	return app{secret: m[1]}
}

// setUpCodes switches one-time codes on, and gives the app and the recovery codes.
func setUpCodes(t testing.TB, s *apitest.Surfer) (app, []string) {
	t.Helper()
	a := secretOn(t, s.Get(t, "/account/security/codes").Shows(t, 200, "Scan this with the app"))
	v := s.Post(t, "/account/security/codes", url.Values{"secret": {a.secret}, "code": {a.code(t)}}).Shows(t, 200, "Keep these recovery codes")
	codes := recoveryCode.FindAllString(v.Text, -1)
	if len(codes) != 10 {
		t.Fatalf("there are %d recovery codes:\n%s", len(codes), v.Text)
	}
	return a, codes
}

var alicesPassword = url.Values{"username": {"alice"}, "password": {apitest.Password}}

// firstStep does the first step of signing in.
func firstStep(t testing.TB, srv *apitest.Server) *apitest.Surfer {
	t.Helper()
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	s.Post(t, "/login", alicesPassword).Goes(t, "/login/second?continue=%2Faccount")
	s.Get(t, "/login/second?continue=%2Faccount").Shows(t, 200, "One more step")
	return s
}

const refusedCode = "This code is wrong, or was used already."

func TestOneTimeCodes(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	srv.User(t, "alice")
	s, elsewhere := apitest.Surf(t, srv).SignIn(t, "alice"), apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/account/security").Shows(t, 200, "How you sign in", "Set up an app").Without(t, "Make new recovery codes")

	mine := secretOn(t, s.Get(t, "/account/security/codes"))
	form := url.Values{"secret": {mine.secret}, "code": {mine.code(t)}}
	s.Post(t, "/account/security/codes", with(form, "code", "12345")).Shows(t, 403, "This is not the code of now.")
	s.Post(t, "/account/security/codes", with(form, "secret", "short")).Goes(t, "/account/security/codes")
	s.Post(t, "/account/security/codes", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date")
	s.Post(t, "/account/security/recovery", nil).Goes(t, "/account/security")
	s.Get(t, "/account/security/codes")
	v := s.Post(t, "/account/security/codes", form).Shows(t, 200, "Keep these recovery codes")
	recovery := recoveryCode.FindAllString(v.Text, -1)
	if len(recovery) != 10 {
		t.Fatalf("there are %d recovery codes", len(recovery))
	}
	elsewhere.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/account/security").Shows(t, 200, "You have 10 left.").Without(t, recovery[0], mine.secret)

	// The code of the set-up is used.
	second := firstStep(t, srv)
	second.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	second.Get(t, "/login/second")
	second.Post(t, "/login/second", form).Shows(t, 403, refusedCode)
	second.Post(t, "/login/second", nil).Shows(t, 403, refusedCode)
	second.Post(t, "/login/second", url.Values{"code": {"x", "y"}}).Shows(t, 400)
	second.Post(t, "/login/second", url.Values{"code": {"000000"}, "form_token": {""}}).Shows(t, 403, "This form is out of date")

	srv.Advance(30 * time.Second)
	mine.ahead += 30 * time.Second
	second.Get(t, "/login/second?continue=%2Flink")
	code := mine.code(t)
	second.Post(t, "/login/second", url.Values{"code": {code[:3] + " " + code[3:]}, "continue": {"/link"}}).Goes(t, "/link")
	second.Get(t, "/account").Shows(t, 200, "Your account")
	third := firstStep(t, srv)
	third.Post(t, "/login/second", url.Values{"code": {code}}).Shows(t, 403, refusedCode)

	third.Post(t, "/login/second", url.Values{"code": {strings.ToUpper(recovery[3])}}).Goes(t, "/account")
	third.Get(t, "/account/security").Shows(t, 200, "You have 9 left.")
	fourth := firstStep(t, srv)
	fourth.Post(t, "/login/second", url.Values{"code": {recovery[3]}}).Shows(t, 403, refusedCode)

	again := third.Post(t, "/account/security/recovery", nil).Shows(t, 200, "The codes of before no longer work.")
	fourth.Post(t, "/login/second", url.Values{"code": {recovery[4]}}).Shows(t, 403, refusedCode)
	fourth.Post(t, "/login/second", url.Values{"code": {recoveryCode.FindString(again.Text)}}).Goes(t, "/account")

	third.Get(t, "/account/security")
	srv.Advance(16 * time.Minute)
	third.Post(t, "/account/security/codes", url.Values{"remove": {"yes"}}).Goes(t, "/confirm?continue=%2Faccount%2Fsecurity%2Fcodes")
	third.Get(t, "/confirm?continue=%2Faccount%2Fsecurity").Shows(t, 200, "You are about to change how you sign in.")
	third.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "continue": {"/account/security"}}).Shows(t, 403, refusedCode)
	mine.ahead += 16 * time.Minute
	third.Post(t, "/confirm", url.Values{"password": {apitest.Password}, "code": {mine.code(t)}, "continue": {"/account/security"}}).Goes(t, "/account/security")
	third.Get(t, "/account/security")
	third.Post(t, "/account/security/codes", url.Values{"remove": {"yes"}}).Goes(t, "/account/security?done=no-code")
	third.Get(t, "/account/security?done=no-code").Shows(t, 200, "One-time codes are switched off.").Without(t, "Make new recovery codes")
	apitest.Surf(t, srv).SignIn(t, "alice")
}

// TestSecondStepRunsOut holds that the first step is good for a while, and not after
// the password was changed.
func TestSecondStepRunsOut(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	srv.User(t, "alice")
	first := apitest.Surf(t, srv).SignIn(t, "alice")
	_, recovery := setUpCodes(t, first)
	s, changed := firstStep(t, srv), firstStep(t, srv)
	const fresh = "four other short words"
	first.Get(t, "/account/password")
	first.Post(t, "/account/password", url.Values{"password": {apitest.Password}, "new_password": {fresh}, "password_again": {fresh}}).Goes(t, "/account?done=password")
	changed.Post(t, "/login/second", url.Values{"code": {recovery[0]}}).Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/login")
	s.Post(t, "/login", with(alicesPassword, "password", fresh)).Goes(t, "/login/second?continue=%2Faccount")
	s.Get(t, "/login/second")
	srv.Advance(11 * time.Minute)
	s.Post(t, "/login/second", url.Values{"code": {recovery[0]}}).Goes(t, "/login?continue=%2Faccount")
	srv.RunJobs(t)
	s.Get(t, "/login/second").Goes(t, "/login?continue=%2Faccount")
	apitest.Surf(t, srv).Get(t, "/login/second").Goes(t, "/login?continue=%2Faccount")
}

// TestGuessingCodes holds that guessing ends, and that the owner gets in all the same.
func TestGuessingCodes(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	srv.User(t, "alice")
	mine, recovery := setUpCodes(t, apitest.Surf(t, srv).SignIn(t, "alice"))
	s := firstStep(t, srv)
	wrong := "000000"
	if mine.code(t) == wrong {
		wrong = "000001"
	}
	for range 15 {
		s.Post(t, "/login/second", url.Values{"code": {wrong}}).Shows(t, 403, refusedCode)
	}
	srv.Advance(time.Minute)
	mine.ahead += time.Minute
	s.Post(t, "/login/second", url.Values{"code": {mine.code(t)}}).Shows(t, 429, "One more step")
	s.Post(t, "/login/second", url.Values{"code": {recovery[0]}}).Goes(t, "/account")
	srv.Advance(24 * time.Hour)
	mine.ahead += 24 * time.Hour
	srv.RunJobs(t)
	firstStep(t, srv).Post(t, "/login/second", url.Values{"code": {mine.code(t)}}).Goes(t, "/account")
}

// TestACodeUsedTwiceAtOnceIsGoodOnce sends one code through two servers at the same time.
func TestACodeUsedTwiceAtOnceIsGoodOnce(t *testing.T) {
	key := withKey(t)
	srv := apitest.New(t, key)
	srv.User(t, "alice")
	mine, _ := setUpCodes(t, apitest.Surf(t, srv).SignIn(t, "alice"))
	servers := []*apitest.Server{srv, srv}
	if source := srv.App.Config.DatabaseSource(); strings.HasPrefix(source, "postgres") {
		servers[1] = apitest.Over(t, source, key)
		servers[1].Advance(30 * time.Second)
	}
	srv.Advance(30 * time.Second)
	mine.ahead += 30 * time.Second
	code := mine.code(t)
	surfers := make([]*apitest.Surfer, 6)
	for i := range surfers {
		surfers[i] = firstStep(t, servers[i%2])
	}
	var all sync.WaitGroup
	statuses := make(chan int, len(surfers))
	for i, s := range surfers {
		all.Go(func() {
			form := url.Values{"form_token": {s.Token}, "code": {code}}
			resp, err := s.Client.Post(servers[i%2].URL+"/login/second", "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
			statuses <- resp.StatusCode
		})
	}
	all.Wait()
	close(statuses)
	got := map[int]int{}
	for status := range statuses {
		got[status]++
	}
	if got[303] != 1 || got[403] != len(surfers)-1 {
		t.Errorf("the answers are %v", got)
	}
}

// TestPasswordLoginTakesNoSecondStep holds that apps that ask for the password
// themselves are sent to the browser, and that only whoever knows the password hears
// of it.
func TestPasswordLoginTakesNoSecondStep(t *testing.T) {
	srv := apitest.New(t, withKey(t))
	srv.User(t, "alice")
	setUpCodes(t, apitest.Surf(t, srv).SignIn(t, "alice"))
	login := func(user, password string) *apitest.Response {
		return srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", map[string]any{
			"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": user}, "password": password,
		})
	}
	login("alice", apitest.Password).Fails(t, srv, errcode.Forbidden)
	if body := string(login("alice", apitest.Password).Body); !strings.Contains(body, "sign in through the browser") {
		t.Errorf("the app is told %s", body)
	}
	if wrong, nobody := login("alice", "wrong"), login("nobody", "wrong"); string(wrong.Body) != string(nobody.Body) || wrong.Status != nobody.Status {
		t.Errorf("a wrong password is answered by %s, and no account by %s", wrong.Body, nobody.Body)
	}
}

// TestSecondFactorIsRequired holds that nobody is signed in before it is set up.
func TestSecondFactorIsRequired(t *testing.T) {
	srv := apitest.New(t, withKey(t), func(cfg *config.Config) { cfg.Login.SecondFactor.Required = "administrators" })
	srv.User(t, "bob")
	srv.Administrator(t, "alice")
	apitest.Surf(t, srv).SignIn(t, "bob")
	s := apitest.Surf(t, srv)
	s.Get(t, "/login")
	s.Post(t, "/login", alicesPassword).Goes(t, "/login/second?continue=%2Faccount")
	mine := secretOn(t, s.Get(t, "/login/second?continue=%2Flink").Shows(t, 200, "Protect your account"))
	s.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")
	s.Get(t, "/login/second?continue=%2Flink")
	form := url.Values{"secret": {mine.secret}, "code": {mine.code(t)}, "continue": {"/link"}}
	s.Post(t, "/login/set-up", with(form, "code", "12345")).Shows(t, 403, "This is not the code of now.")
	s.Post(t, "/login/set-up", with(form, "secret", "x")).Goes(t, "/login/second?continue=%2Flink")
	s.Post(t, "/login/set-up", with(form, "form_token", "x")).Shows(t, 403, "This form is out of date")
	late := apitest.Surf(t, srv)
	late.Get(t, "/login")
	late.Post(t, "/login", alicesPassword).Goes(t, "/login/second?continue=%2Faccount")
	theirs := secretOn(t, late.Get(t, "/login/second"))
	s.Post(t, "/login/set-up", form).Shows(t, 200, "Keep these recovery codes", "It is set up.")
	s.Get(t, "/account").Shows(t, 200, "Your account")
	// Who knows the password alone sets nothing up any more.
	late.Post(t, "/login/set-up", url.Values{"secret": {theirs.secret}, "code": {theirs.code(t)}}).Goes(t, "/login/second?continue=%2Faccount")
	late.Get(t, "/account").Goes(t, "/login?continue=%2Faccount")

	s.Get(t, "/account/security")
	s.Post(t, "/account/security/codes", url.Values{"remove": {"yes"}}).Shows(t, 403, "This server wants you to have a second proof")
	login := map[string]any{"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": "bob"}, "password": apitest.Password}
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", login).OK(t, nil)
	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.SetAdmin(tx, accountsID(t, "bob"), true, "test") })
	srv.Anyone().Do(t, "POST", "/_matrix/client/v3/login", login).Fails(t, srv, errcode.Forbidden)
}

// TestNoPasskeysForAnAddressWithoutAName holds that a server that browsers know by an IP
// address alone, for which they keep no passkeys, asks for none.
func TestNoPasskeysForAnAddressWithoutAName(t *testing.T) {
	srv := apitest.New(t, withKey(t), func(cfg *config.Config) { cfg.Login.SecondFactor.Required = "administrators" })
	srv.User(t, "alice")
	srv.Administrator(t, "root")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Get(t, "/account/security").Shows(t, 200, "How you sign in")
	s.Post(t, "/account/security/passkeys", nil).Shows(t, 404, "There is no passkey to ask for.")
	setUpCodes(t, s)
	second := firstStep(t, srv)
	second.Get(t, "/login/second")
	second.Post(t, "/login/second/passkey", nil).Shows(t, 404, "There is no passkey to ask for.")
	root := apitest.Surf(t, srv)
	root.Get(t, "/login")
	root.Post(t, "/login", url.Values{"username": {"root"}, "password": {apitest.Password}}).Goes(t, "/login/second?continue=%2Faccount")
	root.Get(t, "/login/second").Shows(t, 200, "Protect your account")
	root.Post(t, "/login/set-up/passkey", nil).Shows(t, 404, "There is no passkey to ask for.")
}

// TestFactorKey holds that secrets are in the database only as what the key file opens.
func TestFactorKey(t *testing.T) {
	folder := t.TempDir()
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Data = folder })
	srv.User(t, "alice")
	mine, recovery := setUpCodes(t, apitest.Surf(t, srv).SignIn(t, "alice"))
	file := filepath.Join(folder, "second-factor.key")
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("the key file: %v %v", info, err)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("00", 32)), 0o600); err != nil {
		t.Fatal(err)
	}
	s := firstStep(t, srv)
	s.Post(t, "/login/second", url.Values{"code": {mine.code(t)}}).Shows(t, 503, "This server cannot check codes from apps at the moment")
	s.Post(t, "/login/second", url.Values{"code": {recovery[0]}}).Goes(t, "/account")
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	again := secretOn(t, s.Get(t, "/account/security/codes"))
	s.Post(t, "/account/security/codes", url.Values{"secret": {again.secret}, "code": {again.code(t)}}).Shows(t, 503, "This server cannot keep codes from apps")
	if _, err := os.Stat(file); err == nil {
		t.Error("there is a second key, which opens nothing")
	}
}
