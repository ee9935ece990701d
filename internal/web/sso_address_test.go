package web

import (
	"strings"
	"testing"
)

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
