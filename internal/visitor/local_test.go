package visitor

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
		"blob:https://evil.example/x", "file:///etc/passwd", "/" + strings.Repeat("a", MaxContinue),
	} {
		if isLocal(path) {
			t.Errorf("%q is taken for a path of this server", path)
		}
		if Next(path) != "/account" {
			t.Errorf("%q leads to %q", path, Next(path))
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
