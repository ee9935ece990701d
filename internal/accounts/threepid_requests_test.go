package accounts_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	registerPhonePath = "/_matrix/client/v3/register/msisdn/requestToken"
	addPhonePath      = "/_matrix/client/v3/account/3pid/msisdn/requestToken"
	resetPhonePath    = "/_matrix/client/v3/account/password/msisdn/requestToken"
)

func phoneWish(country, number string) object {
	return object{"client_secret": clientSecret, "country": country, "phone_number": number, "send_attempt": 1}
}

// TestTP49_51_53_55_ByMail walks through each requestToken endpoint for mail, up to a
// validated address.
func TestTP49_51_53_55_ByMail(t *testing.T) {
	srv, mails := withMail(t)
	own(t, srv, srv.User(t, "alice").UserID, "email", "used@example.org")
	for path, want := range map[string]struct{ address, submit, subject string }{
		registerEmailPath: {"new@example.org", "register/email", "Confirm your address for narthex.test"},
		addEmailPath:      {"more@example.org", "add/email", "Confirm your address for narthex.test"},
		resetEmailPath:    {"used@example.org", "password/email", ""},
	} {
		t.Run(path, func(t *testing.T) {
			r := request(t, srv.Anyone(), path, emailWish(want.address))
			if got, want := r.SubmitURL, srv.URL+"/_matrix/client/unstable/io.github.narthex-matrix/threepid/"+want.submit+"/submitToken"; got != want {
				t.Errorf("the submit_url is %s, want %s", got, want)
			}
			mail := mails.Last(t, want.address)
			if want.subject != "" && mail.Subject != want.subject {
				t.Errorf("the subject is %q, want %q", mail.Subject, want.subject)
			}
			body := with(creds(r.SID), object{"token": tokenIn(t, srv, mail)})
			wrong := with(creds(r.SID), object{"token": "wrong"})
			srv.Anyone().Do(t, "POST", r.path(t), wrong).Fails(t, srv, errcode.TokenIncorrect)
			answer := srv.Anyone().Do(t, "POST", r.path(t), body).OK(t, nil)
			if got, want := string(answer.Body), `{"success":true}`; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			// The other purposes' URLs do not know the session (TP-4, TP-11).
			for _, other := range []string{"register/email", "add/email", "password/email", "add/msisdn"} {
				if other != want.submit {
					at := strings.Replace(r.path(t), want.submit, other, 1)
					srv.Anyone().Do(t, "POST", at, body).Fails(t, srv, errcode.InvalidParam)
				}
			}
		})
	}
}

func TestTP20_21_TheLinkInAMail(t *testing.T) {
	srv, mails := withMail(t)
	own(t, srv, srv.User(t, "alice").UserID, "email", "used@example.org")
	alice := srv.Anyone()

	r := request(t, alice, addEmailPath, emailWish("new@example.org"))
	link := mails.Last(t, "new@example.org").Link(t, srv)
	if !strings.HasPrefix(link, r.path(t)+"?") {
		t.Errorf("the link is %s, want the submit_url", link)
	}
	broken := strings.Replace(link, "token=", "token=x", 1)
	alice.Do(t, "GET", broken, nil).Fails(t, srv, errcode.TokenIncorrect)
	page := alice.Do(t, "GET", link, nil).OK(t, nil)
	if got := page.Header.Get("Content-Type"); !strings.HasPrefix(got, "text/html") {
		t.Errorf("the answer is %s", got)
	}
	c := challenged(t, srv, srv.Device(t, userID("alice"), "D").Do(t, "POST", addPath, creds(r.SID)))
	if c.Errcode != "" {
		t.Errorf("the address is not validated: %+v", c)
	}

	// A link that resets a password validates nothing by being followed.
	reset := request(t, alice, resetEmailPath, emailWish("used@example.org"))
	alice.Do(t, "GET", mails.Last(t, "used@example.org").Link(t, srv), nil).OK(t, nil)
	body := object{"new_password": "a new password", "auth": object{"type": "m.login.email.identity", "threepid_creds": creds(reset.SID)}}
	if c := challenged(t, srv, alice.Do(t, "POST", passwordPath, body)); c.Errcode != "M_THREEPID_AUTH_FAILED" {
		t.Errorf("got %+v", c)
	}

	// Back to the client, to a host that the configuration knows.
	back := request(t, alice, registerEmailPath, with(emailWish("back@example.org"), object{"next_link": srv.URL + "/welcome"}))
	to := alice.Do(t, "GET", mails.Last(t, "back@example.org").Link(t, srv), nil)
	if got, want := to.Header.Get("Location"), srv.URL+"/welcome?sid="+back.SID; to.Status/100 != 3 || got != want {
		t.Errorf("got %d to %q, want %q", to.Status, got, want)
	}
}

