package httpapi_test

import (
	"context"
	"encoding/binary"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// asking gives the status of a request from an address, on a server whose budget
// is one request at once and whose clock the caller moves.
func asking(now *time.Time) func(from netip.Addr) int {
	s := &httpapi.Server{
		Now: func() time.Time { return *now }, Log: slog.New(slog.DiscardHandler),
		Limits: httpapi.NewLimiter(map[httpapi.Class]httpapi.Budget{httpapi.Cheap: {PerSecond: 0.01, Burst: 1}}, 0),
	}
	s.Handle([]httpapi.Route{
		httpapi.JSON("GET /cheap", "cheap", httpapi.Anyone, httpapi.Cheap,
			func(context.Context, *httpapi.Call, nothing) (nothing, error) { return nothing{}, nil }),
	})
	return func(from netip.Addr) int {
		r := httptest.NewRequest("GET", "/cheap", nil)
		r.RemoteAddr = netip.AddrPortFrom(from, 1).String()
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		return w.Code
	}
}

// host is an address in the n-th network of 64 bits.
func host(n, number uint64) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], 0x2001_0db8_0000_0000+n)
	binary.BigEndian.PutUint64(b[8:], number)
	return netip.AddrFrom16(b)
}

func TestBudgetOfANetwork(t *testing.T) {
	now := time.Now()
	ask := asking(&now)
	for i, c := range []struct {
		from netip.Addr
		want int
	}{
		{netip.MustParseAddr("192.0.2.1"), 200},
		{netip.MustParseAddr("192.0.2.1"), 429},
		{netip.MustParseAddr("::ffff:192.0.2.1"), 429},
		{netip.MustParseAddr("192.0.2.2"), 200},
		{host(1, 1), 200},
		{host(1, 2), 429},
		{host(2, 1), 200},
	} {
		if got := ask(c.from); got != c.want {
			t.Errorf("request %d, from %s: got %d, want %d", i, c.from, got, c.want)
		}
	}
	now = now.Add(100 * time.Second)
	if got := ask(host(1, 2)); got != 200 {
		t.Errorf("when the budget is whole again: got %d", got)
	}
}

// TestAddressesWithoutEndTakeNoMemoryWithoutEnd has more networks ask than the
// limiter remembers.
func TestAddressesWithoutEndTakeNoMemoryWithoutEnd(t *testing.T) {
	now := time.Now()
	ask := asking(&now)
	const remembered = 100_000
	for n := range uint64(remembered) {
		if got := ask(host(n, 1)); got != 200 {
			t.Fatalf("network %d: got %d", n, got)
		}
	}
	if first, second := ask(host(remembered, 1)), ask(host(remembered+1, 1)); first != 200 || second != 429 {
		t.Errorf("networks beyond: got %d and %d, want them to share one budget", first, second)
	}
	if got := ask(host(7, 1)); got != 429 {
		t.Errorf("a network that is remembered: got %d, want its own budget to be used up", got)
	}
	now = now.Add(200 * time.Second)
	for n := range uint64(10) {
		if got := ask(host(remembered+n, 1)); got != 200 {
			t.Errorf("afterwards, network %d: got %d", n, got)
		}
	}
}
