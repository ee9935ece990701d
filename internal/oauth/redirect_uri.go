package oauth

import (
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Kinds of applications (OpenID Connect Dynamic Client Registration, section 2).
const (
	webApplication    = "web"
	nativeApplication = "native"
)

// maxURI is the length in bytes that no URI of a client may exceed.
const maxURI = 2048

// loopbacks are the hosts on which a native application may listen.
var loopbacks = []string{"localhost", "127.0.0.1", "[::1]"}

// A clientBase is what all URIs of a client have in common: the host of its
// client_uri, on which, or below which, the others have to be. A client proves
// nothing but that it is reached there, so nothing may be left to interpretation.
type clientBase struct {
	scheme, host string
}

// parseClientURI checks a client_uri. dev also admits plain HTTP on this machine,
// for web clients under development. The problem is the end of a sentence, "" if
// there is none.
func parseClientURI(text string, dev bool) (base clientBase, problem string) {
	u, problem := parseURI(text)
	if problem != "" {
		return clientBase{}, problem
	}
	base = clientBase{scheme: u.Scheme, host: host(u)}
	switch {
	case dev && u.Scheme == "http" && slices.Contains(loopbacks, base.host):
	case u.Scheme != "https":
		return clientBase{}, "has to begin with https://"
	case !isDomain(base.host):
		return clientBase{}, "has to be at a domain name such as example.org"
	}
	if u.User != nil {
		return clientBase{}, "must not carry a user name or password"
	}
	return base, ""
}

// problem says what is wrong with the URI of a web page or of an image, "" if
// nothing is.
func (b clientBase) problem(text string) string {
	u, problem := parseURI(text)
	switch {
	case problem != "":
		return problem
	case u.Scheme != b.scheme:
		return "has to begin with " + b.scheme + "://"
	case u.User != nil:
		return "must not carry a user name or password"
	case host(u) != b.host && !(isDomain(host(u)) && strings.HasSuffix(host(u), "."+b.host)):
		return "has to be on the host of client_uri or below it"
	}
	return ""
}

// redirectProblem says why an application of the kind may not be sent back to a
// URI, "" if it may. Client-server API, "Redirect URI validation"; RFC 8252
// section 7.
func (b clientBase) redirectProblem(text, kind string) string {
	switch {
	case strings.Contains(text, "#"):
		return "must not have a fragment"
	case kind != nativeApplication || strings.HasPrefix(text, "https:"):
		return b.problem(text)
	case strings.HasPrefix(text, "http:"):
		return loopbackProblem(text)
	default:
		return b.privateProblem(text)
	}
}

// loopbackProblem checks the address of a native application that listens on its
// own machine. It has no port, since the system picks a free one at each start.
func loopbackProblem(text string) string {
	if _, problem := parseURI(text); problem != "" {
		return problem
	}
	rest := strings.TrimPrefix(text, "http://")
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		rest = rest[:i]
	}
	if !slices.Contains(loopbacks, rest) {
		return "may use http:// only with the host localhost, 127.0.0.1 or [::1] and without a port; any port is accepted at sign-in"
	}
	return ""
}

// privateProblem checks a URI whose scheme an application has claimed for itself.
// The scheme begins with the reversed name of the client's host, which keeps
// javascript: and the like out.
func (b clientBase) privateProblem(text string) string {
	if problem := characterProblem(text); problem != "" {
		return problem
	}
	scheme, rest, found := strings.Cut(text, ":")
	own := reversed(b.host)
	switch {
	case !found || !isDomain(b.host) || !isScheme(scheme) || (scheme != own && !strings.HasPrefix(scheme, own+".")):
		return "has to begin with https://, with http://localhost, or with a scheme of its own such as " + own + ":/"
	case strings.HasPrefix(rest, "//"):
		return "must not have a host after a scheme of its own; write one slash or none"
	}
	return ""
}

// redirectsTo reports whether a client that registered one URI may be sent to
// another: it is the same, or, for an application that listens on its own machine,
// the same but for the port. RFC 6749 section 3.1.2.3, RFC 8252 section 7.3.
func redirectsTo(registered, requested, kind string) bool {
	if registered == requested {
		return true
	}
	if kind != nativeApplication {
		return false
	}
	for _, host := range loopbacks {
		path, ok := strings.CutPrefix(registered, "http://"+host)
		rest, with := strings.CutPrefix(requested, "http://"+host+":")
		if ok && with {
			port, found := strings.CutSuffix(rest, path)
			return found && isPort(port)
		}
	}
	return false
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

// parseURI reads an http or https URI with a host.
func parseURI(text string) (u *url.URL, problem string) {
	if problem := characterProblem(text); problem != "" {
		return nil, problem
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || !strings.HasPrefix(text, u.Scheme+"://") || strings.HasSuffix(u.Host, ":") ||
		(u.Port() != "" && !isPort(u.Port())) {
		return nil, "is not a web address such as https://example.org/"
	}
	return u, ""
}

// characterProblem refuses what a URI cannot hold (RFC 3986 section 2), and with it
// what browsers, other than this server, would mend or drop.
func characterProblem(text string) string {
	if len(text) > maxURI {
		return "is longer than " + strconv.Itoa(maxURI) + " bytes"
	}
	for i := range len(text) {
		switch c := text[i]; {
		case c <= ' ' || c > '~' || strings.IndexByte("\"<>\\^`{|}", c) >= 0:
			return "contains a character that has to be percent-encoded"
		case c == '%' && (len(text) < i+3 || !isHex(text[i+1]) || !isHex(text[i+2])):
			return "contains a % that begins no percent-encoding"
		}
	}
	return ""
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'f'
}

// host gives the host in lower case, without its port.
func host(u *url.URL) string {
	return strings.ToLower(strings.TrimSuffix(u.Host, ":"+u.Port()))
}

// isDomain reports whether a host is a name with at least two labels, and not an
// address in one of the many spellings that browsers take.
func isDomain(host string) bool {
	labels := strings.Split(host, ".")
	for _, label := range labels {
		if label == "" || len(label) > 63 || strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	last := labels[len(labels)-1]
	return len(labels) > 1 && len(host) <= 253 && (last[0] < '0' || last[0] > '9')
}

// isScheme reports whether text is a scheme in the one spelling that all systems
// understand, lower case (RFC 3986 section 3.1).
func isScheme(text string) bool {
	return text != "" && 'a' <= text[0] && text[0] <= 'z' && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == ""
}

func reversed(host string) string {
	labels := strings.Split(host, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".")
}
