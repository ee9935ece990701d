package signin_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

func TestTokensAreReplacedInTime(t *testing.T) {
	w := newWeb()
	c, tr, s := signedIn(w)
	var sent []string
	w.on("POST "+auth+"/token", page{body: second, do: func(r *http.Request) {
		form(&sent, "grant_type", "refresh_token", "client_id")(r)
		if len(s.tokens()) > 0 {
			t.Error("saved too early")
		}
	}})
	w.advance(3*time.Minute + 59*time.Second)
	wantGet(t, c, "200 synced")
	wantRequests(t, w, "GET "+sync1)
	w.advance(time.Second)
	w.on("GET "+sync1, page{body: "synced", do: func(r *http.Request) {
		if got := s.tokens(); r.Header.Get("Authorization") != "Bearer a2" || !slices.Equal(got, []string{"a2"}) {
			t.Errorf("used %q when %q was saved", r.Header.Get("Authorization"), got)
		}
	}})
	wantGet(t, c, "200 synced")
	wantRequests(t, w, "POST "+auth+"/token", "GET "+sync1)
	if want := []string{signin.GrantRefresh, "r1", "c1", "3"}; !slices.Equal(sent, want) {
		t.Errorf("sent %q, want %q", sent, want)
	}
	if got := tr.Session().Tokens; got.RefreshToken != "r2" || got.Scope != signin.Scope(device) || !got.ExpiresAt.Equal(w.now.Add(5*time.Minute)) {
		t.Errorf("tokens: %+v", got)
	}
}

func TestASoftLogoutIsMended(t *testing.T) {
	for name, c := range map[string]struct {
		answer  page
		expires time.Duration // until the token's end; 0 if unknown
		want    string
		asked   int
	}{
		"soft logout":              {softLogout, time.Hour, "200 synced", 3},
		"without, expiry unknown":  {unknownToken, 0, "200 synced", 3},
		"without, unexpired":       {unknownToken, time.Hour, "401 " + unknownToken.body, 1},
		"another error":            {page{status: 401, body: `{"errcode":"M_MISSING_TOKEN","soft_logout":true}`}, 0, `401 {"errcode":"M_MISSING_TOKEN","soft_logout":true}`, 1},
		"a web page":               {page{status: 401, body: "<html>"}, 0, "401 <html>", 1},
		"a long body passes whole": {page{status: 401, body: strings.Repeat("x", 100<<10)}, 0, "401 " + strings.Repeat("x", 100<<10), 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb()
			_, tr, s := signedIn(w)
			session := tr.Session()
			session.Tokens.ExpiresAt = time.Time{}
			if c.expires != 0 {
				session.Tokens.ExpiresAt = w.now.Add(c.expires)
			}
			client := &http.Client{Transport: w.client().Resume(session, s.save)}
			w.on("GET "+sync1, c.answer, page{body: "synced"}).on("POST "+auth+"/token", page{body: second})
			wantGet(t, client, c.want)
			if asked := w.requests(); len(asked) != c.asked {
				t.Errorf("asked %q", asked)
			}
		})
	}
}

func TestASecondRefusalIsHandedOn(t *testing.T) {
	w := newWeb()
	c, _, _ := signedIn(w)
	w.on("GET "+sync1, softLogout).on("POST "+auth+"/token", page{body: second})
	wantGet(t, c, "401 "+softLogout.body)
	wantRequests(t, w, "GET "+sync1, "POST "+auth+"/token", "GET "+sync1)
}

func TestBodiesAreSentAgain(t *testing.T) {
	w := newWeb()
	c, _, _ := signedIn(w)
	var bodies []string
	read := func(p page) page {
		p.do = func(r *http.Request) { b, _ := io.ReadAll(r.Body); bodies = append(bodies, string(b)) }
		return p
	}
	put := func(body io.Reader) int {
		w.on("PUT "+home+"/x", read(softLogout), read(page{})).on("POST "+auth+"/token", page{body: second})
		req, err := http.NewRequestWithContext(t.Context(), "PUT", home+"/x", body)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := c.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := put(strings.NewReader("hello")); got != 200 || !slices.Equal(bodies, []string{"hello", "hello"}) {
		t.Errorf("status %d, bodies %q", got, bodies)
	}
	// One that cannot be read twice: the caller gets the refusal, and a new token for
	// the next attempt.
	bodies = nil
	if got := put(io.MultiReader(strings.NewReader("hello"))); got != 401 || !slices.Equal(bodies, []string{"hello"}) {
		t.Errorf("status %d, bodies %q", got, bodies)
	}
}

func TestOneRefreshForAllAtOnce(t *testing.T) {
	w := newWeb()
	c, _, s := signedIn(w)
	w.advance(10 * time.Minute)
	w.on("POST "+auth+"/token", page{body: second})
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { wantGet(t, c, "200 synced") })
	}
	all.Wait()
	refreshes := 0
	for _, asked := range w.requests() {
		if strings.HasPrefix(asked, "POST") {
			refreshes++
		}
	}
	if refreshes != 1 || !slices.Equal(s.tokens(), []string{"a2"}) {
		t.Errorf("refreshed %d times, saved %q", refreshes, s.tokens())
	}
}

