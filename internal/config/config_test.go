package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestWriteDefaultLoads(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDefault(&b); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "narthex.yaml")
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := Load(Default(), path, nil)
	same(t, err, "")
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
	for line := range strings.Lines(b.String()) {
		if len(line) > 100 {
			t.Errorf("a line that is too long: %s", line)
		}
	}
}

func TestWriteReference(t *testing.T) {
	var b bytes.Buffer
	if err := WriteReference(&b); err != nil {
		t.Fatal(err)
	}
	for _, key := range Keys() {
		if !strings.Contains(b.String(), "`"+key.Name+"`<br>`"+key.Env+"`") {
			t.Errorf("%s is missing in the reference", key.Name)
		}
	}
	for _, section := range []string{"## The server\n", "## `approval`\n", "**Secret.** A secret that lets scripts"} {
		if n := strings.Count(b.String(), section); n != 1 {
			t.Errorf("%q is in the reference %d times, want once", section, n)
		}
	}
}

type brokenWriter struct{}

var errBroken = errors.New("the disk is full")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestWritersPassErrorsOn(t *testing.T) {
	if err := WriteDefault(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("WriteDefault: got %v, want %v", err, errBroken)
	}
	if err := WriteReference(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("WriteReference: got %v, want %v", err, errBroken)
	}
}

func TestKeys(t *testing.T) {
	documented := map[string]bool{}
	for _, key := range Keys() {
		documented[key.Name] = true
		if !strings.HasSuffix(key.Doc, ".") {
			t.Errorf("%s: the text %q is no sentence", key.Name, key.Doc)
		}
		for _, inner := range key.Entry {
			documented[key.Name+"."+inner.Name] = true
			if !strings.HasSuffix(inner.Doc, ".") {
				t.Errorf("%s in %s: the text %q is no sentence", inner.Name, key.Name, inner.Doc)
			}
		}
	}
	for name := range docs {
		if !documented[name] {
			t.Errorf("docs has a text for %s, which is no key", name)
		}
	}
	for _, want := range []Key{
		{Name: "server_name", Type: "text", Default: `"localhost"`, Env: "NARTHEX_SERVER_NAME"},
		{Name: "listen", Type: "list of texts", Default: `["127.0.0.1:8008"]`, Env: "NARTHEX_LISTEN"},
		{Name: "trusted_proxies", Type: "list of texts", Default: `[]`, Env: "NARTHEX_TRUSTED_PROXIES"},
		{Name: "log.format", Type: "one of text, json", Default: `"text"`, Env: "NARTHEX_LOG_FORMAT"},
		{Name: "registration.shared_secret", Type: "text", Default: `""`, Secret: true, Env: "NARTHEX_REGISTRATION_SHARED_SECRET"},
		{Name: "oauth.introspection_secret", Type: "text", Default: `""`, Secret: true, Env: "NARTHEX_OAUTH_INTROSPECTION_SECRET"},
		{Name: "rendezvous.mode", Type: "one of off, authenticated, open", Default: `"authenticated"`, Env: "NARTHEX_RENDEZVOUS_MODE"},
		{Name: "login.password.min_length", Type: "whole number", Default: "8", Env: "NARTHEX_LOGIN_PASSWORD_MIN_LENGTH"},
		{Name: "approval.pending_ttl", Type: "duration", Default: "0", Env: "NARTHEX_APPROVAL_PENDING_TTL"},
		{Name: "approval.required_for_new_accounts", Type: "true or false", Default: "true", Env: "NARTHEX_APPROVAL_REQUIRED_FOR_NEW_ACCOUNTS"},
		{Name: "rate_limits.login.per_second", Type: "number", Default: "0.5", Env: "NARTHEX_RATE_LIMITS_LOGIN_PER_SECOND"},
	} {
		found := false
		for _, key := range Keys() {
			if key.Name == want.Name {
				found = true
				want.Doc = key.Doc
				if diff := cmp.Diff(want, key); diff != "" {
					t.Errorf("the key %s (-want +got):\n%s", key.Name, diff)
				}
			}
		}
		if !found {
			t.Errorf("there is no key %s", want.Name)
		}
	}
}

func TestProposals(t *testing.T) {
	for _, test := range []struct {
		proposals, errcode, mode string
		wantErrcode, wantMode    string
	}{
		{"unstable", "", "", "unstable", "unstable"},
		{"stable", "", "", "stable", "stable"},
		{"stable", "seed", "off", "seed", "off"},
		{"unstable", "stable", "stable", "stable", "stable"},
	} {
		c := Default()
		c.Proposals, c.Approval.Errcode, c.MSC3848.Mode = test.proposals, test.errcode, test.mode
		if got := c.ApprovalErrcode(); got != test.wantErrcode {
			t.Errorf("ApprovalErrcode of %+v: got %q", test, got)
		}
		if got := c.MSC3848Mode(); got != test.wantMode {
			t.Errorf("MSC3848Mode of %+v: got %q", test, got)
		}
	}
}

