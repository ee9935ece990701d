package web

import (
	"strings"
	"testing"
)

// TestPathsToGoOnTo is the corpus of open redirects.
func TestPathsToGoOnTo(t *testing.T) {
	for _, path := range []string{
		"/", "/account", "/account?action=profile", "/link?user_code=BCDF-GHJK", "/account#top",
		"/oauth2/authorize?client_id=1&redirect_uri=https%3A%2F%2Fapp.example.org%2F&state=%2F%2Fevil.example",
		"/sso?redirect_url=https://app.example.org//x", "/a%2fb", "/a:b", "/@evil",
	} {
		if !isLocal(path) {
			t.Errorf("%q is refused", path)
		}
	}
	for _, path := range []string{
		"", "account", "https://evil.example", "HTTPS://evil.example/", "//evil.example", "///evil.example", "////evil.example", "/\\evil.example",
		"\\/evil.example", "\\\\evil.example", "/\t/evil.example", "/\n/evil.example", "/\r/evil.example", "\t//evil.example", " //evil.example", " /account",
		"/account\r\nSet-Cookie: a=b", "/account\x00", "javascript:alert(1)", "JavaScript:alert(1)", "data:text/html,x", "http:evil.example", "http:/evil.example",
		"https:evil.example", "//evil.example@narthex.test", "/.//evil.example", "/..//evil.example", "/./account", "/a/../..//evil.example", "/a//evil.example",
		"/%2e%2e//evil.example", "/%2f/evil.example", "/%5cevil.example", "/%2e/%2fevil.example", "/a/%2e%2e/%2fevil", "//", "/\u2028/evil.example", "/\u3002evil.example",
		"/\uff0fevil.example", "/a%zz", "?continue=/account", "#", "?", "@evil.example", "/account\u00a0", "//[::1]", "//%5b::1%5d", "\u00a0//evil.example",
		"blob:https://evil.example/x", "file:///etc/passwd", "/" + strings.Repeat("a", maxContinue),
	} {
		if isLocal(path) {
			t.Errorf("%q is taken for a path of this server", path)
		}
		if next(path) != "/account" {
			t.Errorf("%q leads to %q", path, next(path))
		}
	}
}

func FuzzPathsToGoOnTo(f *testing.F) {
	f.Add("/account")
	f.Add("//evil.example")
	f.Fuzz(func(t *testing.T, path string) {
		if !isLocal(path) {
			return
		}
		if path[0] != '/' || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\t\r\n \x00") {
			t.Errorf("%q is taken for a path of this server", path)
		}
	})
}

// TestAddressesOfClients is the corpus for clients of the older way to sign in.
func TestAddressesOfClients(t *testing.T) {
	for address, want := range map[string]string{
		"https://chat.example.net/?x=1#/y": "https://chat.example.net", "https://CHAT.example.net": "https://chat.example.net",
		"https://chat.example.net:8443/": "https://chat.example.net:8443", "http://localhost:8080/": "http://localhost:8080",
		"http://127.0.0.1/cb": "http://127.0.0.1", "http://[::1]:1/": "http://[::1]:1", "element://connect": "element:", "im.fluffychat://login": "im.fluffychat:",
		"org.example.app:/login?x=y": "org.example.app:",
	} {
		if got, err := checkRedirect(address); err != nil || got != want {
			t.Errorf("%q: got %q %v, want %q", address, got, err, want)
		}
	}
	for _, address := range []string{
		"", "/account", "//evil.example", "javascript:alert(1)", "JAVASCRIPT:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "data:text/html,x",
		"vbscript:x", "blob:https://x.example/1", "file:///etc/passwd", "about:blank", "http://chat.example.net/", "http://127.0.0.1.evil.example/",
		"http://localhost.evil.example", "https://user:pass@chat.example.net/", "https://chat.example.net@evil.example/", "https:", "https:///x", "https:chat.example.net",
		"https://a;script-src%20*/", "https://a;sandbox/", "https://a,b/", "https://a'b/", "https://\u00fc.example/", "https://chat.example.net\\@evil.example/",
		"https://chat.example.net/\r\nSet-Cookie: a=b", "https://a b/", "1a://x", "a_b://x", "view-source:https://x", "https://%65vil.example/", "mailto:a@b", "https://[::1", "https://" + strings.Repeat("a", maxRedirect),
	} {
		if got, err := checkRedirect(address); err == nil {
			t.Errorf("%q is accepted, as %q", address, got)
		}
	}
	for address, want := range map[string]string{
		"https://a.example/":         "https://a.example/?loginToken=t%2Bk",
		"https://a.example/?x=1":     "https://a.example/?x=1&loginToken=t%2Bk",
		"https://a.example/?x=1#/y?": "https://a.example/?x=1&loginToken=t%2Bk#/y?",
		"element://connect":          "element://connect?loginToken=t%2Bk",
	} {
		if got := withToken(address, "t+k"); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