func TestTP56_58_Malformed(t *testing.T) {
	srv, _ := withMail(t)
	good := emailWish("new@example.org")
	without := func(o object, name string) object {
		o = with(o, nil)
		delete(o, name)
		return o
	}
	for _, path := range []string{registerEmailPath, addEmailPath, resetEmailPath} {
		post := func(name string, body any, want *errcode.Code) apitest.Case {
			return apitest.Case{Name: path + ": " + name, As: srv.Anyone(), Do: "POST", Path: path, Body: body, Want: want}
		}
		apitest.Run(t, []apitest.Case{
			post("no secret", without(good, "client_secret"), errcode.MissingParam),
			post("no address", without(good, "email"), errcode.MissingParam),
			post("no attempt", without(good, "send_attempt"), errcode.MissingParam),
			post("a secret with a space", with(good, object{"client_secret": "a b"}), errcode.InvalidParam),
			post("an attempt below nothing", with(good, object{"send_attempt": -1}), errcode.InvalidParam),
			post("an attempt in words", with(good, object{"send_attempt": "one"}), errcode.InvalidParam),
			post("half an attempt", with(good, object{"send_attempt": 1.5}), errcode.InvalidParam),
			post("another host to go to", with(good, object{"next_link": "https://evil.example/"}), errcode.InvalidParam),
			post("TP-58 no mail address", with(good, object{"email": "example.org"}), errcode.InvalidParam),
			post("TP-58 two lines", with(good, object{"email": "a@example.org\r\nBcc: b@example.org"}), errcode.InvalidParam),
			post("an address that is no string", with(good, object{"email": 5}), errcode.BadJSON),
			post("not JSON", `{`, errcode.NotJSON),
		})
	}
	for _, path := range []string{registerPhonePath, addPhonePath, resetPhonePath} {
		post := func(name string, body any, want *errcode.Code) apitest.Case {
			return apitest.Case{Name: path + ": " + name, As: srv.Anyone(), Do: "POST", Path: path, Body: body, Want: want}
		}
		number := phoneWish("GB", "07700 900123")
		apitest.Run(t, []apitest.Case{
			post("no country", without(number, "country"), errcode.MissingParam),
			post("no number", without(number, "phone_number"), errcode.MissingParam),
			post("TP-58 no number of the country", phoneWish("GB", "12"), errcode.InvalidParam),
			post("TP-58 no country", phoneWish("XX", "07700 900123"), errcode.InvalidParam),
			post("an attempt below nothing", with(number, object{"send_attempt": -1}), errcode.InvalidParam),
			post("not JSON", `[`, errcode.NotJSON),
		})
	}
}

func TestTP57_MediumNotConfigured(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) { cfg.Dev = false })
	for _, path := range []string{registerEmailPath, addEmailPath, resetEmailPath} {
		srv.Anyone().Do(t, "POST", path, emailWish("new@example.org")).Fails(t, srv, errcode.ThreepidMediumNotSupported)
		srv.Anyone().Do(t, "POST", path, emailWish("nonsense")).Fails(t, srv, errcode.ThreepidMediumNotSupported)
		srv.Anyone().Do(t, "POST", path, object{}).Fails(t, srv, errcode.MissingParam)
	}
	for _, path := range []string{registerPhonePath, addPhonePath, resetPhonePath} {
		srv.Anyone().Do(t, "POST", path, phoneWish("GB", "07700 900123")).Fails(t, srv, errcode.ThreepidMediumNotSupported)
		srv.Anyone().Do(t, "POST", path, phoneWish("GB", "1")).Fails(t, srv, errcode.ThreepidMediumNotSupported)
		srv.Anyone().Do(t, "POST", path, object{}).Fails(t, srv, errcode.MissingParam)
	}
}

