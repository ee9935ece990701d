package apitest

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/doctor"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// ServerName is the server name of every server in a test that is not given another.
const ServerName id.ServerName = "narthex.test"

// ByName, as the public URL of a configuration, stands for the server's own address
// with a name instead of a number: browsers keep passkeys for names alone.
const ByName = "http://localhost"

// Server is a running server.
type Server struct {
	App *app.App
	URL string
	Log *dbtest.Log

	clock *dbtest.Clock
}

// New starts a server over a fresh database, in --dev mode; each function may
// change the configuration first. It stops with the test.
func New(t testing.TB, change ...func(*config.Config)) *Server {
	t.Helper()
	return Over(t, dbtest.New(t), change...)
}

// Over starts a server over an existing database: a second replica (PostgreSQL),
// or the same server after a restart.
func Over(t testing.TB, database string, change ...func(*config.Config)) *Server {
	t.Helper()
	cfg := config.Default()
	cfg.ServerName, cfg.Dev, cfg.Database = string(ServerName), true, database
	cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts, cfg.Approval.Reason = false, false, "off"
	cfg.RateLimits.Enabled = false
	cfg.Limits.Concurrency = 1000 // a slow machine is not to have requests refused
	for _, f := range change {
		f(&cfg)
	}
	s := &Server{Log: &dbtest.Log{}, clock: &dbtest.Clock{}}
	web := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { s.App.ServeHTTP(w, r) }))
	s.URL = "http://" + web.Listener.Addr().String()
	if cfg.PublicURL == ByName {
		s.URL = strings.Replace(s.URL, "127.0.0.1", "localhost", 1)
		cfg.PublicURL = s.URL
	}
	if cfg.PublicURL == "" {
		cfg.PublicURL = s.URL
	}
	a, err := app.Open(t.Context(), cfg, app.Seams{
		Now: s.clock.Now, Unsynced: true,
		Log:     s.Logger(),
		Examine: doctor.Shown,
		Observe: func(a httpapi.Answer) { observe(t, a) },
	})
	if err != nil {
		t.Fatal(err)
	}
	s.App = a
	web.Start()
	t.Cleanup(func() {
		web.CloseClientConnections() // long polls end
		web.Close()
		a.Close()
		s.Log.Check(t, Password)
	})
	return s
}

// observe fails the test when a route answers what it does not declare.
func observe(t testing.TB, a httpapi.Answer) {
	if a.Route == nil {
		return
	}
	if a.Code == nil {
		record(a.Route.Op, "ok")
		return
	}
	record(a.Route.Op, a.Code.Key)
	if !a.Route.Declares(a.Code) {
		t.Errorf("%s answered %s, which it does not declare", a.Route, a.Code.Key)
	}
}

// Advance moves the server's clock forward.
func (s *Server) Advance(d time.Duration) { s.clock.Advance(d) }

// StopClock has the server's clock stand still: only Advance moves it from now on.
func (s *Server) StopClock() { s.clock.Stop() }

// RunJobs works every job that is due.
func (s *Server) RunJobs(t testing.TB) {
	t.Helper()
	if err := s.App.RunJobs(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Password is the password of every user made by [Server.User].
const Password = "correct horse battery"

// User makes an account with a signed-in device, without going through
// registration.
func (s *Server) User(t testing.TB, localpart string) *Client {
	t.Helper()
	return s.account(t, localpart, false)
}

// Administrator is User for a server administrator.
func (s *Server) Administrator(t testing.TB, localpart string) *Client {
	t.Helper()
	return s.account(t, localpart, true)
}

func (s *Server) account(t testing.TB, localpart string, admin bool) *Client {
	t.Helper()
	userID, err := id.NewUserID(localpart, id.ServerName(s.App.Config.ServerName))
	if err != nil {
		t.Fatal(err)
	}
	hash, err := s.App.Passwords.Hash(t.Context(), Password)
	if err != nil {
		t.Fatal(err)
	}
	err = s.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		return s.App.Accounts.Insert(tx, accounts.Account{UserID: userID, PasswordHash: hash, Admin: admin})
	})
	if err != nil {
		t.Fatal(err)
	}
	return s.Device(t, userID, "DEVICE1")
}

// Device signs a user in on a device, without going through login.
func (s *Server) Device(t testing.TB, userID id.UserID, deviceID id.DeviceID) *Client {
	t.Helper()
	c := &Client{Server: s, UserID: userID, DeviceID: deviceID}
	err := s.App.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
		if err := s.App.Accounts.PutDevice(tx, userID, deviceID, nil); err != nil {
			return err
		}
		c.Token, err = s.App.OAuth.IssueToken(tx, userID, deviceID, 0)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// Anyone is a client without a token.
func (s *Server) Anyone() *Client { return &Client{Server: s} }

// Client is a user's device, or nobody's.
type Client struct {
	Server   *Server
	UserID   id.UserID
	DeviceID id.DeviceID
	Token    string
	// Header is sent with each request, in place of what the request itself would have.
	Header http.Header
}

// noRedirects shows redirects to the tests instead of following them.
var noRedirects = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// Response is an answer, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// Do makes a request. The path may carry a query. The body is sent as it is if it
// is a string or []byte, as a form if it is url.Values, as JSON otherwise; nil sends
// none. Redirects are not followed.
func (c *Client) Do(t testing.TB, method, path string, body any) *Response {
	t.Helper()
	resp, err := c.Try(t.Context(), method, path, body)
	if err != nil {
		t.Fatalf("%s %s: %v", method, path, err)
	}
	return resp
}

// Try is Do for a request that may be cancelled, or made from another goroutine.
func (c *Client) Try(ctx context.Context, method, path string, body any) (*Response, error) {
	var reader io.Reader
	contentType := "application/json"
	switch b := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(b)
	case []byte:
		reader = bytes.NewReader(b)
	case url.Values:
		reader, contentType = strings.NewReader(b.Encode()), "application/x-www-form-urlencoded"
	default:
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		reader = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.Server.URL+path, reader)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	for name, values := range c.Header {
		req.Header[http.CanonicalHeaderKey(name)] = values
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := noRedirects.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return &Response{Status: resp.StatusCode, Header: resp.Header, Body: raw}, err
}
