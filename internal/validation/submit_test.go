package validation_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/validation"
)

const (
	mailPath     = "/threepid/register/email/submitToken"
	passwordPath = "/threepid/password/email/submitToken"
)

func body(sid, secret, token string) string {
	return `{"sid":"` + sid + `","client_secret":"` + secret + `","token":"` + token + `"}`
}

func values(in validation.Submission) url.Values {
	return url.Values{"sid": {in.SID}, "client_secret": {in.ClientSecret}, "token": {in.Token}}
}

func TestTP1_JSONAndForms(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	in := w.submission(req, w.send(req))
	for _, sent := range []any{body(in.SID, in.ClientSecret, in.Token), values(in)} {
		if a := w.do("POST", mailPath, sent); a.status != 200 || a.body != `{"success":true}` || a.header.Get("Content-Type") != "application/json" {
			t.Errorf("got %d %s", a.status, a.body)
		}
	}
}

func TestTP5_TP6_TheIdentityService(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Identity)
	in := w.submission(req, w.send(req))
	w.do("POST", identityPath, `[`).fails(t, errcode.IdentityUnauthorized)
	w.do("POST", identityPath, `[`, "Authorization", "Bearer due").fails(t, errcode.TermsNotSigned)
	if a := w.do("POST", identityPath, values(in), "Authorization", "Bearer token"); a.status != 200 || a.body != `{"success":true}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	// The homeserver's URL does not know the purpose.
	w.do("POST", "/threepid/identity/email/submitToken", values(in)).fails(t, errcode.InvalidParam)
	// TP-3: a browser has no token.
	if a := w.do("GET", identityPath+"?"+values(in).Encode(), nil); a.status != 200 {
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestTP7_TP8_TP9_Parameters(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		body any
		want *errcode.Code
	}{
		{"TP-7 no JSON", `{`, errcode.NotJSON},
		{"TP-7 no UTF-8", "{\"sid\":\"\xff\"}", errcode.NotJSON},
		{"TP-7 no object", `["sid"]`, errcode.BadJSON},
		{"TP-7 a member twice", `{"sid":"a","sid":"b","client_secret":"c","token":"d"}`, errcode.BadJSON},
		{"TP-8 nothing", ``, errcode.MissingParams},
		{"TP-8 no sid", `{"client_secret":"c","token":"d"}`, errcode.MissingParams},
		{"TP-8 no secret", `{"sid":"a","token":"d"}`, errcode.MissingParams},
		{"TP-8 no token", `{"sid":"a","client_secret":"c"}`, errcode.MissingParams},
		{"TP-8 other spelling", `{"Sid":"a","client_secret":"c","token":"d"}`, errcode.MissingParams},
		{"TP-8 missing before invalid", `{"sid":1,"client_secret":"c"}`, errcode.MissingParams},
		{"TP-9 a number", `{"sid":"a","client_secret":"c","token":123456}`, errcode.InvalidParam},
		{"TP-9 null", `{"sid":null,"client_secret":"c","token":"d"}`, errcode.InvalidParam},
		{"TP-9 an object", `{"sid":"a","client_secret":{},"token":"d"}`, errcode.InvalidParam},
		{"TP-9 an empty sid", body("", "c", "d"), errcode.InvalidParam},
		{"TP-9 an empty secret", body("a", "", "d"), errcode.InvalidParam},
		{"TP-9 an empty token", body("a", "c", ""), errcode.InvalidParam},
		{"TP-9 another character", body("a", "c c", "d"), errcode.InvalidParam},
		{"TP-9 a letter beyond ASCII", body("ä", "c", "d"), errcode.InvalidParam},
		{"TP-9 a long secret", body("a", strings.Repeat("c", 256), "d"), errcode.InvalidParam},
		{"TP-9 a long token", body("a", "c", strings.Repeat("ä", 256)), errcode.InvalidParam},
		{"TP-9 NUL", body("a", "c", `\u0000`), errcode.InvalidParam},
		{"a form with nothing", url.Values{}, errcode.MissingParams},
		{"a form without a token", url.Values{"sid": {"a"}, "client_secret": {"c"}}, errcode.MissingParams},
		{"a form with an empty token", url.Values{"sid": {"a"}, "client_secret": {"c"}, "token": {""}}, errcode.InvalidParam},
		{"a form with two tokens", url.Values{"sid": {"a"}, "client_secret": {"c"}, "token": {"d", "e"}}, errcode.InvalidParam},
		{"too large", `{"sid":"` + strings.Repeat(" ", 17<<10) + `"}`, errcode.TooLarge},
	} {
		t.Run(c.name, func(t *testing.T) { w.do("POST", mailPath, c.body).fails(t, c.want) })
	}
	for query, want := range map[string]*errcode.Code{
		"":                                     errcode.MissingParams,
		"?sid=a&client_secret=c":               errcode.MissingParams,
		"?sid=a&client_secret=c&token=":        errcode.InvalidParam,
		"?sid=a&client_secret=c&token=d&sid=a": errcode.InvalidParam,
		"?sid=a&client_secret=%zz&token=d":     errcode.InvalidParam,
		"?sid=a&client_secret=c&token=d":       errcode.InvalidParam, // unknown
	} {
		w.do("GET", mailPath+query, nil, "Accept", "application/json").fails(t, want)
		w.do("GET", mailPath+query, nil).failsAsPage(t, want)
	}
}

func TestTP11_OneAnswerForAllThatIsWrongAboutASession(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	in := w.submission(req, w.send(req))
	var first string
	for name, c := range map[string]struct {
		path string
		in   validation.Submission
	}{
		"unknown sid":         {mailPath, validation.Submission{SID: "unknown", ClientSecret: clientSecret, Token: in.Token}},
		"another secret":      {mailPath, validation.Submission{SID: in.SID, ClientSecret: "another", Token: in.Token}},
		"a secret's case":     {mailPath, validation.Submission{SID: in.SID, ClientSecret: strings.ToUpper(clientSecret), Token: in.Token}},
		"another medium":      {"/threepid/register/msisdn/submitToken", in},
		"another purpose":     {"/threepid/add/email/submitToken", in},
		"no medium at all":    {"/threepid/register/pigeon/submitToken", in},
		"no purpose at all":   {"/threepid/fun/email/submitToken", in},
		"both secret, token":  {mailPath, validation.Submission{SID: in.SID, ClientSecret: "another", Token: "wrong"}},
		"the identity server": {"/threepid/identity/email/submitToken", in},
	} {
		a := w.do("POST", c.path, values(c.in))
		a.fails(t, errcode.InvalidParam)
		if first == "" {
			first = a.body
		}
		if a.body != first {
			t.Errorf("%s: %s, and before %s", name, a.body, first)
		}
	}
	if err := w.submit(in); err != nil {
		t.Errorf("none of them was a guess: %v", err)
	}
}

func TestTP12_TP19_TP27_Lifetimes(t *testing.T) {
	for _, c := range []struct {
		name string
		req  validation.Request
		open time.Duration
	}{
		{"a mail", byMail(validation.Register), time.Hour},
		{"a mail of the identity service", byMail(validation.Identity), 24 * time.Hour},
		{"a code", byPhone(validation.Add), 15 * time.Minute},
		{"a code of the identity service", byPhone(validation.Identity), 15 * time.Minute},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			early, late := w.submission(c.req, w.open(c.req)), w.submission(c.req, w.open(c.req))
			w.store.Advance(c.open - time.Minute)
			if err := w.submit(early); err != nil {
				t.Error(err)
			}
			w.store.Advance(2 * time.Minute)
			is(t, w.submit(late), errcode.SessionExpired)
			is(t, w.submit(wrong(late)), errcode.SessionExpired) // no oracle
			late.ClientSecret = "another"
			is(t, w.submit(late), errcode.InvalidParam) // TP-19
			// 24 hours from the validation on.
			if _, err := w.validated(early.SID, clientSecret, c.req.Purpose); err != nil {
				t.Error(err)
			}
			w.store.Advance(23 * time.Hour)
			if err := w.submit(early); err != nil { // TP-16: nothing is renewed
				t.Error(err)
			}
			w.store.Advance(time.Hour)
			is(t, w.submit(early), errcode.SessionExpired)
			_, err := w.validated(early.SID, clientSecret, c.req.Purpose)
			is(t, err, validation.ErrExpired)
		})
	}
}

func TestTP13_TP14_TP22_WrongTokensBurnASession(t *testing.T) {
	for _, c := range []struct {
		name string
		req  validation.Request
		most int
	}{{"by mail", byMail(validation.Register), validation.WrongTokens}, {"by text message", byPhone(validation.Register), validation.WrongCodes}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			other := w.submission(c.req, w.open(c.req))
			in := w.submission(c.req, w.open(c.req))
			for range c.most {
				is(t, w.submit(wrong(in)), errcode.TokenIncorrect) // TP-14
			}
			is(t, w.submit(in), errcode.SessionExpired)
			_, err := w.validated(in.SID, clientSecret, c.req.Purpose)
			is(t, err, validation.ErrExpired)
			if err := w.submit(other); err != nil { // each session has its own
				t.Error(err)
			}
		})
	}
}

func TestTP15_TP16_TP17_ATokenIsGoodAgain(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Add)
	in := w.submission(req, w.send(req))
	if err := w.submit(in); err != nil {
		t.Fatal(err)
	}
	first, err := w.validated(in.SID, clientSecret, validation.Add)
	if err != nil || first.Address != address || first.Medium != validation.Email || first.Purpose != validation.Add {
		t.Fatalf("got %+v, %v", first, err)
	}
	w.store.Advance(time.Hour)
	if err := w.submit(in); err != nil {
		t.Error(err)
	}
	for range validation.WrongTokens {
		is(t, w.submit(wrong(in)), errcode.TokenIncorrect)
	}
	is(t, w.submit(in), errcode.SessionExpired)
	if again, err := w.validated(in.SID, clientSecret, validation.Add); err != nil || again != first {
		t.Errorf("got %+v, %v; want %+v", again, err, first)
	}
}

func TestTP24_CodesAreReadAsPeopleTypeThem(t *testing.T) {
	w := newWorld(t)
	req := byPhone(validation.Add)
	in := w.submission(req, w.open(req))
	code := in.Token
	if len(code) != 6 || strings.Trim(code, "0123456789") != "" {
		t.Errorf("the code is %q", code)
	}
	for _, typed := range []string{" " + code + "\n", code[:3] + " " + code[3:], code[:3] + "-" + code[3:], code[:3] + "\u2011" + code[3:], code[:1] + "\u00a0" + code[1:]} {
		in.Token = typed
		if err := w.submit(in); err != nil {
			t.Errorf("%q: %v", typed, err)
		}
	}
	for _, typed := range []string{code + "0", "0" + code, code[1:], "-", code + ";"} {
		in := w.submission(req, w.open(req))
		in.Token = typed
		is(t, w.submit(in), errcode.TokenIncorrect)
	}
	// TP-23: a token of a mail is compared exactly.
	mailed := byMail(validation.Add)
	in = w.submission(mailed, w.open(mailed))
	if len(in.Token) != 32 {
		t.Errorf("the token is %q", in.Token)
	}
	for _, typed := range []string{in.Token + " ", strings.ToLower(in.Token), in.Token[:16] + "-" + in.Token[16:]} {
		in.Token = typed
		is(t, w.submit(in), errcode.TokenIncorrect)
	}
}

func TestTP20_TP21_TP36_TP39_Pages(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.Threepid.NextLinkHosts = []string{"app.example.org"} })
	req := byMail(validation.Register)
	in := w.submission(req, w.send(req))
	link := mailPath + "?" + values(in).Encode()

	a := w.do("HEAD", link, nil)
	if a.status != 405 {
		t.Errorf("HEAD: %d", a.status)
	}
	_, err := w.validated(in.SID, clientSecret, validation.Register)
	is(t, err, validation.ErrNotValidated)

	w.do("GET", mailPath+"?"+values(wrong(in)).Encode(), nil).failsAsPage(t, errcode.TokenIncorrect)
	w.do("GET", mailPath+"?"+values(wrong(in)).Encode(), nil, "Accept", "application/json").fails(t, errcode.TokenIncorrect)
	a = w.do("GET", link, nil)
	if a.status != 200 || !strings.Contains(a.body, "Your address is confirmed") {
		t.Errorf("got %d %s", a.status, a.body)
	}
	for name, want := range map[string]string{"Content-Type": "text/html", "Content-Security-Policy": "default-src 'none'; style-src 'self'",
		"Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY"} {
		if got := a.header.Get(name); !strings.HasPrefix(got, want) {
			t.Errorf("%s: %q", name, got)
		}
	}
	if a = w.do("GET", link, nil, "Accept", "application/json"); a.body != `{"success":true}` {
		t.Errorf("got %d %s", a.status, a.body)
	}
	w.store.Advance(25 * time.Hour)
	w.do("GET", link, nil).failsAsPage(t, errcode.SessionExpired)

	req.SendAttempt, req.NextLink = 2, "https://app.example.org/welcome?a=b#top"
	in = w.submission(req, w.send(req))
	a = w.do("GET", mailPath+"?"+values(in).Encode()+"&next_link=https://evil.example/", nil) // TP-36
	if want := "https://app.example.org/welcome?a=b&sid=" + in.SID + "#top"; a.status != 302 || a.header.Get("Location") != want {
		t.Errorf("got %d %q, want %q", a.status, a.header.Get("Location"), want)
	}
	if a = w.do("POST", mailPath, values(in)); a.status != 200 || a.body != `{"success":true}` { // TP-39
		t.Errorf("got %d %s", a.status, a.body)
	}
}

func TestAMailScannerResetsNoPassword(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Password)
	req.NextLink = "https://matrix.narthex.test/done"
	in := w.submission(req, w.send(req))
	for range validation.WrongTokens + 1 {
		a := w.do("GET", passwordPath+"?"+values(wrong(in)).Encode(), nil, "Accept", "application/json")
		if a.status != 200 || !strings.Contains(a.body, `<form class="stack" method="post" action="`+passwordPath+`">`) || !strings.Contains(a.body, in.SID) {
			t.Fatalf("got %d %s", a.status, a.body)
		}
	}
	_, err := w.validated(in.SID, clientSecret, validation.Password)
	is(t, err, validation.ErrNotValidated)

	const browser = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
	w.do("POST", passwordPath, values(wrong(in)), "Accept", browser).failsAsPage(t, errcode.TokenIncorrect)
	form := values(in)
	form.Set("form_token", "")
	a := w.do("POST", passwordPath, form, "Accept", browser)
	if a.status != 200 || !strings.Contains(a.body, "choose the new password") || !strings.Contains(a.body, `href="https://matrix.narthex.test/done?sid=`+in.SID+`"`) {
		t.Errorf("got %d %s", a.status, a.body)
	}
	if _, err := w.validated(in.SID, clientSecret, validation.Password); err != nil {
		t.Error(err)
	}
}