func TestTP59_60_IdentityServersAndPolicy(t *testing.T) {
	srv, mails := withMail(t, func(cfg *config.Config) {
		cfg.Threepid.TrustedIdentityServers = []string{"id.example.org"}
		cfg.Threepid.AllowedAddresses = []string{"*@Example.org", "a*c*@sub.example.net", "boss@example.net", "+44*"}
	})
	for _, path := range []string{registerEmailPath, addEmailPath, resetEmailPath, registerPhonePath, addPhonePath, resetPhonePath} {
		body, foreign := emailWish("new@example.org"), emailWish("new@example.net")
		if strings.Contains(path, "msisdn") {
			body, foreign = phoneWish("GB", "07700 900123"), phoneWish("DE", "0151 23456789")
		}
		srv.Anyone().Do(t, "POST", path, with(body, object{"id_server": "evil.example"})).Fails(t, srv, errcode.ServerNotTrusted)
		srv.Anyone().Do(t, "POST", path, foreign).Fails(t, srv, errcode.ThreepidDenied)
	}
	allowed := func(address string) apitest.Case {
		return apitest.Case{Name: address, As: srv.Anyone(), Do: "POST", Path: registerEmailPath, Body: emailWish(address)}
	}
	denied := func(address string) apitest.Case {
		c := allowed(address)
		c.Want = errcode.ThreepidDenied
		return c
	}
	apitest.Run(t, []apitest.Case{
		allowed("one@example.org"), allowed("BOSS@example.net"), allowed("abc@sub.example.net"), allowed("a.c.d@sub.example.net"),
		denied("one@example.org.evil.example"), denied("notboss@example.net"), denied("boss@example.network"), denied("cab@sub.example.net"), denied("ab@sub.example.net"),
		{Name: "a trusted server", As: srv.Anyone(), Do: "POST", Path: registerEmailPath, Body: with(emailWish("two@example.org"), object{"id_server": "id.example.org", "id_access_token": "x"})},
		{Name: "this server", As: srv.Anyone(), Do: "POST", Path: registerEmailPath, Body: with(emailWish("three@example.org"), object{"id_server": "narthex.test"})},
	})
	if n := len(mails.Mails("one@example.org.evil.example")); n != 0 {
		t.Errorf("%d mails went to an address that is not allowed", n)
	}
}

func TestTP61_RateLimits(t *testing.T) {
	srv, _ := withMail(t, func(cfg *config.Config) { cfg.Dev, cfg.RateLimits.Enabled = false, true })
	for range 3 {
		srv.Anyone().Do(t, "POST", registerEmailPath, object{}).Fails(t, srv, errcode.MissingParam)
	}
	srv.Anyone().Do(t, "POST", registerEmailPath, emailWish("new@example.org")).Fails(t, srv, errcode.LimitExceeded)
	srv.Advance(time.Hour)
	request(t, srv.Anyone(), registerEmailPath, emailWish("new@example.org"))
}

func TestTP62_63_66_InUseAndNotFound(t *testing.T) {
	srv, mails := withMail(t)
	alice := srv.User(t, "alice")
	own(t, srv, alice.UserID, "email", "used@example.org")
	own(t, srv, alice.UserID, "msisdn", "447700900123")
	phone, unused := phoneWish("GB", "07700 900123"), phoneWish("GB", "07700 900124")
	apitest.Run(t, []apitest.Case{
		{Name: "TP-62 register", As: srv.Anyone(), Do: "POST", Path: registerEmailPath, Body: emailWish("Used@example.org"), Want: errcode.ThreepidInUse},
		{Name: "TP-62 add", As: alice, Do: "POST", Path: addEmailPath, Body: emailWish("used@example.org"), Want: errcode.ThreepidInUse},
		{Name: "TP-62 register a phone", As: srv.Anyone(), Do: "POST", Path: registerPhonePath, Body: phone, Want: errcode.ThreepidInUse},
		{Name: "TP-62 add a phone", As: srv.Anyone(), Do: "POST", Path: addPhonePath, Body: phone, Want: errcode.ThreepidInUse},
		{Name: "TP-63 reset", As: srv.Anyone(), Do: "POST", Path: resetEmailPath, Body: emailWish("new@example.org"), Want: errcode.ThreepidNotFound},
		{Name: "TP-63 reset by phone", As: srv.Anyone(), Do: "POST", Path: resetPhonePath, Body: unused, Want: errcode.ThreepidNotFound},
		{Name: "TP-66 reset, in another spelling", As: srv.Anyone(), Do: "POST", Path: resetEmailPath, Body: emailWish(" USED@EXAMPLE.org ")},
	})
	mails.Last(t, "used@example.org")
}

