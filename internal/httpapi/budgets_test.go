package httpapi_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// signedIn is a server that knows a token "user device", and no other, on which each
// request counts against the class Cheap.
type signedIn struct {
	*httpapi.Server
	now    time.Time
	looked int    // how many tokens were looked at
	ended  string // a token that has been taken back
}

func newSignedIn(limits *httpapi.Limiter) *signedIn {
	s := &signedIn{now: time.Now()}
	s.Server = &httpapi.Server{
		Now: func() time.Time { return s.now }, Log: slog.New(slog.DiscardHandler), Limits: limits,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		Authenticate: func(_ context.Context, token string, _ *httpapi.Call) (httpapi.Identity, error) {
			s.looked++
			var user, device string
			if _, err := fmt.Sscanf(token, "%1s-%s", &user, &device); err != nil || token == s.ended {
				return httpapi.Identity{}, errcode.UnknownToken.New("No such token.")
			}
			return httpapi.Identity{UserID: id.UserID("@" + user + ":a"), DeviceID: id.DeviceID(device)}, nil
		},
	}
	handle := func(context.Context, *httpapi.Call, nothing) (nothing, error) { return nothing{}, nil }
	s.Handle([]httpapi.Route{
		httpapi.JSON("GET /cheap", "cheap", httpapi.User, httpapi.Cheap, handle),
		httpapi.JSON("GET /static", "static", httpapi.Anyone, httpapi.Unlimited, handle),
		httpapi.JSON("GET /own", "own", httpapi.User, httpapi.Cheap, handle).SelfLimited(),
		httpapi.JSON("GET /meet", "meet", httpapi.User, httpapi.Expensive, handle).SigningIn(),
	})
	return s
}

func (s *signedIn) ask(path, token, from, forwarded string) int {
	r := httptest.NewRequest("GET", path, nil)
	r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(from), 1).String()
	r.Header.Set("Authorization", "Bearer "+token)
	if forwarded != "" {
		r.Header.Set("X-Forwarded-For", forwarded)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code
}

// TestSigningInKeepsTheBudgetOfTheClass holds that what is part of signing in waits
// where sign-ins do, and may be done no more often than its class says.
func TestSigningInKeepsTheBudgetOfTheClass(t *testing.T) {
	s := newSignedIn(httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{
		httpapi.Expensive: {PerSecond: 0.01, Burst: 1}, httpapi.Login: {PerSecond: 100, Burst: 100},
	}, 0))
	for i, want := range []int{200, 429, 429} {
		if got := s.ask("/meet", "a-one", "198.51.100.1", ""); got != want {
			t.Errorf("request %d: got %d, want %d", i, got, want)
		}
	}
}

// TestManyDevicesDoNotMakeALargeBudget has one user ask from more devices than all of
// them together have a budget for.
func TestManyDevicesDoNotMakeALargeBudget(t *testing.T) {
	s := newSignedIn(httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{httpapi.Cheap: {PerSecond: 0.01, Burst: 2}}, 2))
	for i, c := range []struct {
		token string
		want  int
	}{
		{"a-one", 200}, {"a-one", 200}, {"a-one", 429},
		{"a-two", 200},
		{"a-three", 200},
		{"a-three", 429}, // the device has more, the user has not
		{"a-four", 429},
		{"b-one", 200}, {"b-two", 200}, {"b-three", 200}, {"b-four", 200}, {"b-four", 429},
	} {
		if got := s.ask("/cheap", c.token, "198.51.100.1", ""); got != c.want {
			t.Errorf("request %d, of %s: got %d, want %d", i, c.token, got, c.want)
		}
	}
	s.now = s.now.Add(50 * time.Second) // one more for all devices, half a one for each
	for i, c := range []struct {
		token string
		want  int
	}{{"a-one", 429}, {"a-four", 200}, {"a-three", 429}} {
		if got := s.ask("/cheap", c.token, "198.51.100.1", ""); got != c.want {
			t.Errorf("later, request %d, of %s: got %d, want %d", i, c.token, got, c.want)
		}
	}
}

