package httpapi_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// TestAwait holds what a long poll answers, be it from news, at the end of its time, of
// its session, of its client or of the server; and that its waiting then is over.
func TestAwait(t *testing.T) {
	empty := whoIs{"@nothing:b"}
	for _, c := range []struct {
		name   string
		news   int           // how often it is woken
		most   time.Duration // how long it waits
		end    string        // what else ends it
		look   func(why httpapi.Reason, looks int) (any, error)
		status int
		looks  int
	}{
		{"news", 1, time.Hour, "", func(httpapi.Reason, int) (any, error) { return whoIs{"@a:b"}, nil }, 200, 1},
		{"news for others first", 1, time.Hour, "again", func(_ httpapi.Reason, looks int) (any, error) {
			if looks == 1 {
				return nil, nil
			}
			return whoIs{"@a:b"}, nil
		}, 200, 2},
		{"no news", 0, 3 * time.Millisecond, "", func(why httpapi.Reason, _ int) (any, error) {
			if why == httpapi.TimeUp {
				return empty, nil
			}
			return nil, nil
		}, 200, 3},
		{"the server stops", 0, time.Hour, "stop", func(why httpapi.Reason, _ int) (any, error) {
			if why != httpapi.Stopping {
				return nil, errors.New("another reason")
			}
			return empty, nil
		}, 200, 1},
		{"the session has ended", 1, time.Hour, "", func(httpapi.Reason, int) (any, error) {
			return nil, errcode.UnknownToken.New("It has ended.")
		}, 401, 1},
		{"a panic", 1, time.Hour, "", func(httpapi.Reason, int) (any, error) { panic("as it was told") }, 500, 1},
		{"the client goes away", 0, time.Hour, "leave", nil, 500, 0},
	} {
		news, ended, looks := make(chan struct{}, 1), 0, 0
		ctx, leave := context.WithCancel(t.Context())
		s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		handle := func(_ context.Context, call *httpapi.Call, _ nothing) (who whoIs, err error) {
			call.Await(&httpapi.Wait{
				News: news, Turn: c.most / 3, Most: c.most, End: func() { ended++ },
				Look: func(_ context.Context, why httpapi.Reason) (any, error) {
					if looks++; looks == 1 && c.end == "again" {
						news <- struct{}{}
					}
					return c.look(why, looks)
				},
			})
			return who, nil
		}
		s.Handle([]httpapi.Route{httpapi.JSON("GET /sync", "sync", httpapi.Anyone, httpapi.Cheap, handle).Waits()})
		switch {
		case c.news > 0:
			news <- struct{}{}
		case c.end == "stop":
			s.Stop()
		case c.end == "leave":
			leave()
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, httptest.NewRequestWithContext(ctx, "GET", "/sync?since=1&timeout=1000", nil))
		leave()
		if w.Code != c.status || looks != c.looks || ended != 1 {
			t.Errorf("%s: got %d after %d looks, and the waiting ended %d times: %s", c.name, w.Code, looks, ended, w.Body)
		}
	}
}