// TestTP64_HideExistence holds that with threepid.hide_existence no answer tells
// whether somebody uses an address.
func TestTP64_HideExistence(t *testing.T) {
	srv, mails := withMail(t, func(cfg *config.Config) { cfg.Threepid.HideExistence = true })
	own(t, srv, srv.User(t, "alice").UserID, "email", "used@example.org")
	token := with(creds(""), object{"token": "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef"})
	for _, path := range []string{registerEmailPath, addEmailPath, resetEmailPath} {
		for _, address := range []string{"used@example.org", "new@example.org"} {
			r := request(t, srv.Anyone(), path, emailWish(address))
			token["sid"] = r.SID
			srv.Anyone().Do(t, "POST", r.path(t), token).Fails(t, srv, errcode.TokenIncorrect)
		}
	}
	srv.Advance(time.Minute)
	srv.RunJobs(t) // those that hide do not wait for the mail
	var subjects []string
	for _, m := range mails.Mails("used@example.org") {
		subjects = append(subjects, m.Subject)
	}
	if got := strings.Join(subjects, "\n"); strings.Count(got, "You have an account on narthex.test already") != 2 || len(subjects) != 3 {
		t.Errorf("the owner got %q", got)
	}
	if n := len(mails.Mails("new@example.org")); n != 2 {
		t.Errorf("the unused address got %d mails, want one to register and one to add", n)
	}
}

func TestTP65_RefusedMail(t *testing.T) {
	srv, mails := withMail(t)
	mails.Refuse("nobody@example.org")
	for _, path := range []string{registerEmailPath, addEmailPath} {
		srv.Anyone().Do(t, "POST", path, emailWish("nobody@example.org")).Fails(t, srv, errcode.Unknown)
	}
	own(t, srv, srv.User(t, "alice").UserID, "email", "nobody@example.org")
	srv.Anyone().Do(t, "POST", resetEmailPath, emailWish("nobody@example.org")).Fails(t, srv, errcode.Unknown)
}

// TestTP34_65_RefusedTextMessage holds that what the gateway refuses is a failure, and
// no attempt: with the same number it is tried again.
func TestTP34_65_RefusedTextMessage(t *testing.T) {
	var refuse atomic.Bool
	var taken atomic.Int64
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if refuse.Load() {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		taken.Add(1)
	}))
	defer gateway.Close()
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.SMS.Webhook, cfg.SMS.Countries = config.SMSWebhook{URL: gateway.URL, Secret: "a secret of the gateway"}, []string{"GB"}
	})
	own(t, srv, srv.User(t, "alice").UserID, "msisdn", "447400999999")
	for path, number := range map[string]string{registerPhonePath: "07400 123456", addPhonePath: "07400 654321", resetPhonePath: "07400 999999"} {
		before := taken.Load()
		refuse.Store(true)
		srv.Anyone().Do(t, "POST", path, phoneWish("GB", number)).Fails(t, srv, errcode.Unknown)
		refuse.Store(false)
		request(t, srv.Anyone(), path, phoneWish("GB", number))
		request(t, srv.Anyone(), path, phoneWish("GB", number)) // TP-33: nothing is sent
		if n := taken.Load() - before; n != 1 {
			t.Errorf("%s: %d messages were sent, want 1", path, n)
		}
	}
}
