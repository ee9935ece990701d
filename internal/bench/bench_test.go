package bench_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/bench"
	"github.com/narthex-matrix/narthex/internal/dbtest"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// sameRequests is why most tests need one database: TestMeasure makes the requests over
// both.
const sameRequests = "what is measured are requests, and those are the same"

// play runs a benchmark of small sizes, and gives its results by scenario.
func play(t *testing.T, url string, what func(o bench.Options) error) (results map[string]bench.Result, shown string, err error) {
	t.Helper()
	var lines, out bytes.Buffer
	err = what(bench.Options{URL: url, Label: "Here", Quick: true, Limit: time.Minute, Results: &lines, Shown: &out, Now: time.Now})
	file := filepath.Join(t.TempDir(), "results")
	if err := os.WriteFile(file, lines.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	all, readErr := bench.ReadResults([]string{file})
	if readErr != nil {
		t.Fatal(readErr)
	}
	results = map[string]bench.Result{}
	for _, r := range all {
		results[r.Scenario] = r
	}
	return results, out.String(), err
}

// TestMeasure holds that every scenario can be measured, and that this server answers
// as it should in all of them.
func TestMeasure(t *testing.T) {
	srv := apitest.New(t)
	results, shown, err := play(t, srv.URL, func(o bench.Options) error { return bench.Measure(t.Context(), o) })
	if err != nil {
		t.Fatal(err, shown)
	}
	for _, scenario := range []string{
		"register", "idle.0", "idle.20", "idle.20.delivery", "login.c1", "whoami.c1", "whoami.c8", "send.one.c1", "send.one.c8", "createroom", "send.spread.c16",
		"rejected.nonmember.c1", "rejected.nonmember.c8", "rejected.power.c1", "rejected.state.c1", "rejected.join-private.c1", "rejected.token.c1",
		"accepted.send.c1", "accepted.state.c1", "accepted.join.c1", "accepted.token.c1", "fanout.8.paced", "fanout.8.burst", "history.pages", "history.pages-of-10",
		"state.fill", "state.change", "state.get-one", "state.get-all", "join.to16", "bigroom.send.c1", "bigroom.get.members", "bigroom.get.joined_members",
		"bigroom.initialsync", "initialsync.full", "initialsync.lazy", "sync.one-event", "sync.no-news",
	} {
		r, ok := results[scenario]
		if !ok || r.Operations == 0 || r.Failed > 0 || r.Cut {
			t.Errorf("%s: got %+v", scenario, r)
		}
		if !strings.Contains(shown, "\n"+scenario+" ") {
			t.Errorf("%s is not shown", scenario)
		}
	}
	// Three messages one by one, and three at once, to eight members each.
	for _, scenario := range []string{"fanout.8.paced", "fanout.8.burst"} {
		if n := results[scenario].Operations; n != 24 {
			t.Errorf("%s: %d deliveries", scenario, n)
		}
	}
	if results["sync.no-news"].Notes["bytes"] >= results["initialsync.full"].Notes["bytes"] {
		t.Errorf("no news are %v, and everything is %v", results["sync.no-news"].Notes, results["initialsync.full"].Notes)
	}
}

func TestScenariosByName(t *testing.T) {
	dbtest.SQLiteAlone(t, sameRequests)
	srv := apitest.New(t)
	results, _, err := play(t, srv.URL, func(o bench.Options) error {
		o.Scenarios = []string{"whoami.c1"}
		return bench.Measure(t.Context(), o)
	})
	if err != nil || len(results) != 3 || results["whoami.c8"].Operations == 0 || results["register"].Operations != 8 {
		t.Errorf("got %v and the error %v", results, err)
	}
	results, _, err = play(t, srv.URL, func(o bench.Options) error {
		o.Scenarios = []string{"whoami", "nonsense.c1"}
		return bench.Measure(t.Context(), o)
	})
	if err == nil || !strings.Contains(err.Error(), `no scenario "nonsense.c1"; there are register, idle`) || len(results) > 0 {
		t.Errorf("an unknown one: got %v and the error %v", results, err)
	}
}

func TestGrowth(t *testing.T) {
	dbtest.SQLiteAlone(t, sameRequests)
	srv := apitest.New(t)
	var sizes []int
	results, shown, err := play(t, srv.URL, func(o bench.Options) error {
		lines := o.Results
		o.Results = writer(func(raw []byte) (int, error) {
			var r bench.Result
			if err := json.Unmarshal(raw, &r); err == nil && r.Scenario == "growth.members.join" {
				sizes = append(sizes, r.Size)
			}
			return lines.Write(raw)
		})
		return bench.Growth(t.Context(), o)
	})
	if err != nil {
		t.Fatal(err, shown)
	}
	for _, scenario := range []string{"growth.members.send", "growth.members.join", "growth.members.sync", "growth.members.get",
		"growth.rooms.send", "growth.rooms.sync", "growth.rooms.initialsync", "growth.state.change"} {
		if r := results[scenario]; r.Operations == 0 || r.Failed > 0 {
			t.Errorf("%s: got %+v", scenario, r)
		}
	}
	if !slices.Equal(sizes, []int{4, 8, 16}) {
		t.Errorf("joins were measured at %v members", sizes)
	}
	if !strings.Contains(shown, "by members of the room | 2 | 4 | 8 | 16 | 16 : 2 |") {
		t.Errorf("the slopes are not shown: %s", shown)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestStudy(t *testing.T) {
	dbtest.SQLiteAlone(t, sameRequests)
	srv := apitest.New(t)
	results, shown, err := play(t, srv.URL, func(o bench.Options) error { return bench.Study(t.Context(), o) })
	if err != nil {
		t.Fatal(err, shown)
	}
	r := results["study.initialsync"] // the last: four users at once
	if r.Operations != 4 || r.Notes["rooms"] != 4 || r.Notes["members"] != 6 || r.Notes["bytes"] == 0 {
		t.Errorf("got %+v", r)
	}
	if !strings.Contains(shown, "Synapse, 18 workers") {
		t.Errorf("the public figures are not shown: %s", shown)
	}
}

// spoilt is a homeserver whose answers are changed on their way.
func spoilt(t *testing.T, srv *apitest.Server, spoil func(path string, answer *http.Response)) string {
	t.Helper()
	target, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.ModifyResponse = func(answer *http.Response) error { spoil(answer.Request.URL.Path, answer); return nil }
	web := httptest.NewServer(proxy)
	t.Cleanup(web.Close)
	return web.URL
}

// TestWrongAnswersAreFailures holds that a server cannot look fast by being wrong.
func TestWrongAnswersAreFailures(t *testing.T) {
	dbtest.SQLiteAlone(t, sameRequests)
	replace := func(answer *http.Response, old, fresh string) {
		raw, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Error(err)
		}
		raw = bytes.Replace(raw, []byte(old), []byte(fresh), 1)
		answer.Body, answer.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
		answer.Header.Del("Content-Length")
	}
	for _, c := range []struct {
		name, scenario, failed string
		spoil                  func(path string, answer *http.Response)
	}{
		{"an error", "whoami", "whoami.c1", func(path string, answer *http.Response) {
			if strings.HasSuffix(path, "/whoami") {
				answer.StatusCode = http.StatusInternalServerError
			}
		}},
		{"a message that is left out", "history", "history.pages", func(path string, answer *http.Response) {
			if strings.HasSuffix(path, "/messages") {
				replace(answer, "m.room.message", "m.room.nothing")
			}
		}},
		{"a refusal that is none", "rejected", "rejected.token.c1", func(path string, answer *http.Response) {
			if answer.StatusCode == http.StatusUnauthorized {
				answer.StatusCode = http.StatusOK
			}
		}},
		{"another refusal than expected", "rejected", "rejected.power.c1", func(path string, answer *http.Response) {
			if answer.StatusCode == http.StatusForbidden {
				answer.StatusCode = http.StatusTooManyRequests
			}
		}},
	} {
		srv := apitest.New(t)
		results, shown, err := play(t, spoilt(t, srv, c.spoil), func(o bench.Options) error {
			o.Scenarios = []string{c.scenario}
			return bench.Measure(t.Context(), o)
		})
		if !errors.Is(err, bench.ErrFailed) || results[c.failed].Failed == 0 || results[c.failed].Failure == "" || !strings.Contains(shown, " failed: ") {
			t.Errorf("%s: got %+v and the error %v", c.name, results[c.failed], err)
		}
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	for _, c := range []struct {
		name string
		o    bench.Options
		text string
	}{
		{"another machine", bench.Options{URL: "https://matrix.example.org"}, "only servers on a loopback address are measured"},
		{"no URL", bench.Options{URL: "here"}, "not the URL of a homeserver"},
		{"no such process", bench.Options{URL: "http://127.0.0.1:1", PID: 1 << 30}, "no process 1073741824"},
		{"a database that is no server", bench.Options{Database: "narthex.db"}, "takes the postgres:// URL of an empty database"},
		{"no such program", bench.Options{Program: "/nonexistent", Folder: t.TempDir()}, "/nonexistent"},
	} {
		c.o.Now, c.o.Shown, c.o.Limit = time.Now, io.Discard, time.Minute
		if err := bench.Measure(t.Context(), c.o); err == nil || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: got the error %v", c.name, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(os.TempDir(), "narthex-bench-*")); err == nil && len(left) > 0 {
		t.Logf("other benchmarks run, or were killed: %v", left)
	}
}
