package bench_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/bench"
	"github.com/narthex-matrix/narthex/internal/dbtest"
)

// startBare runs the bare program. What is returned ends it and gives its error.
func startBare(t *testing.T) (url string, end func() error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	said, greeting := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- bench.ServeBare(ctx, t.TempDir(), greeting) }()
	line, err := bufio.NewReader(said).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, url, _ = strings.Cut(strings.TrimSpace(line), " listens on ")
	return url, func() error { cancel(); return <-ended }
}

// TestBareProgram holds that the floor is measured by the same stretches as a server,
// and that their answers are right.
func TestBareProgram(t *testing.T) {
	dbtest.SQLiteAlone(t, sameRequests)
	url, end := startBare(t)
	results, shown, err := play(t, url, func(o bench.Options) error {
		o.Scenarios = []string{"whoami", "send", "fanout"}
		return bench.Measure(t.Context(), o)
	})
	if err != nil {
		t.Fatal(err, shown)
	}
	for _, scenario := range []string{"whoami.c1", "whoami.c8", "send.one.c1", "send.one.c8", "createroom", "send.spread.c16", "fanout.8.paced", "fanout.8.burst"} {
		if r := results[scenario]; r.Operations == 0 || r.Failed > 0 || r.Cut {
			t.Errorf("%s: got %+v", scenario, r)
		}
	}
	if err := end(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

// TestBareProgramEndsWhenItIsWrong holds that a floor cannot look low by being wrong.
func TestBareProgramEndsWhenItIsWrong(t *testing.T) {
	dbtest.SQLiteAlone(t, sameRequests)
	url, end := startBare(t)
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/_matrix/client/v3/account/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := new(http.Transport).RoundTrip(request); err == nil { // else it had ended before it answered
		resp.Body.Close()
	}
	if err := end(); err == nil || !strings.Contains(err.Error(), "not registered") {
		t.Errorf("a stranger: got the error %v", err)
	}
	if err := bench.ServeBare(t.Context(), filepath.Join(t.TempDir(), "missing"), io.Discard); err == nil || !strings.Contains(err.Error(), "unable to open") {
		t.Errorf("no folder: got the error %v", err)
	}
}
