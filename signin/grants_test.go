package signin_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/signin"
)

const granted = `{"access_token":"a1","token_type":"bearer","expires_in":300,"refresh_token":"r1","scope":"openid urn:matrix:client:api:* urn:matrix:client:device:` + device + `"}`

func TestRegister(t *testing.T) {
	for name, c := range map[string]struct {
		about   signin.ClientMetadata
		changes map[string]any
		want    string
	}{
		"device only": {signin.ClientMetadata{ClientURI: "https://example.com/", ClientName: "App"}, nil,
			`{"client_name":"App","client_uri":"https://example.com/","application_type":"native","grant_types":["refresh_token","urn:ietf:params:oauth:grant-type:device_code"],
			"response_types":[],"token_endpoint_auth_method":"none"}`},
		"browser, no device grant": {signin.ClientMetadata{ClientURI: "https://example.com/", RedirectURIs: []string{"https://example.com/cb"}, ApplicationType: "web"},
			map[string]any{"device_authorization_endpoint": nil},
			`{"client_uri":"https://example.com/","redirect_uris":["https://example.com/cb"],"application_type":"web","grant_types":["refresh_token","authorization_code"],
			"response_types":["code"],"token_endpoint_auth_method":"none"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := homeserver(c.changes)
			var got []byte
			w.on("POST "+auth+"/register", page{status: 201, body: `{"client_id":"c1","grant_types":["refresh_token"]}`,
				do: func(r *http.Request) { got, _ = io.ReadAll(r.Body) }})
			reg, err := discovered(t, w).Register(t.Context(), c.about)
			if err != nil || reg.ClientID != "c1" || !slices.Equal(reg.GrantTypes, []string{signin.GrantRefresh}) {
				t.Errorf("got %+v, %v", reg, err)
			}
			var gotJSON, wantJSON map[string]any
			if err := errors.Join(json.Unmarshal(got, &gotJSON), json.Unmarshal([]byte(c.want), &wantJSON)); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(wantJSON, gotJSON); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRegistrationIsRefused(t *testing.T) {
	w := homeserver(nil)
	h := discovered(t, w)
	about := signin.ClientMetadata{ClientURI: "https://example.com/"}
	register := func(p page) error {
		w.on("POST "+auth+"/register", p)
		_, err := h.Register(t.Context(), about)
		return err
	}
	wantOAuth(t, register(page{status: 400, body: `{"error":"invalid_client_metadata","error_description":"no"}`}), 400, "invalid_client_metadata")
	wantAnswer(t, register(page{status: 201, body: `{}`}), "has no client_id")
	wantAnswer(t, register(page{status: 201, body: `[]`}), "is not a JSON object")
	wantAnswer(t, register(page{status: 404, header: http.Header{"Content-Type": {"text/html"}}}), "is not an OAuth 2.0 error but a web page")
	wantAnswer(t, register(page{status: 201, body: `{"client_id":"a","token_endpoint_auth_method":"client_secret_basic"}`}),
		"demands that the client authenticates by client_secret_basic, which a program without a secret cannot")
	wantAnswer(t, register(page{status: 307, header: http.Header{"Location": {home}}}), "is not an OAuth 2.0 error but a redirect, which is not followed here")
	if err := register(page{err: io.ErrUnexpectedEOF}); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("a connection that breaks: %v", err)
	}
	w.requests()
	if _, err := h.Register(t.Context(), signin.ClientMetadata{}); err == nil {
		t.Error("a client without client_uri is registered")
	}
	wantRequests(t, w)
}

func TestCodeGrant(t *testing.T) {
	for name, c := range map[string]struct{ redirect, mode, separator string }{
		"custom scheme":  {"com.example.app:/callback", "query", "?"},
		"loopback":       {"http://127.0.0.1:1234/callback", "query", "?"},
		"https":          {"https://app.example.com/callback", "fragment", "#"},
		"https and path": {"https://app.example.com/?a=b", "fragment", "#"},
	} {
		t.Run(name, func(t *testing.T) {
			w := homeserver(nil)
			var sent []string
			w.on("POST "+auth+"/token", page{body: granted, do: form(&sent, "grant_type", "code", "redirect_uri", "client_id", "code_verifier")})
			h := discovered(t, w)
			g, err := h.StartCode(signin.CodeRequest{ClientID: "c1", RedirectURI: c.redirect, Scope: h.Scope(device), Create: true, Hint: "@alice:example.org"})
			if err != nil {
				t.Fatal(err)
			}
			u, err := url.Parse(g.URL)
			if err != nil {
				t.Fatal(err)
			}
			challenge := sha256.Sum256([]byte(g.Verifier))
			want := url.Values{"tenant": {"1"}, "response_type": {"code"}, "response_mode": {c.mode}, "client_id": {"c1"}, "redirect_uri": {c.redirect},
				"scope": {signin.Scope(device)}, "state": {g.State}, "code_challenge_method": {"S256"}, "prompt": {"create"}, "login_hint": {"@alice:example.org"},
				"code_challenge": {base64.RawURLEncoding.EncodeToString(challenge[:])}}
			if diff := cmp.Diff(want, u.Query()); diff != "" || u.Host != "auth.example.org" || u.Path != "/authorize" {
				t.Errorf("%s: %s", g.URL, diff)
			}
			if len(g.Verifier) < 43 || len(g.Verifier) > 128 || len(g.State) < 20 {
				t.Errorf("verifier %q, state %q", g.Verifier, g.State)
			}
			tokens, err := h.Exchange(t.Context(), g, c.redirect+c.separator+"code=c%2B1&state="+g.State+"&iss="+url.QueryEscape(auth+"/"))
			if err != nil {
				t.Fatal(err)
			}
			if tokens.AccessToken != "a1" || tokens.RefreshToken != "r1" || tokens.Lifetime != 5*time.Minute || !tokens.ExpiresAt.Equal(w.now.Add(5*time.Minute)) {
				t.Errorf("tokens: %+v", tokens)
			}
			if want := []string{"authorization_code", "c+1", c.redirect, "c1", g.Verifier, "5"}; !slices.Equal(sent, want) {
				t.Errorf("sent %q, want %q", sent, want)
			}
		})
	}
}

func TestCallbacksAreChecked(t *testing.T) {
	w := homeserver(nil)
	h := discovered(t, w)
	g, err := h.StartCode(signin.CodeRequest{ClientID: "c1", RedirectURI: "https://app.example.com/", Scope: h.Scope(device)})
	if err != nil {
		t.Fatal(err)
	}
	state := "&state=" + g.State
	for name, c := range map[string]struct {
		callback string
		want     error
	}{
		"another state": {"https://app.example.com/#code=1&state=x", signin.ErrWrongCallback},
		"no state":      {"https://app.example.com/#code=1", signin.ErrWrongCallback},
		"in the query":  {"https://app.example.com/?code=1" + state, signin.ErrWrongCallback},
		"other issuer":  {"https://app.example.com/#code=1&iss=https://evil.example.org/" + state, signin.ErrWrongCallback},
		"LG-6 denied":   {"https://app.example.com/#error=access_denied&error_description=The+owner+said+no" + state, signin.ErrAccessDenied},
		"two codes":     {"https://app.example.com/#code=1&code=2" + state, nil},
		"no code":       {"https://app.example.com/#a=b" + state, nil},
		"unreadable":    {"https://app.example.com/#code=%zz" + state, nil},
	} {
		_, err := h.Exchange(t.Context(), g, c.callback)
		if err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err = h.Exchange(t.Context(), g, "https://app.example.com/#error=server_error&error_description=The+moon"+state)
	wantOAuth(t, err, 0, "server_error")
	wantRequests(t, w)
}

func TestCodeGrantIsNotBegun(t *testing.T) {
	h := discovered(t, homeserver(map[string]any{"prompt_values_supported": nil}))
	good := signin.CodeRequest{ClientID: "c1", RedirectURI: "https://app.example.com/", Scope: h.Scope(device)}
	for name, change := range map[string]func(*signin.CodeRequest){
		"relative redirect": func(r *signin.CodeRequest) { r.RedirectURI = "/callback" },
		"no device":         func(r *signin.CodeRequest) { r.Scope = "openid" },
		"no accounts here":  func(r *signin.CodeRequest) { r.Create = true },
		"form_post":         func(r *signin.CodeRequest) { r.ResponseMode = "form_post" },
	} {
		r := good
		change(&r)
		if g, err := h.StartCode(r); err == nil {
			t.Errorf("%s: %+v", name, g)
		}
	}
}

func TestTokenAnswersAreChecked(t *testing.T) {
	w := homeserver(nil)
	h := discovered(t, w)
	g, err := h.StartCode(signin.CodeRequest{ClientID: "c1", RedirectURI: "a:/", Scope: h.Scope(device)})
	if err != nil {
		t.Fatal(err)
	}
	exchange := func(p page) (signin.Tokens, error) {
		w.on("POST "+auth+"/token", p)
		return h.Exchange(t.Context(), g, "a:/?code=1&state="+g.State)
	}
	for body, problem := range map[string]string{
		`{"token_type":"Bearer"}`:                       "has no access_token",
		`{"access_token":"a"}`:                          `has a token of the type "" instead of Bearer`,
		`{"access_token":"a","token_type":"mac"}`:       `has a token of the type "mac" instead of Bearer`,
		`{"access_token":1,"token_type":"Bearer"}`:      "has access_token of the wrong type",
		`["access_token"]`:                              "is not a JSON object",
		`{"access_token":"a","token_type":"Bearer"`:     "is not a JSON object",
		`{"access_token":"a","token_type":"Bearer"} {}`: "is not a JSON object",
	} {
		_, err := exchange(page{body: body})
		wantAnswer(t, err, problem)
	}
	for expires, want := range map[string]time.Duration{`300`: 5 * time.Minute, `"300"`: 5 * time.Minute, `1.5`: 1500 * time.Millisecond, `0`: 0, `-1`: 0, `1e30`: 0} {
		tokens, err := exchange(page{body: `{"access_token":"a","token_type":"Bearer","expires_in":` + expires + `}`})
		if err != nil || tokens.Lifetime != want || tokens.ExpiresAt.IsZero() != (want == 0) || tokens.Scope != h.Scope(device) {
			t.Errorf("expires_in %s: %+v, %v", expires, tokens, err)
		}
	}
	_, err = exchange(page{status: 400, body: `{"error":"invalid_grant"}`})
	wantOAuth(t, err, 400, "invalid_grant")
	_, err = exchange(page{status: 429, body: `{"errcode":"M_LIMIT_EXCEEDED","error":"Too fast"}`, header: http.Header{"Retry-After": {"3"}}})
	var refusal *signin.MatrixError
	if !errors.As(err, &refusal) || refusal.Code != "M_LIMIT_EXCEEDED" || refusal.RetryAfter != 3*time.Second {
		t.Errorf("a Matrix error: %v", err)
	}
}

const started = `{"device_code":"d1","user_code":"WDJB-MJHT","verification_uri":"https://auth.example.org/link",
	"verification_uri_complete":"https://auth.example.org/link?user_code=WDJB-MJHT","expires_in":60,"interval":5}`

func startDevice(t *testing.T, w *web, answer string) (*signin.Homeserver, *signin.DeviceGrant) {
	t.Helper()
	w.on("POST "+auth+"/device", page{body: answer})
	h := discovered(t, w)
	g, err := h.StartDevice(t.Context(), "c1", h.Scope(device))
	if err != nil {
		t.Fatal(err)
	}
	return h, g
}

func TestDeviceGrant(t *testing.T) {
	w := homeserver(nil)
	var asked, polled []string
	w.on("POST "+auth+"/device", page{body: started, do: form(&asked, "client_id", "scope")})
	h := discovered(t, w)
	g, err := h.StartDevice(t.Context(), "c1", h.Scope(device))
	if err != nil {
		t.Fatal(err)
	}
	if g.UserCode != "WDJB-MJHT" || g.Link() != "https://auth.example.org/link?user_code=WDJB-MJHT" || g.Interval != 5*time.Second || !g.ExpiresAt.Equal(w.now.Add(time.Minute)) {
		t.Errorf("got %+v", g)
	}
	w.on("POST "+auth+"/token", pending, pending, page{body: granted, do: form(&polled, "grant_type", "device_code", "client_id")})
	tokens, err := h.WaitDevice(t.Context(), g)
	if err != nil || tokens.AccessToken != "a1" {
		t.Errorf("got %+v, %v", tokens, err)
	}
	if want := []string{"c1", h.Scope(device), "2"}; !slices.Equal(asked, want) {
		t.Errorf("asked with %q", asked)
	}
	if want := []string{signin.GrantDevice, "d1", "c1", "3"}; !slices.Equal(polled, want) {
		t.Errorf("polled with %q", polled)
	}
	wantWaits(t, w, 5, 5)
}

var (
	pending  = page{status: 400, body: `{"error":"authorization_pending"}`}
	slowDown = page{status: 400, body: `{"error":"slow_down"}`}
	broken   = page{err: io.ErrUnexpectedEOF}
)

func wantWaits(t *testing.T, w *web, seconds ...int) {
	t.Helper()
	var want []time.Duration
	for _, s := range seconds {
		want = append(want, time.Duration(s)*time.Second)
	}
	if !slices.Equal(w.waits, want) {
		t.Errorf("waited %v, want %v", w.waits, want)
	}
}

func TestPolling(t *testing.T) {
	limited := page{status: 429, body: "slow", header: http.Header{"Retry-After": {"20"}}}
	for name, c := range map[string]struct {
		pages []page
		check func(error) bool
		waits []int
	}{
		"slow_down is for good": {[]page{pending, slowDown, pending, {body: granted}}, nil, []int{5, 10, 10}},
		"two slow_down":         {[]page{slowDown, slowDown, {body: granted}}, nil, []int{10, 15}},
		"429 with Retry-After":  {[]page{limited, pending, {body: granted}}, nil, []int{20, 10}},
		"MAS answers 403":       {[]page{{status: 403, body: pending.body}, {body: granted}}, nil, []int{5}},
		"back-off":              {[]page{broken, {status: 502, body: "<html>"}, pending, broken, {body: granted}}, nil, []int{10, 20, 5, 10}},
		"5xx in OAuth":          {[]page{{status: 503, body: `{"error":"temporarily_unavailable"}`}, {body: granted}}, nil, []int{10}},
		"LG-6 denied":           {[]page{pending, {status: 400, body: `{"error":"access_denied"}`}}, wrongly(signin.ErrAccessDenied), []int{5}},
		"expired at the server": {[]page{{status: 400, body: `{"error":"expired_token"}`}}, wrongly(signin.ErrExpired), nil},
		"expired by our clock":  {[]page{pending}, wrongly(signin.ErrExpired), []int{5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5}},
		"expired unreachable":   {[]page{broken}, wrongly(signin.ErrExpired), []int{10, 20, 30}},
		"spent": {[]page{{status: 400, body: `{"error":"invalid_grant"}`}}, func(err error) bool {
			var refusal *signin.OAuthError
			return errors.As(err, &refusal) && refusal.Code == "invalid_grant"
		}, nil},
		"web page": {[]page{{body: "<html>"}}, func(err error) bool {
			var unusable *signin.AnswerError
			return errors.As(err, &unusable)
		}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w := homeserver(nil)
			h, g := startDevice(t, w, started)
			w.on("POST "+auth+"/token", c.pages...)
			tokens, err := h.WaitDevice(t.Context(), g)
			switch {
			case c.check == nil && (err != nil || tokens.AccessToken != "a1"):
				t.Errorf("got %+v, %v", tokens, err)
			case c.check != nil && !c.check(err):
				t.Errorf("got %v", err)
			}
			wantWaits(t, w, c.waits...)
		})
	}
}

func wrongly(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

func TestWaitingCanBeInterrupted(t *testing.T) {
	w := homeserver(nil)
	h, g := startDevice(t, w, started)
	ctx, cancel := context.WithCancel(t.Context())
	w.on("POST "+auth+"/token", page{status: 400, body: pending.body, do: func(*http.Request) { cancel() }}, page{body: granted})
	if _, err := h.WaitDevice(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if _, err := h.WaitDevice(t.Context(), g); err != nil {
		t.Errorf("the second time: %v", err)
	}
}

func TestDeviceGrantIsRefused(t *testing.T) {
	w := homeserver(nil)
	h := discovered(t, w)
	start := func(p page) error {
		w.on("POST "+auth+"/device", p)
		_, err := h.StartDevice(t.Context(), "c1", h.Scope(device))
		return err
	}
	wantOAuth(t, start(page{status: 401, body: `{"error":"invalid_client"}`}), 401, "invalid_client")
	for body, problem := range map[string]string{
		`{}`:                                   "has no device_code",
		`{"device_code":"d1"}`:                 "has no user_code",
		`{"device_code":"d1","user_code":"u"}`: "has no verification_uri",
		`{"device_code":"d1","user_code":"u","verification_uri":"https://a/"}`:                "has no expires_in that makes sense",
		`{"device_code":"d1","user_code":"u","verification_uri":"http://a/","expires_in":60}`: `has a verification URI that cannot be used: "http://a/" is not an https URL`,
		`{"device_code":1}`: "has device_code of the wrong type",
	} {
		wantAnswer(t, start(page{body: body}), problem)
	}
	if _, err := h.StartDevice(t.Context(), "c1", "openid"); err == nil {
		t.Error("a scope without a device is sent")
	}
	none := discovered(t, homeserver(map[string]any{"grant_types_supported": []string{signin.GrantCode, signin.GrantRefresh}}))
	if _, err := none.StartDevice(t.Context(), "c1", none.Scope(device)); !errors.Is(err, signin.ErrNoDeviceGrant) {
		t.Errorf("a server without the grant: %v", err)
	}
	found, err := homeserver(nil).client().Find(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := found.StartDevice(t.Context(), "c1", found.Scope(device)); !errors.Is(err, signin.ErrNoOAuth) {
		t.Errorf("a homeserver that was only found: %v", err)
	}
}

func TestDeviceGrantHasDefaults(t *testing.T) {
	_, g := startDevice(t, homeserver(nil), `{"device_code":"d1","user_code":"u","verification_uri":"https://a.example.org/","expires_in":60}`)
	if g.Interval != 5*time.Second || g.Link() != "https://a.example.org/" {
		t.Errorf("got %+v", g)
	}
}
