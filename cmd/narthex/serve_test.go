package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// buffer is what a command wrote, to be read while it runs.
type buffer struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // has an element after a write
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	select {
	case b.more <- struct{}{}:
	default:
	}
	return b.text.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

func newStreams(in string) (streams, *buffer) {
	b := &buffer{more: make(chan struct{}, 1)}
	return streams{in: strings.NewReader(in), out: b, err: b}, b
}

func contains(text, part string) bool { return strings.Contains(text, part) }

func get(t *testing.T, url string) (status int, body string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

func TestServe(t *testing.T) {
	data := filepath.Join(t.TempDir(), "data")
	srv := launch(t, []string{"--data", data, "--listen", "127.0.0.1:0", "--server-name", "example.org"})
	if !contains(srv.out.String(), "as example.org") || !contains(srv.out.String(), "user create --admin --data "+data+" --server-name example.org NAME") {
		t.Errorf("the greeting lacks the name, or the command for the first administrator: %s", srv.out)
	}
	if !contains(srv.out.String(), srv.url+"/admin/first?token=nxt_f_") {
		t.Errorf("the greeting lacks the link for the first administrator: %s", srv.out)
	}
	if status, body := get(t, srv.url+"/_matrix/client/nothing"); status != 404 || !contains(body, "M_UNRECOGNIZED") {
		t.Errorf("an unknown path: got %d %s", status, body)
	}
	std, out := newStreams("a long password\n")
	if code := run(t.Context(), []string{"user", "create", "--admin", "root", "--password-stdin", "--data", data, "--server-name", "example.org"}, std); code != 0 {
		t.Fatalf("user create beside the server: %s", out)
	}
	resp, err := http.Post(srv.url+"/_matrix/client/v3/login", "application/json",
		strings.NewReader(`{"type":"m.login.password","identifier":{"type":"m.id.user","user":"root"},"password":"a long password"}`))
	if err != nil {
		t.Fatal(err)
	}
	var session struct {
		UserID string `json:"user_id"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&session); err != nil || session.UserID != "@root:example.org" {
		t.Errorf("login: got %d %q %v", resp.StatusCode, session.UserID, err)
	}
	resp.Body.Close()
	http.DefaultClient.CloseIdleConnections()
	if code := srv.stop(); code != 0 {
		t.Errorf("stopped with exit code %d: %s", code, srv.out)
	}
	if wal, err := os.Stat(filepath.Join(data, "narthex.db-wal")); err == nil && wal.Size() > 0 {
		t.Errorf("SQLite's log still holds %d bytes", wal.Size())
	}
	again := launch(t, []string{"--data", data, "--listen", "127.0.0.1:0", "--server-name", "example.org"})
	if contains(again.out.String(), "There is no administrator yet") {
		t.Error("the second start does not know the administrator")
	}
}

func TestServeMetrics(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	t.Setenv("NARTHEX_METRICS_LISTEN", address)
	srv := launch(t, []string{"--data", t.TempDir(), "--listen", "127.0.0.1:0"})
	get(t, srv.url+"/_matrix/client/v3/account/whoami")
	for path, want := range map[string]string{
		"/healthz":            "alive",
		"/readyz":             "ready",
		"/metrics":            `narthex_requests_total{errcode="MissingToken",op="getTokenOwner",status="401"} 1`,
		"/debug/pprof/symbol": "num_symbols",
	} {
		if status, body := get(t, "http://"+address+path); status != 200 || !contains(body, want) {
			t.Errorf("%s: got %d, want %q in %.300s", path, status, want, body)
		}
	}
}

func TestServeRefuses(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"--dev on a public address": {[]string{"--dev", "--listen", "0.0.0.0:0"}, "--dev does not allow"},
		"an address that is taken":  {[]string{"--listen", taken.Addr().String()}, "is another server running there?"},
		"a bad name":                {[]string{"--server-name", "https://example.org"}, "server_name"},
		"a configuration not there": {[]string{"--config", "/nonexistent.yaml"}, "narthex config default"},
		"a database not there":      {[]string{"--listen", "127.0.0.1:0", "--database", "postgres://nobody@127.0.0.1:1/none"}, "doctor"},
	} {
		t.Run(name, func(t *testing.T) {
			std, out := newStreams("")
			if code := run(t.Context(), append([]string{"serve", "--data", t.TempDir()}, c.args...), std); code != 1 || !contains(out.String(), c.want) {
				t.Errorf("got exit code %d and %q, want 1 and %q", code, out, c.want)
			}
		})
	}
}

func TestServeDevWarns(t *testing.T) {
	srv := spawn(t, t.TempDir())
	if status, body := get(t, srv.url+"/_matrix/client/v3/register/available?username=alice"); status != 200 {
		t.Errorf("registration with --dev: got %d %s", status, body)
	}
	srv.stop()
	if got := strings.Count(srv.out.String(), "level=WARN"); got != 1 || !contains(srv.out.String(), "running with --dev") {
		t.Errorf("got %d warnings, want one about --dev: %s", got, srv.out)
	}
}
