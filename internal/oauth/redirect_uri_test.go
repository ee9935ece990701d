package oauth

import (
	"net/url"
	"strings"
	"testing"
)

func TestClientURI(t *testing.T) {
	for text, want := range map[string]struct{ host, dev string }{
		"https://example.com/":                             {"example.com", "example.com"},
		"https://example.com":                              {"example.com", "example.com"},
		"https://Example.COM:8443/app?a=b#c":               {"example.com", "example.com"},
		"https://xn--exmple-cua.example/":                  {"xn--exmple-cua.example", "xn--exmple-cua.example"},
		"http://example.com/":                              {"", ""},
		"http://localhost:8080/":                           {"", "localhost"},
		"http://127.0.0.1/":                                {"", "127.0.0.1"},
		"http://[::1]:5173/":                               {"", "[::1]"},
		"http://127.1/":                                    {"", ""},
		"http://localhost.example/":                        {"", ""},
		"http://a@localhost/":                              {"", ""},
		"https://localhost/":                               {"", ""},
		"https://intranet/":                                {"", ""},
		"https://com/":                                     {"", ""},
		"https://192.0.2.1/":                               {"", ""},
		"https://0x7f.1/":                                  {"", ""},
		"https://a.0x7f/":                                  {"", ""},
		"https://[2001:db8::1]/":                           {"", ""},
		"https://example.com./":                            {"", ""},
		"https://.example.com/":                            {"", ""},
		"https://exa_mple.com/":                            {"", ""},
		"https://exämple.com/":                             {"", ""},
		"https://ex%61mple.com/":                           {"", ""},
		"https://user@example.com/":                        {"", ""},
		"https://:pw@example.com/":                         {"", ""},
		"https://@example.com/":                            {"", ""},
		"https://example.com:/":                            {"", ""},
		"https://example.com:0/":                           {"", ""},
		"https://example.com:99999/":                       {"", ""},
		"https://example.com:https/":                       {"", ""},
		"https:/example.com/":                              {"", ""},
		"https:example.com":                                {"", ""},
		"https:///example.com":                             {"", ""},
		"https://":                                         {"", ""},
		"HTTPS://example.com/":                             {"", ""},
		"//example.com/":                                   {"", ""},
		"example.com":                                      {"", ""},
		"javascript:alert(1)":                              {"", ""},
		"data:text/html,x":                                 {"", ""},
		"https://example.com/ x":                           {"", ""},
		" https://example.com/":                            {"", ""},
		"https://example.com/\n":                           {"", ""},
		"https://example.com/\x00":                         {"", ""},
		"https://example.com/%":                            {"", ""},
		"https://example.com/%zz":                          {"", ""},
		`https://example.com\@evil.example/`:               {"", ""},
		"https://example.com/<b>":                          {"", ""},
		"":                                                 {"", ""},
		"https://example.com/" + strings.Repeat("x", 2029): {"", ""},
		"https://example.com/" + strings.Repeat("x", 2028): {"example.com", "example.com"},
	} {
		for dev, want := range map[bool]string{false: want.host, true: want.dev} {
			base, problem := parseClientURI(text, dev)
			if base.host != want || (problem == "") != (want != "") {
				t.Errorf("%.60q with dev %v: got %q, %q, want %q", text, dev, base.host, problem, want)
			}
		}
	}
}

