package httpapi

import (
	"net/http"
	"net/url"
	"strings"
)

// plain reports whether a path names the same resource to the multiplexer as to
// whoever wrote it. It has no segment that the multiplexer would clean away; one
// trailing slash is left to the routes. And it has no encoded slash beside a character
// that had to be encoded and is not: net/url then encodes the whole path anew, and the
// slash would part two segments.
func plain(u *url.URL) bool {
	path := u.EscapedPath()
	if !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/.") || strings.HasSuffix(path, "/..") {
		return false
	}
	if strings.Contains(path, "//") || strings.Contains(path, "/./") || strings.Contains(path, "/../") {
		return false
	}
	return u.RawPath == "" || strings.Count(path, "/") == strings.Count(u.RawPath, "/")
}

// methodName repeats a method only if it is an ordinary one.
func methodName(m string) string {
	switch m {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return m
	}
	return "such method"
}