// TestWhoHasSpentABudgetIsNotLookedAt goes on asking after it was refused.
func TestWhoHasSpentABudgetIsNotLookedAt(t *testing.T) {
	s := newSignedIn(httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{
		httpapi.Cheap: {PerSecond: 2, Burst: 1}, httpapi.Expensive: {PerSecond: 0.1, Burst: 1},
	}, 0))
	for _, c := range []struct {
		name, path, token, ended string
		later                    time.Duration
		want                     int
		looked                   bool
	}{
		{name: "the first", path: "/cheap", token: "a-one", want: 200, looked: true},
		{name: "one too many", path: "/cheap", token: "a-one", want: 429, looked: true},
		{name: "again", path: "/cheap", token: "a-one", want: 429},
		{name: "another device", path: "/cheap", token: "a-two", want: 200, looked: true},
		{name: "another budget", path: "/meet", token: "a-one", want: 200, looked: true},
		{name: "what has a budget of its own", path: "/own", token: "a-one", want: 200, looked: true},
		{name: "what costs nothing", path: "/static", token: "a-one", want: 200},
		{name: "no token", path: "/cheap", token: "a one", want: 401},
		{name: "a moment before it has one again", path: "/cheap", token: "a-one", later: 499 * time.Millisecond, want: 429},
		{name: "when it has one again", path: "/cheap", token: "a-one", later: time.Millisecond, want: 200, looked: true},
		{name: "a slow budget", path: "/meet", token: "a-one", want: 429, looked: true},
		{name: "a slow budget again", path: "/meet", token: "a-one", later: 999 * time.Millisecond, want: 429},
		{name: "a slow budget after a second", path: "/meet", token: "a-one", later: time.Millisecond, want: 429, looked: true},
		{name: "a session that ends", path: "/meet", token: "a-one", ended: "a-one", later: 999 * time.Millisecond, want: 429},
		{name: "after a second", path: "/meet", token: "a-one", ended: "a-one", later: time.Millisecond, want: 401, looked: true},
	} {
		s.now, s.ended, s.looked = s.now.Add(c.later), c.ended, 0
		if got := s.ask(c.path, c.token, "198.51.100.1", ""); got != c.want || (s.looked > 0) != c.looked {
			t.Errorf("%s: got %d, its token was looked at %d times", c.name, got, s.looked)
		}
	}
}

// TestManyWhoHaveSpentABudget has more of them than are remembered.
func TestManyWhoHaveSpentABudget(t *testing.T) {
	s := newSignedIn(httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{httpapi.Cheap: {PerSecond: 0.1, Burst: 1}}, 0))
	refused := func(token string) (looked int) {
		t.Helper()
		s.looked = 0
		if got := s.ask("/cheap", token, "198.51.100.1", ""); got != 429 {
			t.Fatalf("%s: got %d", token, got)
		}
		return s.looked
	}
	for n := range httpapi.MaxSpent + 1 {
		token := fmt.Sprint("a-", n)
		s.ask("/cheap", token, "198.51.100.1", "")
		refused(token)
	}
	if first, last := refused("a-0"), refused(fmt.Sprint("a-", httpapi.MaxSpent)); first != 0 || last != 1 {
		t.Errorf("the token of the first was looked at %d times, that of one too many %d times", first, last)
	}
	s.now = s.now.Add(time.Second)
	if first, second := refused("a-0"), refused("a-0"); first != 1 || second != 0 {
		t.Errorf("when the others are forgotten: the token was looked at %d times, then %d times", first, second)
	}
}

// TestAFloodOfTokensIsNotLookedAt sends wrong tokens from one address.
func TestAFloodOfTokensIsNotLookedAt(t *testing.T) {
	s := newSignedIn(httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{httpapi.Address: {PerSecond: 0.01, Burst: 3}}, 0))
	for i, want := range []int{401, 401, 401, 429, 429, 429} {
		if got := s.ask("/cheap", "wrong", "2001:db8::1", ""); got != want {
			t.Errorf("request %d: got %d, want %d", i, got, want)
		}
	}
	if s.looked != 3 {
		t.Errorf("%d tokens were looked at", s.looked)
	}
	for _, c := range []struct {
		name, path, from, forwarded string
		want                        int
	}{
		{"the same network", "/cheap", "2001:db8::2", "", 429},
		{"another network", "/cheap", "2001:db8:0:1::1", "", 401},
		{"through a proxy", "/cheap", "192.0.2.1", "2001:db8::3", 429},
		{"what costs nothing", "/static", "2001:db8::1", "", 200},
		{"what has a budget of its own", "/own", "2001:db8::1", "", 401},
	} {
		if got := s.ask(c.path, "wrong", c.from, c.forwarded); got != c.want {
			t.Errorf("%s: got %d, want %d", c.name, got, c.want)
		}
	}
	for range 10 { // they speak for many
		for _, from := range []string{"127.0.0.1", "::1", "192.0.2.1"} {
			if got := s.ask("/cheap", "wrong", from, ""); got != 401 {
				t.Errorf("from %s: got %d", from, got)
			}
		}
	}
	s.now = s.now.Add(100 * time.Second)
	if got := s.ask("/cheap", "a-one", "2001:db8::1", ""); got != 200 {
		t.Errorf("when the budget has one again: got %d", got)
	}
}
