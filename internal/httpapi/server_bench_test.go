package httpapi_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type whoIs struct {
	UserID id.UserID `json:"user_id"`
}

// knowing is a server for which a token is a user's, and "panic" makes it panic.
func knowing() *httpapi.Server {
	s := &httpapi.Server{
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
		Admission: httpapi.NewAdmission(httpapi.Capacity{AtOnce: 16, Queue: 16, Timeout: time.Second, PerRoom: 8, RoomQueue: 8}, time.Now),
		Authenticate: func(_ context.Context, token string, _ *httpapi.Call) (httpapi.Identity, error) {
			switch token {
			case "panic":
				panic("as it was told")
			case "unknown":
				return httpapi.Identity{}, errcode.UnknownToken.New("No such token.")
			}
			return httpapi.Identity{UserID: "@a:b"}, nil
		},
	}
	who := func(_ context.Context, call *httpapi.Call, _ nothing) (whoIs, error) { return whoIs{call.UserID}, nil }
	s.Handle([]httpapi.Route{
		httpapi.JSON("GET /whoami", "who", httpapi.User, httpapi.Cheap, who),
		httpapi.JSON("GET /sync", "sync", httpapi.User, httpapi.Cheap, func(ctx context.Context, call *httpapi.Call, _ nothing) (who whoIs, err error) {
			return whoIs{call.UserID}, call.StillAllowed(ctx)
		}).Waits(),
	})
	return s
}

// TestLongPollsGoAside holds that what a long poll does beside the goroutine that waits
// is answered as everything else is, be it an error or a panic.
func TestLongPollsGoAside(t *testing.T) {
	s := knowing()
	for _, path := range []string{"/sync", "/sync?since=1&timeout=1000"} {
		for token, want := range map[string]int{"token": 200, "unknown": 401, "panic": 500} {
			r := httptest.NewRequest("GET", path, nil)
			r.Header.Set("Authorization", "Bearer "+token)
			w := httptest.NewRecorder()
			s.ServeHTTP(w, r)
			if w.Code != want {
				t.Errorf("%s by %s: got %d, want %d: %s", path, token, w.Code, want, w.Body)
			}
			if want == 200 && w.Body.String() != `{"user_id":"@a:b"}` {
				t.Errorf("%s: %s", path, w.Body)
			}
		}
	}
}

// deaf takes an answer and keeps nothing.
type deaf struct{ header http.Header }

func (d deaf) Header() http.Header         { return d.header }
func (d deaf) Write(p []byte) (int, error) { return len(p), nil }
func (d deaf) WriteHeader(int)             {}

// BenchmarkRequest is what this package costs a request, beside net/http and the
// database.
func BenchmarkRequest(b *testing.B) {
	s := knowing()
	r := httptest.NewRequest("GET", "/whoami", nil)
	r.Header.Set("Authorization", "Bearer token")
	b.ReportAllocs()
	for b.Loop() {
		s.ServeHTTP(deaf{http.Header{}}, r)
	}
}