func TestURLs(t *testing.T) {
	for _, test := range []struct {
		public, client string
		listen         []string
		wantBase       string
		wantClient     string
	}{
		{"", "", []string{"127.0.0.1:8008", ":1"}, "http://127.0.0.1:8008", "http://127.0.0.1:8008"},
		{"", "", []string{":8008"}, "http://localhost:8008", "http://localhost:8008"},
		{"", "", []string{"[::]:80"}, "http://localhost:80", "http://localhost:80"},
		{"", "", []string{"[::1]:80"}, "http://[::1]:80", "http://[::1]:80"},
		{"https://a.example/", "", nil, "https://a.example", "https://a.example"},
		{"https://a.example", "https://b.example/x/", nil, "https://a.example", "https://b.example/x"},
		{"", "", []string{"malformed"}, "", ""},
		{"", "", nil, "", ""},
	} {
		c := Config{PublicURL: test.public, Listen: test.listen, WellKnown: WellKnown{ClientBaseURL: test.client}}
		if got := c.BaseURL(); got != test.wantBase {
			t.Errorf("BaseURL of %+v: got %q", test, got)
		}
		if got := c.Issuer(); got != test.wantBase+"/" {
			t.Errorf("Issuer of %+v: got %q", test, got)
		}
		if got := c.AccountURL(); got != test.wantBase+"/account" {
			t.Errorf("AccountURL of %+v: got %q", test, got)
		}
		if got := c.ClientBaseURL(); got != test.wantClient {
			t.Errorf("ClientBaseURL of %+v: got %q", test, got)
		}
	}
}

func TestDatabaseSource(t *testing.T) {
	c := Default()
	if got, want := c.DatabaseSource(), "narthex-data/narthex.db"; got != want {
		t.Errorf("by default: got %q, want %q", got, want)
	}
	c.Database = "postgres://h/d"
	if got := c.DatabaseSource(); got != c.Database {
		t.Errorf("with a URL: got %q, want %q", got, c.Database)
	}
}

func TestRedacted(t *testing.T) {
	for _, test := range []struct{ name, database, want string }{
		{"a password", "postgres://u:hunter2@h/d", "postgres://u:secret@h/d"},
		{"a password as parameter", "postgres://u@h/d?password=hunter2&sslmode=disable", "postgres://u@h/d?password=secret&sslmode=disable"},
		{"a malformed URL", "postgres://u:hun%ter2@h/d", "(secret)"},
		{"no password", "postgres://u@h/d?sslmode=disable", "postgres://u@h/d?sslmode=disable"},
		{"a file", "/var/lib/narthex.db", "/var/lib/narthex.db"},
		{"nothing", "", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Default()
			c.Database = test.database
			c.Registration.SharedSecret = "hunter2"
			want := Default()
			want.Database = test.want
			want.Registration.SharedSecret = "(secret)"
			if diff := cmp.Diff(want, c.Redacted()); diff != "" {
				t.Errorf("Redacted (-want +got):\n%s", diff)
			}
			if c.Registration.SharedSecret != "hunter2" {
				t.Error("Redacted changed its receiver")
			}
		})
	}
	c := Default()
	if diff := cmp.Diff(c, c.Redacted()); diff != "" {
		t.Errorf("without secrets (-want +got):\n%s", diff)
	}
}

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"0": 0, "90s": 90 * time.Second, "10m": 10 * time.Minute, "24h": 24 * time.Hour, "1h30m": 90 * time.Minute, "1h0m1s": time.Hour + time.Second,
	} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%s: got %v, %v", text, d, err)
		}
	}
	if got := Duration(90 * time.Second).String(); got != "1m30s" {
		t.Errorf("90s is written as %s", got)
	}
	for _, text := range []string{"", "10", "7d", "soon", "10 m"} {
		d := hour
		same(t, d.UnmarshalText([]byte(text)), "a duration is a number with its unit, such as 10m or 24h")
		if d != hour {
			t.Errorf("%q changed the duration", text)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		want := Duration(rapid.Int64().Draw(t, "nanoseconds"))
		text, _ := want.MarshalText()
		var got Duration
		if err := got.UnmarshalText(text); err != nil || got != want {
			t.Fatalf("%d is written as %s and read as %d, %v", want, text, got, err)
		}
	})
}

func TestNearest(t *testing.T) {
	candidates := []string{"log", "log.level", "login.password.min_length"}
	for name, want := range map[string]string{
		"log_level":                      "log.level",
		"level":                          "log.level",
		"lgo":                            "log",
		"min_length":                     "login.password.min_length",
		"quite":                          "",
		"":                               "",
		strings.Repeat("log.level", 100): "",
	} {
		if got := nearest(name, candidates); got != want {
			t.Errorf("nearest(%q): got %q, want %q", name, got, want)
		}
	}
}