func TestARefreshOutlivesWhoAskedForIt(t *testing.T) {
	w := newWeb()
	_, tr, s := signedIn(w)
	w.advance(10 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	w.on("POST "+auth+"/token", page{body: second, do: func(*http.Request) { cancel(); <-left }})
	if _, err := tr.Token(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	close(left)
	if token, err := tr.Token(t.Context()); token != "a2" || err != nil || !slices.Equal(s.tokens(), []string{"a2"}) {
		t.Errorf("got %q, %v, saved %q", token, err, s.tokens())
	}
	wantRequests(t, w, "POST "+auth+"/token")
}

func TestARequestThatCrossesARefreshIsSentAgain(t *testing.T) {
	w := newWeb()
	c, tr, _ := signedIn(w)
	crossed := unknownToken // without soft_logout: the old token is not good any more
	crossed.do = func(*http.Request) {
		w.advance(10 * time.Minute)
		if token, err := tr.Token(t.Context()); token != "a2" || err != nil {
			t.Errorf("got %q, %v", token, err)
		}
	}
	w.on("POST "+auth+"/token", page{body: second}).on("GET "+sync1, crossed, page{body: "synced"})
	wantGet(t, c, "200 synced")
	wantRequests(t, w, "GET "+sync1, "POST "+auth+"/token", "GET "+sync1)
}

func TestTokensThatCannotBeSavedAreNotUsed(t *testing.T) {
	w := newWeb()
	c, _, s := signedIn(w)
	w.on("POST "+auth+"/token", page{body: second})
	s.fail(io.ErrShortWrite)
	var used []string
	w.on("GET "+sync1, bearer(&used, page{body: "synced"}))

	w.advance(4*time.Minute + 30*time.Second) // the old token is still good
	wantGet(t, c, "200 synced")
	w.advance(time.Minute) // and now it is not
	if _, err := get(t, c, sync1); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("got %v", err)
	}
	s.fail(nil)
	wantGet(t, c, "200 synced")
	wantRequests(t, w, "POST "+auth+"/token", "GET "+sync1, "GET "+sync1) // one refresh, kept until it was saved
	if want := []string{"Bearer a1", "Bearer a2"}; !slices.Equal(used, want) {
		t.Errorf("used %q, want %q", used, want)
	}
}

func TestWhenARefreshFails(t *testing.T) {
	for name, c := range map[string]struct {
		answer page
		over   bool
	}{
		"invalid_grant":    {page{status: 400, body: `{"error":"invalid_grant"}`}, true},
		"invalid_client":   {page{status: 401, body: `{"error":"invalid_client"}`}, true},
		"network":          {broken, false},
		"503":              {page{status: 503, body: "<html>"}, false},
		"500 in OAuth":     {page{status: 500, body: `{"error":"server_error"}`}, false},
		"rate limit":       {page{status: 429, body: `{"error":"slow_down"}`}, false},
		"proxy":            {page{status: 404, body: "<html>"}, false},
		"in Matrix":        {page{status: 400, body: `{"errcode":"M_UNKNOWN","error":"no"}`}, false},
		"not this instant": {page{status: 400, body: `{"error":"temporarily_unavailable"}`}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWeb()
			client, tr, s := signedIn(w)
			w.on("POST "+auth+"/token", c.answer, page{body: second})
			if !c.over {
				w.advance(4*time.Minute + 30*time.Second)
				wantGet(t, client, "200 synced") // with the old token
				w.on("POST "+auth+"/token", c.answer, page{body: second})
			}
			w.advance(time.Minute * 5)
			_, err := get(t, client, sync1)
			if err == nil || errors.Is(err, signin.ErrLoggedOut) != c.over || len(s.saved) != 0 {
				t.Fatalf("got %v, saved %v", err, s.tokens())
			}
			token, err := tr.Token(t.Context())
			if c.over != errors.Is(err, signin.ErrLoggedOut) || !c.over && token != "a2" {
				t.Errorf("the next attempt: %q, %v", token, err)
			}
		})
	}
}

func TestARefreshTokenThatStays(t *testing.T) {
	w := newWeb()
	_, tr, _ := signedIn(w)
	w.advance(5 * time.Minute)
	w.on("POST "+auth+"/token", page{body: `{"access_token":"a2","token_type":"Bearer"}`})
	if _, err := tr.Token(t.Context()); err != nil || tr.Session().Tokens.RefreshToken != "r1" {
		t.Errorf("%v, %+v", err, tr.Session().Tokens)
	}
}

func TestWithoutARefreshTokenTheSessionEnds(t *testing.T) {
	w := newWeb()
	_, tr, s := signedIn(w)
	session := tr.Session()
	session.Tokens.RefreshToken = ""
	w.advance(time.Hour)
	if _, err := w.client().Resume(session, s.save).Token(t.Context()); !errors.Is(err, signin.ErrLoggedOut) {
		t.Errorf("got %v", err)
	}
	wantRequests(t, w)
}
