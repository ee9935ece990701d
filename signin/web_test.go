package signin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

// A web is the internet of a test: it answers what was written down, and fails for
// everything else. It keeps what was asked.
type web struct {
	mu    sync.Mutex
	pages map[string][]page // by method and URL; the last one stays
	asked []string
	now   time.Time
	waits []time.Duration
}

// A page is one answer. A nil err and a status of 0 is 200.
type page struct {
	status int
	body   string
	header http.Header
	err    error
	do     func(r *http.Request) // before it is answered
}

func newWeb() *web {
	return &web{pages: map[string][]page{}, now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

// on writes down answers, to be given in turn.
func (w *web) on(request string, pages ...page) *web {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pages[request] = pages
	return w
}

func (w *web) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if r.Body != nil {
		defer r.Body.Close()
	}
	p := w.next(r)
	if p.do != nil {
		p.do(r)
	}
	if err := errors.Join(p.err, r.Context().Err()); err != nil {
		return nil, err
	}
	rec := httptest.NewRecorder()
	for name, values := range p.header {
		rec.Header()[name] = values
	}
	if p.status == 0 {
		p.status = 200
	}
	rec.WriteHeader(p.status)
	rec.WriteString(p.body)
	resp := rec.Result()
	resp.Request = r
	return resp, nil
}

func (w *web) next(r *http.Request) page {
	w.mu.Lock()
	defer w.mu.Unlock()
	url := *r.URL
	url.RawQuery = ""
	request := r.Method + " " + url.String()
	w.asked = append(w.asked, request)
	pages, known := w.pages[request]
	if !known {
		return page{err: fmt.Errorf("nothing answers %s", request)}
	}
	if len(pages) > 1 {
		w.pages[request] = pages[1:]
	}
	return pages[0]
}

// requests gives what was asked since the last time.
func (w *web) requests() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	asked := w.asked
	w.asked = nil
	return asked
}

func (w *web) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

// client lives in the web, by its clock. Waiting takes no time but the clock's.
func (w *web) client() *signin.Client {
	return &signin.Client{
		HTTP: &http.Client{Transport: w},
		Now: func() time.Time {
			w.mu.Lock()
			defer w.mu.Unlock()
			return w.now
		},
		Wait: func(ctx context.Context, d time.Duration) error {
			w.advance(d)
			w.mu.Lock()
			defer w.mu.Unlock()
			if w.waits = append(w.waits, d); len(w.waits) > 1000 {
				return errors.New("the test waits for ever")
			}
			return ctx.Err()
		},
	}
}

const (
	home   = "https://matrix.example.org"
	auth   = "https://auth.example.org"
	device = "ABCDEFGHIJKLMNOP"
)

var (
	missing  = page{status: 404, body: `{"errcode":"M_UNRECOGNIZED","error":"no"}`}
	versions = page{body: `{"versions":["v1.11","v1.15"],"unstable_features":{"org.matrix.msc4108":true}}`}
)

// metadata is complete, with changes; a nil value removes a member.
func metadata(changes map[string]any) page {
	m := map[string]any{
		"issuer":                           auth + "/",
		"authorization_endpoint":           auth + "/authorize?tenant=1",
		"token_endpoint":                   auth + "/token",
		"revocation_endpoint":              auth + "/revoke",
		"registration_endpoint":            auth + "/register",
		"device_authorization_endpoint":    auth + "/device",
		"response_types_supported":         []string{"code"},
		"response_modes_supported":         []string{"query", "fragment", "form_post"},
		"grant_types_supported":            []string{signin.GrantCode, signin.GrantRefresh, signin.GrantDevice},
		"code_challenge_methods_supported": []string{"plain", "S256"},
		"prompt_values_supported":          []string{"create"},
	}
	for name, value := range changes {
		if value == nil {
			delete(m, name)
			continue
		}
		m[name] = value
	}
	body, err := json.Marshal(m)
	return page{body: string(body), err: err}
}

// homeserver is example.org, which has all there is.
func homeserver(changes map[string]any) *web {
	return newWeb().
		on("GET https://example.org/.well-known/matrix/client", page{body: `{"m.homeserver":{"base_url":"` + home + `/"}}`}).
		on("GET "+home+"/_matrix/client/versions", versions).
		on("GET "+home+"/_matrix/client/v1/auth_metadata", metadata(changes))
}

func discovered(t *testing.T, w *web) *signin.Homeserver {
	t.Helper()
	h, err := w.client().Discover(t.Context(), "example.org")
	if err != nil {
		t.Fatal(err)
	}
	w.requests()
	return h
}

func wantRequests(t *testing.T, w *web, want ...string) {
	t.Helper()
	if got := w.requests(); !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
}

func wantOAuth(t *testing.T, err error, status int, code string) {
	t.Helper()
	var refusal *signin.OAuthError
	if !errors.As(err, &refusal) || refusal.Status != status || refusal.Code != code {
		t.Errorf("got %v, want the OAuth error %s with the status %d", err, code, status)
	}
}

func wantAnswer(t *testing.T, err error, problem string) {
	t.Helper()
	var unusable *signin.AnswerError
	if !errors.As(err, &unusable) || unusable.Problem != problem {
		t.Errorf("got %v, want an answer that %s", err, problem)
	}
}

// form keeps the form of a request.
func form(into *[]string, names ...string) func(*http.Request) {
	return func(r *http.Request) {
		*into = nil
		if err := r.ParseForm(); err != nil {
			*into = append(*into, err.Error())
		}
		for _, name := range names {
			*into = append(*into, r.PostForm.Get(name))
		}
		*into = append(*into, fmt.Sprint(len(r.PostForm)))
	}
}
