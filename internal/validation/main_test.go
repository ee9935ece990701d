package validation_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/sms"
	"github.com/narthex-matrix/narthex/internal/validation"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

const (
	clientSecret = "a.client=secret_-1"
	address      = "alice@example.org"
	number       = "442079460018"
	submitPath   = "/threepid/{purpose}/{medium}/submitToken"
	identityPath = "/identity/email/submitToken"
)

// world is a service over a database of its own, and a server with nothing but its
// routes. Messages are written into its log, as with --dev.
type world struct {
	*validation.Service
	t     testing.TB
	store *dbtest.Store
	db    *db.DB
	web   *httptest.Server
	out   *dbtest.Log

	mu     sync.Mutex
	waited []time.Duration
}

func newWorld(t testing.TB, change ...func(*config.Config)) *world {
	t.Helper()
	return over(t, dbtest.Open(t), change...)
}

// over is a world over the database of a server; two over one are replicas.
func over(t testing.TB, store *dbtest.Store, change ...func(*config.Config)) *world {
	t.Helper()
	w := &world{t: t, store: store, db: store.DB, out: &dbtest.Log{}}
	log := slog.New(slog.NewTextHandler(w.out, nil))
	cfg := config.Default()
	cfg.ServerName, cfg.PublicURL, cfg.RateLimits.Enabled = "narthex.test", "https://matrix.narthex.test", false
	dev := cfg
	dev.Dev = true
	for _, f := range change {
		f(&cfg)
	}
	if cfg.Mail.SMTP.Host != "" || cfg.SMS.Webhook.URL != "" {
		dev = cfg
	}
	w.Service = validation.New(validation.Deps{
		DB: w.db, Config: cfg, Mail: mail.New(mail.Deps{DB: w.db, Config: dev, Log: log}), SMS: sms.New(sms.Deps{DB: w.db, Config: dev, Log: log}),
		Wait: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.waited = append(w.waited, d)
			return ctx.Err()
		},
	})
	server := &httpapi.Server{
		Now: store.Now, Log: log, TrustedProxies: config.Networks([]string{"127.0.0.0/8"}),
		ErrorPage: func(_ *httpapi.Call, e *errcode.Error) []byte { return []byte("<!doctype html><p>" + e.Text) },
		AuthenticateIdentity: func(_ context.Context, token string, _ *httpapi.Call) (httpapi.Identity, error) {
			return httpapi.Identity{TermsDue: token == "due"}, nil
		},
		Observe: func(a httpapi.Answer) {
			if a.Route != nil && a.Code != nil && !a.Route.Declares(a.Code) {
				t.Errorf("%s answered %s, which it does not declare", a.Route, a.Code.Key)
			}
		},
	}
	server.Handle(append(
		w.SubmitRoutes(validation.SubmitURL{Path: submitPath, Post: "post", Get: "get"}),
		w.SubmitRoutes(validation.SubmitURL{Path: identityPath, Post: "identityPost", Get: "identityGet",
			Purpose: validation.Identity, Medium: validation.Email, Auth: httpapi.IdentityUser})...))
	w.web = httptest.NewServer(server)
	t.Cleanup(w.web.Close)
	return w
}

func from(ip string) *httpapi.Call { return &httpapi.Call{Addr: netip.MustParseAddr(ip)} }

// byMail and byPhone are ordinary requests.
func byMail(purpose validation.Purpose) validation.Request {
	return validation.Request{Purpose: purpose, Medium: validation.Email, Address: address, ClientSecret: clientSecret, SendAttempt: 1,
		SubmitURL: "https://matrix.narthex.test/threepid/" + string(purpose) + "/email/submitToken"}
}

func byPhone(purpose validation.Purpose) validation.Request {
	return validation.Request{Purpose: purpose, Medium: validation.Phone, Address: number, ClientSecret: clientSecret, SendAttempt: 1}
}

// send asks for a message, and fails the test if that fails.
func (w *world) send(req validation.Request) (sid string) {
	w.t.Helper()
	sid, err := w.Send(w.t.Context(), from("192.0.2.1"), req)
	if err != nil {
		w.t.Fatal(err)
	}
	return sid
}

// open opens a session whose message nobody sends.
func (w *world) open(req validation.Request) (sid string) {
	w.t.Helper()
	err := w.db.Write(w.t.Context(), func(tx *db.Tx) (err error) {
		sid, err = w.Open(tx, req)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return sid
}

// submission is the right one for a session.
func (w *world) submission(req validation.Request, sid string) validation.Submission {
	w.t.Helper()
	in := validation.Submission{Purpose: req.Purpose, Medium: req.Medium, SID: sid, ClientSecret: req.ClientSecret}
	err := w.db.Read(w.t.Context(), func(tx *db.Tx) (err error) {
		in.Token, err = validation.Token(tx, sid, req.ClientSecret)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return in
}

// submit hands a token in.
func (w *world) submit(in validation.Submission) error {
	_, err := w.Submit(w.t.Context(), from("192.0.2.1"), in)
	return err
}

// wrong is the submission with another token of the same form.
func wrong(in validation.Submission) validation.Submission {
	last := "1"
	if strings.HasSuffix(in.Token, last) {
		last = "2"
	}
	in.Token = in.Token[:len(in.Token)-1] + last
	return in
}

// validated asks for the result of a session.
func (w *world) validated(sid, secret string, purposes ...validation.Purpose) (v validation.Validated, err error) {
	w.t.Helper()
	if failed := w.db.Read(w.t.Context(), func(tx *db.Tx) error {
		v, err = w.Validated(tx, purposes, sid, secret)
		return nil
	}); failed != nil {
		w.t.Fatal(failed)
	}
	return v, err
}

var (
	tokensSent = regexp.MustCompile(`token=([A-Za-z0-9]{32})`)
	codesSent  = regexp.MustCompile(`([0-9]{6}) is your code`)
)

// sent are the tokens or codes of all messages that were delivered.
func (w *world) sent(what *regexp.Regexp) (out []string) {
	for _, m := range what.FindAllStringSubmatch(w.out.String(), -1) {
		out = append(out, m[1])
	}
	return out
}

func is(t testing.TB, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// answer is an answer of the world's server.
type answer struct {
	status int
	header http.Header
	body   string
}

// do makes a request: of a form, if the body is url.Values.
func (w *world) do(method, path string, body any, header ...string) answer {
	w.t.Helper()
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case string:
		reader = strings.NewReader(b)
	case url.Values:
		reader, kind = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	}
	req, err := http.NewRequestWithContext(w.t.Context(), method, w.web.URL+path, reader)
	if err != nil {
		w.t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer{resp.StatusCode, resp.Header, string(raw)}
}

// fails holds that the answer is an error of Matrix.
func (a answer) fails(t *testing.T, want *errcode.Code) {
	t.Helper()
	if a.status != want.Status || !strings.Contains(a.body, `"errcode":"`+want.Name+`"`) || a.header.Get("Content-Type") != "application/json" {
		t.Errorf("got %d %s, want %d %s", a.status, a.body, want.Status, want.Name)
	}
}

// failsAsPage holds that the answer is an error as a page.
func (a answer) failsAsPage(t *testing.T, want *errcode.Code) {
	t.Helper()
	if a.status != want.Status || !strings.HasPrefix(a.header.Get("Content-Type"), "text/html") || a.header.Get("Location") != "" {
		t.Errorf("got %d %v %s, want a page with %d", a.status, a.header, a.body, want.Status)
	}
}
