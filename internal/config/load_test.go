package config

import (
	"bytes"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// writeFile makes narthex.yaml in a fresh working directory, so that errors
// name it as a person would see it.
func writeFile(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("narthex.yaml", []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// same fails unless err has exactly the text want; "" stands for no error.
func same(t *testing.T, err error, want string) {
	t.Helper()
	got := ""
	if err != nil {
		got = err.Error()
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("error (-want +got):\n%s", diff)
	}
}

func TestLoadFile(t *testing.T) {
	writeFile(t, `
server_name: example.org:8448
listen: [127.0.0.1:1, "[::1]:2"]
trusted_proxies:
  - 10.0.0.0/8
approval:
  enabled: false
  pending_ttl: 72h
login: {login_token_lifetime: 90s, password: {min_length: 12}}
metrics:
rate_limits:
  cheap:
    per_second: 0.25
  sending:
    per_second: 3
rooms:
  default_version: 11
registration:
  shared_secret: |
    two
    lines
`)
	want := Default()
	want.ServerName = "example.org:8448"
	want.Listen = []string{"127.0.0.1:1", "[::1]:2"}
	want.TrustedProxies = []string{"10.0.0.0/8"}
	want.Approval.Enabled = false
	want.Approval.PendingTTL = Duration(72 * time.Hour)
	want.Login.LoginTokenLifetime = Duration(90 * time.Second)
	want.Login.Password.MinLength = 12
	want.RateLimits.Cheap.PerSecond = 0.25
	want.RateLimits.Sending.PerSecond = 3
	want.Rooms.DefaultVersion = "11"
	want.Registration.SharedSecret = "two\nlines\n"
	got, err := Load(Default(), "narthex.yaml", nil)
	same(t, err, "")
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

func TestLoadNothing(t *testing.T) {
	for name, text := range map[string]string{"empty": "", "comments": "# nothing\n", "groups": "log:\n  # level: debug\napproval:\n"} {
		t.Run(name, func(t *testing.T) {
			writeFile(t, text)
			got, err := Load(Default(), "narthex.yaml", []string{"HOME=/root", "NARTHEXX=1", "broken"})
			same(t, err, "")
			if diff := cmp.Diff(Default(), got); diff != "" {
				t.Errorf("Load (-want +got):\n%s", diff)
			}
		})
	}
	got, err := Load(Default(), "", nil)
	same(t, err, "")
	if diff := cmp.Diff(Default(), got); diff != "" {
		t.Errorf("Load without a file (-want +got):\n%s", diff)
	}
}

func TestLoadFileRefuses(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"a word for a boolean", "approval:\n  enabled: maybe", `narthex.yaml:2: approval.enabled: expected true or false, got "maybe"`},
		{"YAML 1.1's boolean", "approval:\n  enabled: yes", `narthex.yaml:2: approval.enabled: expected true or false, got "yes"`},
		{"a quoted boolean", "approval:\n  enabled: \"true\"", `narthex.yaml:2: approval.enabled: expected true or false, got a text in quotes`},
		{"nothing for a boolean", "approval:\n  enabled:", `narthex.yaml:2: approval.enabled: expected true or false, got nothing`},
		{"a word for a number", "limits:\n  max_connections: many", `narthex.yaml:2: limits.max_connections: expected a whole number, got "many"`},
		{"a fraction for a whole number", "limits:\n  max_connections: 1.5", `narthex.yaml:2: limits.max_connections: expected a whole number, got "1.5"`},
		{"a number too large", "limits:\n  max_connections: 99999999999999999999", `narthex.yaml:2: limits.max_connections: expected a whole number, got "99999999999999999999"`},
		{"infinity", "rate_limits:\n  cheap:\n    per_second: .inf", `narthex.yaml:3: rate_limits.cheap.per_second: expected a number such as 0.5, got ".inf"`},
		{"not a number", "rate_limits: {cheap: {per_second: NaN}}", `narthex.yaml:1: rate_limits.cheap.per_second: expected a number such as 0.5, got "NaN"`},
		{"a duration without a unit", "login:\n  login_token_lifetime: 120", `narthex.yaml:2: login.login_token_lifetime: expected a duration such as 10m or 24h, got "120"`},
		{"a text for a list", "listen: 127.0.0.1:8008", `narthex.yaml:1: listen: expected a list of texts, got a text`},
		{"a list in a list", "listen: [[a]]", `narthex.yaml:1: listen: expected a list of texts, got a list in the list`},
		{"a list for a text", "server_name: [a]", `narthex.yaml:1: server_name: expected a text, got a list`},
		{"keys for a text", "server_name:\n  a: b", `narthex.yaml:1: server_name: expected a text, got further keys`},
		{"a boolean for a text", "server_name: true", `narthex.yaml:1: server_name: expected a text, got true without quotes`},
		{"nothing for a text", "server_name:", `narthex.yaml:1: server_name: expected a text, got nothing`},
		{"none of the choices", "log:\n  level: loud", `narthex.yaml:2: log.level: expected one of debug, info, warn, error, got "loud"`},
		{"none of the choices, or empty", "msc3848:\n  mode: seed", `narthex.yaml:2: msc3848.mode: expected one of "", unstable, stable, off, got "seed"`},
		{"a text for a group", "approval: on", `narthex.yaml:1: approval: expected keys indented under it, got a text`},
		{"a list for a group", "login:\n  password:\n  - a", `narthex.yaml:2: login.password: expected keys indented under it, got a list`},
		{"a slip in a key", "approval:\n  enabeld: true", `narthex.yaml:2: approval.enabeld: there is no such key; did you mean approval.enabled?`},
		{"a slip in a group", "\naproval:\n  enabled: true", `narthex.yaml:2: aproval: there is no such key; did you mean approval?`},
		{"a slip in an inner group", "login:\n  pasword:\n    min_length: 3", `narthex.yaml:2: login.pasword: there is no such key; did you mean login.password?`},
		{"a key without its group", "min_length: 3", `narthex.yaml:1: min_length: there is no such key; did you mean login.password.min_length?`},
		{"a key of somebody else", "turn_servers_of_others: 3", `narthex.yaml:1: turn_servers_of_others: there is no such key; "narthex config default" shows them all`},
		{"a key with a line break", `"a\nb": 3`, `narthex.yaml:1: "a\nb": there is no such key; "narthex config default" shows them all`},
		{"a dotted key", "approval.enabled: true", `narthex.yaml:1: approval.enabled: write enabled indented under approval, not joined by a dot`},
		{"a key twice", "data: a\n\ndata: b", `narthex.yaml:3: data: the key is given twice, first in line 1`},
		{"a group twice", "log:\n  level: info\nlog:\n  format: text", `narthex.yaml:3: log: the key is given twice, first in line 1`},
		{"a number for a key", "1: 2", `narthex.yaml:1: expected the name of a key, got a number`},
		{"a merge key", "<<: {data: a}", `narthex.yaml:1: expected the name of a key, got YAML that this file does not use (anchors, aliases, tags)`},
		{"an anchor", "data: &a b", `narthex.yaml:1: data: expected a text, got YAML that this file does not use (anchors, aliases, tags)`},
		{"an alias", "presence: {enabled: *a}", `narthex.yaml:1: presence.enabled: expected true or false, got YAML that this file does not use (anchors, aliases, tags)`},
		{"a tag", "data: !!str b", `narthex.yaml:1: data: expected a text, got YAML that this file does not use (anchors, aliases, tags)`},
		{"a list for all", "- a", `narthex.yaml:1: expected keys such as server_name: example.org, got a list`},
		{"a text for all", "a", `narthex.yaml:1: expected keys such as server_name: example.org, got a text`},
		{"two documents", "data: a\n---\ndata: b", `narthex.yaml: the file holds several documents; remove the line --- between them`},
		{"an open bracket", "data: a\nlisten: [", `narthex.yaml:2: the file is not valid YAML: sequence end token ']' not found`},
		{"a secret behind a syntax error", "registration:\n  shared_secret: 'hunter2\n", `narthex.yaml:2: the file is not valid YAML: could not find end character of single-quoted text`},
		{"a secret of the wrong type", "registration:\n  shared_secret: [hunter2]\n", `narthex.yaml:2: registration.shared_secret: expected a text, got a list`},
		{"a secret under a wrong name", "registration:\n  shared_sekret: hunter2\n", `narthex.yaml:2: registration.shared_sekret: there is no such key; did you mean registration.shared_secret?`},
		{"all mistakes at once", "a_b_c_d_e_f: 1\nlog:\n  level: x\nlisten: x",
			`narthex.yaml:1: a_b_c_d_e_f: there is no such key; "narthex config default" shows them all` + "\n" +
				`narthex.yaml:3: log.level: expected one of debug, info, warn, error, got "x"` + "\n" +
				`narthex.yaml:4: listen: expected a list of texts, got a text`},
	} {
		t.Run(test.name, func(t *testing.T) {
			writeFile(t, test.text)
			got, err := Load(Default(), "narthex.yaml", nil)
			same(t, err, test.want)
			if diff := cmp.Diff(Config{}, got); diff != "" {
				t.Errorf("Load with an error returned more than an empty Config:\n%s", diff)
			}
		})
	}
}

func TestLoadFileUnreadable(t *testing.T) {
	t.Chdir(t.TempDir())
	_, err := Load(Default(), "narthex.yaml", nil)
	same(t, err, `narthex.yaml: there is no such file; "narthex config default" writes one`)

	if err := os.Mkdir("folder", 0o755); err != nil {
		t.Fatal(err)
	}
	_, err = Load(Default(), "folder", nil)
	same(t, err, "folder is not a plain file")

	if err := os.WriteFile("large", bytes.Repeat([]byte("#\n"), 40_000), 0o644); err != nil {
		t.Fatal(err)
	}
	_, err = Load(Default(), "large", nil)
	same(t, err, "large is too large: 80000 bytes, and 65536 are allowed")
}

func TestEnvironment(t *testing.T) {
	writeFile(t, "data: from-file\nlog:\n  level: warn\n")
	got, err := Load(Default(), "narthex.yaml", []string{
		"NARTHEX_LOG_LEVEL=debug",
		"NARTHEX_LISTEN= 127.0.0.1:1 ,127.0.0.1:2,",
		"NARTHEX_TRUSTED_PROXIES=",
		"NARTHEX_APPROVAL_REQUIRED_FOR_NEW_ACCOUNTS=false",
		"NARTHEX_SUPPORT_PAGE=https://example.org/?a=b",
	})
	same(t, err, "")
	want := Default()
	want.Data = "from-file"
	want.Log.Level = "debug"
	want.Listen = []string{"127.0.0.1:1", "127.0.0.1:2"}
	want.Approval.RequiredForNewAccounts = false
	want.Support.Page = "https://example.org/?a=b"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Load (-want +got):\n%s", diff)
	}
}

// TestEnvironmentSetsEveryKey gives each variable a value that is not the
// default, and expects that exactly this key changes.
func TestEnvironmentSetsEveryKey(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range fields {
		if seen[f.env()] {
			t.Errorf("two keys have the variable %s", f.env())
		}
		seen[f.env()] = true
		if f.entry != nil {
			continue // see TestLoadEntries
		}
		want := Default()
		text := ""
		switch value := f.in(&want).Interface().(type) {
		case bool:
			f.in(&want).SetBool(!value)
			text = written(f.in(&want))
		case int:
			f.in(&want).SetInt(int64(value) + 1)
			text = written(f.in(&want))
		case float64:
			f.in(&want).SetFloat(value + 0.5)
			text = written(f.in(&want))
		case Duration:
			f.in(&want).SetInt(int64(value + hour))
			text = written(f.in(&want))
		case []string:
			text = "one,two"
			f.setList(reflect.ValueOf(&want).Elem(), []string{"one", "two"})
		case string:
			text = "another"
			if f.oneOf != nil {
				text = f.oneOf[1]
			}
			f.in(&want).SetString(text)
		}
		got, err := Load(Default(), "", []string{f.env() + "=" + text})
		if err != nil {
			t.Errorf("%s=%s: %v", f.env(), text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s=%s (-want +got):\n%s", f.env(), text, diff)
		}
	}
}

func TestEnvironmentRefuses(t *testing.T) {
	for _, test := range []struct{ entry, want string }{
		{"NARTHEX_APPROVAL_ENABLED=maybe", `NARTHEX_APPROVAL_ENABLED: expected true or false, got "maybe"`},
		{"NARTHEX_APPROVAL_ENABLED=", `NARTHEX_APPROVAL_ENABLED: expected true or false, got ""`},
		{"NARTHEX_APPROVAL_ENABLED", `NARTHEX_APPROVAL_ENABLED: expected true or false, got ""`},
		{"NARTHEX_LOG_LEVEL=loud", `NARTHEX_LOG_LEVEL: expected one of debug, info, warn, error, got "loud"`},
		{"NARTHEX_APROVAL_ENABLED=true", `NARTHEX_APROVAL_ENABLED: there is no such variable; did you mean NARTHEX_APPROVAL_ENABLED?`},
		{"NARTHEX_APPROVAL=true", `NARTHEX_APPROVAL: there is no such variable; docs/reference/config.md lists them all`},
		{"NARTHEX_WHAT_EVER_THIS_MAY_BE=true", `NARTHEX_WHAT_EVER_THIS_MAY_BE: there is no such variable; docs/reference/config.md lists them all`},
		{"NARTHEX_DATA_FILE=x", `NARTHEX_DATA_FILE: there is no such variable; did you mean NARTHEX_DATABASE?`},
		{"NARTHEX_=x", `NARTHEX_: there is no such variable; docs/reference/config.md lists them all`},
	} {
		t.Run(test.entry, func(t *testing.T) {
			_, err := Load(Default(), "", []string{test.entry})
			same(t, err, test.want)
		})
	}
}

func TestSecrets(t *testing.T) {
	secretFile := func(t *testing.T, name, text string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil { // past the umask
			t.Fatal(err)
		}
	}
	const asText, asFile = "NARTHEX_REGISTRATION_SHARED_SECRET=", "NARTHEX_REGISTRATION_SHARED_SECRET_FILE="
	for _, test := range []struct {
		name, yaml string
		environ    []string
		want, err  string
	}{
		{name: "text in the file", yaml: "shared_secret: hunter2", want: "hunter2"},
		{name: "digits in the file", yaml: "shared_secret: 0012", want: "0012"},
		{name: "text in the environment", environ: []string{asText + "hunter3"}, want: "hunter3"},
		{name: "a file named by the file", yaml: "shared_secret_file: good", want: "from a file"},
		{name: "a file named by the environment", environ: []string{asFile + "good"}, want: "from a file"},
		{name: "the environment wins in the other form", yaml: "shared_secret: hunter2", environ: []string{asFile + "good"}, want: "from a file"},
		{name: "the environment wins over a file", yaml: "shared_secret_file: good", environ: []string{asText + "hunter3"}, want: "hunter3"},
		{name: "an empty form counts as none", yaml: "shared_secret: \"\"\n  shared_secret_file: good", want: "from a file"},
		{name: "an empty file form counts as none", yaml: "shared_secret: hunter2\n  shared_secret_file: \"\"", want: "hunter2"},
		{name: "both forms in the file", yaml: "shared_secret_file: good\n  shared_secret: hunter2",
			err: "narthex.yaml:2: registration.shared_secret_file: registration.shared_secret is given too; remove one of the two"},
		{name: "both forms in the environment", environ: []string{asText + "hunter3", asFile + "good"},
			err: "NARTHEX_REGISTRATION_SHARED_SECRET_FILE: registration.shared_secret is given too; remove one of the two"},
		{name: "a file for all to read", yaml: "shared_secret_file: open",
			err: "narthex.yaml:2: registration.shared_secret_file: others may read open (its mode is 0604); run: chmod 600 open"},
		{name: "a file for the group to read", environ: []string{asFile + "group"},
			err: "NARTHEX_REGISTRATION_SHARED_SECRET_FILE: others may read group (its mode is 0640); run: chmod 600 group"},
		{name: "an empty file", yaml: "shared_secret_file: blank",
			err: "narthex.yaml:2: registration.shared_secret_file: blank is empty; it should hold the secret"},
		{name: "no such file", yaml: "shared_secret_file: nowhere",
			err: "narthex.yaml:2: registration.shared_secret_file: nowhere: no such file or directory"},
		{name: "a folder", yaml: "shared_secret_file: .",
			err: "narthex.yaml:2: registration.shared_secret_file: . is not a plain file"},
		{name: "no path", yaml: "shared_secret_file: [good]",
			err: "narthex.yaml:2: registration.shared_secret_file: expected a text, got a list"},
	} {
		t.Run(test.name, func(t *testing.T) {
			writeFile(t, "registration:\n  "+test.yaml+"\n")
			secretFile(t, "good", " from a file\n", 0o600)
			secretFile(t, "open", "hunter2", 0o604)
			secretFile(t, "group", "hunter2", 0o640)
			secretFile(t, "blank", "\n", 0o600)
			got, err := Load(Default(), "narthex.yaml", test.environ)
			same(t, err, test.err)
			if got.Registration.SharedSecret != test.want {
				t.Errorf("the secret: got %q, want %q", got.Registration.SharedSecret, test.want)
			}
		})
	}
}

// FuzzLoad holds that no file makes loading panic, and that what it accepts
// survives Check and Redacted.
func FuzzLoad(f *testing.F) {
	var defaults bytes.Buffer
	if err := WriteDefault(&defaults); err != nil {
		f.Fatal(err)
	}
	f.Add(defaults.Bytes())
	for _, seed := range []string{
		"", "a: [", "? [a]\n: 1", "<<: *a", "listen:\n- &a x\n- *a", "- - -", "\"a\\nb\": 1", "log: {level: info}",
		"approval:\n  pending_ttl: 9223372036854775807ns", "database: postgres://u:p@h/d?password=x", "a: |\n  b\n---\n",
		"registration:\n  shared_secret_file: /dev/zero", "server_name: \"[::1%25x]:0\"", "rate_limits: {cheap: {burst: -0}}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		cfg := Default()
		err := loadYAML(&cfg, "narthex.yaml", text)
		if err != nil && !strings.HasPrefix(err.Error(), "narthex.yaml:") {
			t.Errorf("the error does not begin with the file's name: %v", err)
		}
		_ = cfg.Check()
		cfg.Redacted()
		cfg.BaseURL()
	})
}
