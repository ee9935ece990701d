package metrics_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/metrics"
)

// shown are the metrics whose names begin with one of some words, sorted.
func shown(t *testing.T, m *metrics.Metrics, names ...string) (lines []string) {
	t.Helper()
	w := httptest.NewRecorder()
	m.Handler(func(context.Context) error { return nil }).ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("/metrics answers %d: %s", w.Code, w.Body)
	}
	for line := range strings.Lines(w.Body.String()) {
		if slices.ContainsFunc(names, func(name string) bool { return strings.HasPrefix(line, name) }) {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	slices.Sort(lines)
	return lines
}

func same(t *testing.T, got []string, want ...string) {
	t.Helper()
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("(-want +got)", diff)
	}
}

// TestLoadOfAServerAtOnce has more asked of a server than it may do at once.
func TestLoadOfAServerAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		type wish struct {
			RoomID string `path:"roomId"`
		}
		held := make(chan struct{})
		s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
		s.Admission = httpapi.NewAdmission(httpapi.Capacity{AtOnce: 2, Queue: 1, Timeout: time.Minute, PerRoom: 1, RoomQueue: 1}, time.Now)
		hold := func(context.Context, *httpapi.Call, wish) (struct{}, error) {
			<-held
			return struct{}{}, nil
		}
		s.Handle([]httpapi.Route{
			httpapi.JSON("GET /read/{roomId}", "read", httpapi.Anyone, httpapi.Cheap, hold),
			httpapi.JSON("PUT /send/{roomId}", "send", httpapi.Anyone, httpapi.Sending, hold),
		})
		m := metrics.New("1")
		m.Watch(s.Admission.Loads)
		ask := func(n int, method, path string) {
			for range n {
				go s.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, path, nil))
				synctest.Wait()
			}
		}
		requests := func(kind string) []string {
			return slices.DeleteFunc(shown(t, m, "narthex_requests_", "narthex_shedding"), func(line string) bool {
				return !strings.Contains(line, `kind="`+kind+`"`)
			})
		}
		idle := func(kind string) []string {
			return []string{`narthex_requests_running{kind="` + kind + `"} 0`, `narthex_requests_waiting{kind="` + kind + `"} 0`, `narthex_shedding{kind="` + kind + `"} 0`}
		}
		for _, kind := range []string{"sending", "signing_in", "reading", "polling", "heavy"} {
			same(t, requests(kind), idle(kind)...)
		}

		ask(5, "GET", "/read/a") // two run, one waits, two find the queue full
		same(t, requests("reading"), `narthex_requests_running{kind="reading"} 2`, `narthex_requests_waiting{kind="reading"} 1`,
			`narthex_requests_refused_total{kind="reading",reason="full"} 2`, `narthex_shedding{kind="reading"} 0`)
		ask(3, "PUT", "/send/a") // one runs, one waits for the room, one finds no room to wait
		same(t, requests("sending"), `narthex_requests_running{kind="sending"} 1`, `narthex_requests_waiting{kind="sending"} 0`,
			`narthex_requests_refused_total{kind="sending",reason="room"} 1`, `narthex_shedding{kind="sending"} 0`)
		same(t, requests("heavy"), idle("heavy")...)

		time.Sleep(time.Minute) // the clock of the test: nobody waits for longer
		synctest.Wait()
		same(t, requests("reading"), `narthex_requests_running{kind="reading"} 2`, `narthex_requests_waiting{kind="reading"} 0`,
			`narthex_requests_refused_total{kind="reading",reason="full"} 2`, `narthex_requests_refused_total{kind="reading",reason="late"} 1`,
			`narthex_shedding{kind="reading"} 0`)
		close(held)
		synctest.Wait()
		same(t, requests("reading"), `narthex_requests_running{kind="reading"} 0`, `narthex_requests_waiting{kind="reading"} 0`,
			`narthex_requests_refused_total{kind="reading",reason="full"} 2`, `narthex_requests_refused_total{kind="reading",reason="late"} 1`,
			`narthex_shedding{kind="reading"} 0`)
	})
}

func TestSheddingIsShown(t *testing.T) {
	m := metrics.New("1")
	m.Watch(func() []httpapi.Load {
		return []httpapi.Load{{Kind: "heavy", Running: 1, Waiting: 7, Shedding: true, Refused: map[string]uint64{"shed": 3}}}
	})
	same(t, shown(t, m, "narthex_requests_", "narthex_shedding"), `narthex_requests_running{kind="heavy"} 1`, `narthex_requests_waiting{kind="heavy"} 7`,
		`narthex_requests_refused_total{kind="heavy",reason="shed"} 3`, `narthex_shedding{kind="heavy"} 1`)
}

// TestNoAdmission holds that a server without admission shows nothing of it.
func TestNoAdmission(t *testing.T) {
	m := metrics.New("1")
	m.Watch((*httpapi.Admission)(nil).Loads)
	same(t, shown(t, m, "narthex_requests_", "narthex_shedding"))
}

func TestObserve(t *testing.T) {
	m := metrics.New("1")
	route := httpapi.JSON("GET /a", "getA", httpapi.Anyone, httpapi.Cheap, func(context.Context, *httpapi.Call, struct{}) (struct{}, error) { return struct{}{}, nil })
	other := httpapi.JSON("GET /b", "getA", httpapi.Anyone, httpapi.Cheap, func(context.Context, *httpapi.Call, struct{}) (struct{}, error) { return struct{}{}, nil })
	for range 2 {
		m.Observe(httpapi.Answer{Route: &route, Status: 200, Took: time.Millisecond})
	}
	m.Observe(httpapi.Answer{Route: &other, Status: 200, Took: time.Millisecond}) // the same operation
	m.Observe(httpapi.Answer{Route: &route, Status: 429, Code: errcode.LimitExceeded})
	m.Observe(httpapi.Answer{Status: 404, Code: errcode.Unrecognized})
	same(t, shown(t, m, "narthex_requests_total", "narthex_request_seconds_count"),
		`narthex_requests_total{errcode="",op="getA",status="200"} 3`,
		`narthex_requests_total{errcode="LimitExceeded",op="getA",status="429"} 1`,
		`narthex_requests_total{errcode="Unrecognized",op="none",status="404"} 1`,
		`narthex_request_seconds_count{op="getA"} 4`,
		`narthex_request_seconds_count{op="none"} 1`)
}