// TestRedirectURI has the examples of the specification and what people have tried
// on other servers. The client URI is https://example.com/.
func TestRedirectURI(t *testing.T) {
	const refused, native, both = "", "native", "web native"
	base, problem := parseClientURI("https://example.com/", false)
	if problem != "" {
		t.Fatal(problem)
	}
	for text, want := range map[string]string{
		// the specification's examples
		"https://example.com/callback":           both,
		"https://app.example.com/callback":       both,
		"https://example.com:5173/?query=value":  both,
		"https://example.com/callback#fragment":  refused,
		"http://example.com/callback":            refused,
		"http://localhost/":                      native,
		"com.example.app:/callback":              native,
		"com.example:/":                          native,
		"com.example:callback":                   native,
		"http://localhost/callback":              native,
		"http://127.0.0.1/callback":              native,
		"http://[::1]/callback":                  native,
		"example:/callback":                      refused,
		"com.example.app://callback":             refused,
		"https://localhost/callback":             refused,
		"http://localhost:1234/callback":         refused,
		"https://app.com/callback":               refused,
		"https://EXAMPLE.com/callback":           both,
		"https://example.com":                    both,
		"https://a.b.example.com/cb?a=%20b&c=d;": both,
		// other hosts
		"https://evilexample.com/":            refused,
		"https://example.com.evil.example/":   refused,
		"https://example.co/":                 refused,
		"https://example.com@evil.example/":   refused,
		"https://example.com:x@evil.example/": refused,
		"https://evil.example/@example.com":   refused,
		"https://evil.example?example.com":    refused,
		"https://evil.example/?.example.com":  refused,
		`https://evil.example\.example.com/`:  refused,
		`https:\\example.com/`:                refused,
		"https://evil.example%2f.example.com": refused,
		"https://evil.example%00.example.com": refused,
		"https://evil。example.com/":           refused,
		"https://[::1].example.com/":          refused,
		"https://.example.com/":               refused,
		"https://a..example.com/":             refused,
		"https://example.com./":               refused,
		"https://127.0.0.1/callback":          refused,
		"//example.com/callback":              refused,
		"/callback":                           refused,
		"":                                    refused,
		"https:///example.com/":               refused,
		"https:/example.com/":                 refused,
		"https:example.com/":                  refused,
		"HTTPS://example.com/":                refused,
		"https://user:pw@example.com/":        refused,
		"https://@example.com/":               refused,
		"https://example.com:0/":              refused,
		"https://example.com:/":               refused,
		"https://example.com:65536/":          refused,
		"https://example.com/#":               refused,
		"https://example.com/%23ok":           both,
		"https://example.com/\tcb":            refused,
		"https://example.com/ cb":             refused,
		"https://example.com/cb\r\nLocation:": refused,
		"https://example.com/é":               refused,
		"https://example.com/%c3%a9":          both,
		"https://example.com/%c":              refused,
		"https://example.com/a/../b":          both,
		"https://*.example.com/":              refused,
		// the own machine
		"http://localhost":                       native,
		"http://localhost?a=b":                   native,
		"http://LOCALHOST/":                      refused,
		"http://localhost:/":                     refused,
		"http://localhost:80/":                   refused,
		"http://localhost./":                     refused,
		"http://localhost@evil.example/":         refused,
		"http://localhost%40evil.example/":       refused,
		"http://localhost.evil.example/":         refused,
		"http://app.localhost/":                  refused,
		"http://127.0.0.2/":                      refused,
		"http://127.1/":                          refused,
		"http://2130706433/":                     refused,
		"http://0.0.0.0/":                        refused,
		"http://[::]/":                           refused,
		"http://::1/":                            refused,
		"http://[::ffff:127.0.0.1]/":             refused,
		"http://[0:0:0:0:0:0:0:1]/":              refused,
		"http://user@localhost/":                 refused,
		"http:/localhost/":                       refused,
		"http:localhost/":                        refused,
		"HTTP://localhost/":                      refused,
		"http://localhost/callback#x":            refused,
		"https://localhost:8443/":                refused,
		"http://127.0.0.1/a\nb":                  refused,
		"http://127.0.0.1/%4":                    refused,
		"http://127.0.0.1/a?next=http://evil.xx": native,
		// schemes
		"com.example.app:":                       native,
		"com.example.app:/a//b":                  native,
		"com.example.app-2:/":                    native,
		"com.example.app:?a=b":                   native,
		"com.example.app:/a#b":                   refused,
		"com.example.app:///":                    refused,
		"com.example.app:// x":                   refused,
		"com.example.app:/\\x":                   refused,
		"com.exampleapp:/":                       refused,
		"com.example-app:/":                      refused,
		"Com.Example.App:/":                      refused,
		"com.example.app":                        refused,
		"com:/":                                  refused,
		"org.example.app:/":                      refused,
		"example.com:/":                          refused,
		":/callback":                             refused,
		"javascript:alert(1)":                    refused,
		"javascript://example.com":               refused,
		"data:text/html,x":                       refused,
		"vbscript:x":                             refused,
		"file:///etc/passwd":                     refused,
		"intent://example.com/":                  refused,
		"ftp://example.com/":                     refused,
		"wss://example.com/":                     refused,
		"blob:https://example.com":               refused,
		"urn:ietf:wg:oauth:2.0:oob":              refused,
		"https://example.com/" + long(2028):      both,
		"https://example.com/" + long(2029):      refused,
		"com.example:/" + long(2048):             refused,
		"http://localhost/" + long(2048):         refused,
		"com.example.app:/callback%":             refused,
		"com.example.app:/callback?x=\u202eevil": refused,
	} {
		for _, kind := range []string{webApplication, nativeApplication} {
			problem := base.redirectProblem(text, kind)
			if want := strings.Contains(want, kind); (problem == "") != want {
				t.Errorf("%.60q for %s: got %q, want accepted: %v", text, kind, problem, want)
			}
		}
	}
}

