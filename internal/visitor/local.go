package visitor

import (
	"net/url"
	"strings"
)

const (
	// SignInPath is the page for signing in; the templates of package page have it too.
	SignInPath = "/login"
	// Home is where a browser goes that has nowhere else to go.
	Home = "/account"
	// MaxContinue is the length of a path to go on to, in bytes: it may hold the
	// whole request of an app.
	MaxContinue = 16 << 10
)

// Next is where to go on to after signing in: the path that was asked for, or Home
// if it is not one of this server.
func Next(path string) string {
	if isLocal(path) {
		return path
	}
	return Home
}

// At is a path with a query of names and values; empty values are left out.
func At(path string, query ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(query); i += 2 {
		if query[i+1] != "" {
			values.Set(query[i], query[i+1])
		}
	}
	if len(values) == 0 {
		return path
	}
	return path + "?" + values.Encode()
}

// isLocal reports whether every browser takes text for a path of this server. They
// read a backslash as a slash, drop tabs and line ends, and take what follows two
// slashes for a host.
func isLocal(text string) bool {
	if len(text) > MaxContinue || !strings.HasPrefix(text, "/") || strings.HasPrefix(text, "//") {
		return false
	}
	for i := range len(text) {
		if text[i] <= ' ' || text[i] >= 0x7f || text[i] == '\\' {
			return false
		}
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" {
		return false
	}
	// A path with "." and ".." could turn into one with two slashes.
	for segment := range strings.SplitSeq(u.Path, "/") {
		if segment == "." || segment == ".." {
			return false
		}
	}
	return !strings.Contains(u.Path, "//") && !strings.Contains(u.Path, `\`)
}
