package validation_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// FuzzNextLink holds that what is taken for a next_link leads to the one host that is
// allowed, however a browser reads it: what stands between the two slashes and the
// next sign is that host.
func FuzzNextLink(f *testing.F) {
	w := newWorld(f, func(c *config.Config) { c.Threepid.NextLinkHosts = []string{"App.example.org", "[::1]:8008"} })
	for _, seed := range []string{
		"", "https://app.example.org", "http://APP.example.org:80/a?b=c&d#e", "https://[::1]:8008/", "https://app.example.org:443?x", "//app.example.org/", `https://evil.example\@app.example.org/`,
		"https://app.example.org@evil.example/", "https://app.example.org.evil.example/", "javascript://app.example.org/%0aalert(1)", "https:/app.example.org", "https://app.example.org%00.evil.example",
		"https://app.example.org:0443/", "https://[::1%25evil]:8008/", "https://app.example.org/\r\nX: y", "https://app.example。org/", "https://app.example.org#sid=x?y",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, link string) {
		if link == "" || w.CheckNextLink(link) != nil {
			return
		}
		for _, given := range []string{link, validation.WithSID(link, "the-sid")} {
			scheme, rest, ok := strings.Cut(given, "://")
			host := strings.ToLower(rest)
			if i := strings.IndexAny(host, "/?#"); i >= 0 {
				host = host[:i]
			}
			if scheme = strings.ToLower(scheme); scheme == "https" {
				host = strings.TrimSuffix(host, ":443")
			} else {
				host = strings.TrimSuffix(host, ":80")
			}
			if host = strings.TrimSuffix(host, ":"); !ok || (scheme != "https" && scheme != "http") || (host != "app.example.org" && host != "[::1]:8008") {
				t.Errorf("%q is allowed, and leads to %q", link, host)
			}
			if strings.ContainsFunc(given, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
				t.Errorf("%q is allowed, and has signs that browsers change", link)
			}
		}
		u, err := url.Parse(validation.WithSID(link, "the-sid"))
		if err != nil || !strings.HasSuffix(u.RawQuery, "sid=the-sid") {
			t.Errorf("%q has no sid: %v, %v", link, u, err)
		}
	})
}

// The seeds' words for what belongs to the session.
const (
	theSID   = "SIDSIDSID"
	theToken = "TOKENTOKENTOKEN"
)

// submitSeeds are bodies around a right one.
func submitSeeds(f *testing.F, seeds ...string) {
	for _, seed := range seeds {
		f.Add(seed)
	}
}

// serve has the world's server answer a request.
func (w *world) serve(r *http.Request) *httptest.ResponseRecorder {
	rec := httptest.NewRecorder()
	w.web.Config.Handler.ServeHTTP(rec, r)
	return rec
}

// submitted sends what a fuzzer made up to a session of its own, and holds that the
// answer is one of those that there are, and a success only for the three right
// values, of which read gives what the text has.
func (w *world) submitted(t *testing.T, text string, request func(text string) *http.Request, read func(text, name string) string) {
	t.Helper()
	w.t = t // the world is the fuzzer's, and this is one of its tests
	req := byMail(validation.Register)
	in := w.submission(req, w.open(req))
	text = strings.NewReplacer(theSID, in.SID, theToken, in.Token).Replace(text)
	a := w.serve(request(text))
	switch a.Code {
	case http.StatusOK:
		if read(text, "sid") != in.SID || read(text, "client_secret") != clientSecret || read(text, "token") != in.Token || a.Body.String() != `{"success":true}` {
			t.Errorf("%q: got 200 %s", text, a.Body)
		}
	case http.StatusBadRequest, http.StatusRequestEntityTooLarge:
		var e struct{ Errcode, Error string }
		if err := json.Unmarshal(a.Body.Bytes(), &e); err != nil || !strings.HasPrefix(e.Errcode, "M_") || e.Error == "" || strings.Contains(a.Body.String(), in.Token) {
			t.Errorf("%q: got %d %s", text, a.Code, a.Body)
		}
	default:
		t.Errorf("%q: got %d %s", text, a.Code, a.Body)
	}
	if a.Header().Get("Location") != "" || a.Header().Get("Content-Type") != "application/json" {
		t.Errorf("%q: got %v", text, a.Header())
	}
}

func FuzzSubmitTokenJSON(f *testing.F) {
	w := newWorld(f)
	submitSeeds(f, body(theSID, clientSecret, theToken), body(theSID, clientSecret, "wrong"), body(theSID, "other", theToken), "", "{}", "[]", "{", "null", `{"sid":"`+theSID+`"}`,
		`{"sid":1,"client_secret":null,"token":{}}`, `{"sid":"a","sid":"b","client_secret":"c","token":"d"}`, "{\"sid\":\"\xff\"}", `{"sid":"\ud800","client_secret":"c","token":"d"}`,
		`{"token":"`+theToken+`","x":[[[[1e999]]]],"client_secret":"`+clientSecret+`","sid":"`+theSID+`"}`, strings.Repeat("[", 20<<10))
	f.Fuzz(func(t *testing.T, text string) {
		w.submitted(t, text, func(text string) *http.Request {
			r := httptest.NewRequest("POST", mailPath, strings.NewReader(text))
			r.Header.Set("Content-Type", "application/json")
			return r
		}, func(text, name string) string {
			var members map[string]any
			_ = json.Unmarshal([]byte(text), &members) // of what is no JSON, nothing is read
			value, _ := members[name].(string)
			return value
		})
	})
}

func FuzzSubmitTokenForm(f *testing.F) {
	w := newWorld(f)
	right := url.Values{"sid": {theSID}, "client_secret": {clientSecret}, "token": {theToken}}.Encode()
	submitSeeds(f, right, right+"&token=x", right+"&x=y", right+"&%zz", right+";a=b", "", "&&=&", "sid="+theSID, "sid=a&client_secret=%00&token=d", "token="+strings.Repeat("%41", 300), strings.Repeat("a=b&", 5000))
	f.Fuzz(func(t *testing.T, text string) {
		for name, request := range map[string]func(text string) *http.Request{
			"form": func(text string) *http.Request {
				r := httptest.NewRequest("POST", mailPath, strings.NewReader(text))
				r.Header.Set("Content-Type", "application/x-www-form-urlencoded; charset=utf-8")
				return r
			},
			"query": func(text string) *http.Request {
				r := httptest.NewRequest("GET", mailPath, nil)
				r.URL.RawQuery = text
				r.Header.Set("Accept", "application/json")
				return r
			},
		} {
			t.Run(name, func(t *testing.T) {
				w.submitted(t, text, request, func(text, name string) string {
					values, _ := url.ParseQuery(text) // what is no form was refused
					return values.Get(name)
				})
			})
		}
	})
}