func TestRedirectURIUnderDevelopment(t *testing.T) {
	base, problem := parseClientURI("http://localhost:8080/", true)
	if problem != "" {
		t.Fatal(problem)
	}
	for text, want := range map[string]bool{
		"http://localhost:8080/":     true,
		"http://localhost:5173/cb":   true,
		"https://localhost:8080/":    false,
		"http://127.0.0.1:8080/":     false,
		"http://evil.example/":       false,
		"http://a@localhost:8080/cb": false,
		"localhost:/":                false,
	} {
		if problem := base.redirectProblem(text, webApplication); (problem == "") != want {
			t.Errorf("%s: got %q, want accepted: %v", text, problem, want)
		}
	}
	if problem := base.redirectProblem("localhost:/", nativeApplication); problem == "" {
		t.Error("a scheme that is the name of no domain was accepted")
	}
}

func long(n int) string { return strings.Repeat("x", n) }

func TestRedirectsTo(t *testing.T) {
	for _, test := range []struct {
		registered, requested string
		web, native           bool
	}{
		{"https://example.com/cb", "https://example.com/cb", true, true},
		{"https://example.com/cb", "https://example.com/cb/", false, false},
		{"https://example.com/cb", "https://example.com/cb?a", false, false},
		{"https://example.com/cb", "https://example.com:443/cb", false, false},
		{"https://example.com/cb", "https://EXAMPLE.com/cb", false, false},
		{"https://example.com/cb", "https://example.com/%63b", false, false},
		{"https://example.com/cb", "https://example.com/cb#", false, false},
		{"https://example.com/cb", "", false, false},
		{"com.example:/cb", "com.example:/cb", true, true},
		{"com.example:/cb", "com.example:cb", false, false},
		{"http://localhost/cb", "http://localhost/cb", true, true},
		{"http://localhost/cb", "http://localhost:1234/cb", false, true},
		{"http://127.0.0.1/cb", "http://127.0.0.1:65535/cb", false, true},
		{"http://[::1]/cb?a=b", "http://[::1]:1/cb?a=b", false, true},
		{"http://localhost", "http://localhost:80", false, true},
		{"http://localhost", "http://localhost:80/", false, false},
		{"http://localhost/cb", "http://localhost:/cb", false, false},
		{"http://localhost/cb", "http://localhost:0/cb", false, false},
		{"http://localhost/cb", "http://localhost:65536/cb", false, false},
		{"http://localhost/cb", "http://localhost:+80/cb", false, false},
		{"http://localhost/cb", "http://localhost:80@evil.example/cb", false, false},
		{"http://localhost/cb", "http://localhost:80/x/cb", false, false},
		{"http://localhost/cb", "http://localhost:80/cb/", false, false},
		{"http://localhost/cb", "http://127.0.0.1:80/cb", false, false},
		{"http://localhost/cb", "https://localhost:80/cb", false, false},
		{"http://localhost/cb", "http://a@localhost:80/cb", false, false},
	} {
		for kind, want := range map[string]bool{webApplication: test.web, nativeApplication: test.native} {
			if got := redirectsTo(test.registered, test.requested, kind); got != want {
				t.Errorf("%s, %s, %s: got %v, want %v", test.registered, test.requested, kind, got, want)
			}
		}
	}
}

func FuzzRedirectURI(f *testing.F) {
	for _, seed := range []string{"https://example.com/cb?a=b", "http://[::1]/", "com.example.app:/x", `https://example.com\@evil.example/`, "http://localhost:1/"} {
		f.Add(seed, seed)
	}
	base, _ := parseClientURI("https://example.com/", false)
	f.Fuzz(func(t *testing.T, text, other string) {
		for _, kind := range []string{webApplication, nativeApplication} {
			if base.redirectProblem(text, kind) != "" {
				continue
			}
			u, err := url.Parse(text)
			if err != nil || u.Fragment != "" || u.User != nil {
				t.Fatalf("%q is accepted for %s and read as %+v, %v", text, kind, u, err)
			}
			below := u.Scheme == "https" && strings.HasSuffix("."+strings.ToLower(u.Hostname()), ".example.com")
			here := u.Scheme == "http" && strings.Contains("localhost 127.0.0.1 ::1", u.Hostname()) && u.Port() == ""
			private := strings.HasPrefix(u.Scheme+".", "com.example.") && u.Host == ""
			if !below && (kind == webApplication || (!here && !private)) {
				t.Errorf("%q is accepted for %s", text, kind)
			}
			if !redirectsTo(text, text, kind) {
				t.Errorf("%q is not equal to itself", text)
			}
			if redirectsTo(text, other, kind) && text != other {
				o, err := url.Parse(other)
				if err != nil || !here || o.Scheme != "http" || o.Hostname() != u.Hostname() || o.User != nil || o.RequestURI() != u.RequestURI() {
					t.Errorf("%q, registered for %s, may lead to %q", text, kind, other)
				}
			}
		}
	})
}
