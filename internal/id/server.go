package id

import (
	"net/netip"
	"strconv"
	"strings"
)

// ServerName names a homeserver: a DNS name, an IPv4 address or an IPv6 address
// in brackets, and an optional port. Case matters: names that differ in case are
// different servers. Specification: appendix "Server Name".
type ServerName string

// ParseServerName checks a server name. The error is an *Error.
func ParseServerName(s string) (ServerName, error) {
	if reason := serverNameFault(s); reason != "" {
		return "", &Error{kindServer, reason}
	}
	return ServerName(s), nil
}

// UnmarshalText is ParseServerName for decoders.
func (n *ServerName) UnmarshalText(text []byte) (err error) {
	*n, err = ParseServerName(string(text))
	return err
}

// Host returns the name without its port; an IPv6 address keeps its brackets.
func (n ServerName) Host() string {
	host, _, _ := cutPort(string(n))
	return host
}

// Port returns the port in the name, or 0 if it has none.
func (n ServerName) Port() int {
	_, port, _ := cutPort(string(n))
	number, err := strconv.Atoi(port)
	if err != nil {
		return 0
	}
	return number
}

// serverNameFault returns what is wrong with a server name, or "".
func serverNameFault(s string) string {
	if s == "" {
		return "it is empty"
	}
	if len(s) > MaxLength {
		return "it is longer than 255 bytes"
	}
	host, port, hasPort := cutPort(s)
	if hasPort && !validPort(port) {
		return "the port is not a number from 0 to 65535"
	}
	if strings.HasPrefix(host, "[") {
		return ipv6Fault(host)
	}
	if host == "" {
		return "it has no host"
	}
	for i := range len(host) {
		if c := host[i]; !isAlphanumeric(c) && c != '-' && c != '.' {
			return "a host may only hold letters, digits, '-' and '.'"
		}
	}
	return ""
}

// cutPort separates the port; a colon inside the brackets of an IPv6 address
// does not begin one.
func cutPort(s string) (host, port string, found bool) {
	start := 0
	if strings.HasPrefix(s, "[") {
		start = strings.IndexByte(s, ']') + 1
	}
	i := strings.IndexByte(s[start:], ':')
	if i < 0 {
		return s, "", false
	}
	return s[:start+i], s[start+i+1:], true
}

func validPort(s string) bool {
	if len(s) < 1 || len(s) > 5 {
		return false
	}
	number := 0
	for i := range len(s) {
		if !isDigit(s[i]) {
			return false
		}
		number = number*10 + int(s[i]-'0')
	}
	return number <= 65535
}

func ipv6Fault(host string) string {
	const fault = "an address in brackets must be an IPv6 address"
	if !strings.HasSuffix(host, "]") {
		return fault
	}
	addr, err := netip.ParseAddr(host[1 : len(host)-1])
	if err != nil || !addr.Is6() || addr.Zone() != "" {
		return fault
	}
	return ""
}

// MXC is the URI of uploaded media: "mxc://example.org/abc". Specification:
// client-server API, "Matrix Content (mxc://) URIs".
type MXC string

const mxcScheme = "mxc://"

// ParseMXC checks a media URI. The media ID is 1 to 255 characters of letters,
// digits, '-' and '_', so that it can never be a path. The error is an *Error.
func ParseMXC(s string) (MXC, error) {
	rest, ok := strings.CutPrefix(s, mxcScheme)
	if !ok {
		return "", &Error{kindMXC, "it must start with 'mxc://'"}
	}
	server, media, _ := strings.Cut(rest, "/")
	if reason := serverNameFault(server); reason != "" {
		return "", &Error{kindMXC, "the server name in it is not valid, because " + reason}
	}
	if len(media) < 1 || len(media) > MaxLength || !urlSafe(media) {
		return "", &Error{kindMXC, "the media ID must be 1 to 255 letters, digits, '-' or '_'"}
	}
	return MXC(s), nil
}

// NewMXC joins a server name and a media ID. The error is an *Error.
func NewMXC(server ServerName, mediaID string) (MXC, error) {
	return ParseMXC(mxcScheme + string(server) + "/" + mediaID)
}

// ServerName returns the server that holds the media.
func (m MXC) ServerName() ServerName {
	server, _, _ := strings.Cut(strings.TrimPrefix(string(m), mxcScheme), "/")
	return ServerName(server)
}

// MediaID returns the part that names the media on its server.
func (m MXC) MediaID() string {
	_, media, _ := strings.Cut(strings.TrimPrefix(string(m), mxcScheme), "/")
	return media
}

// UnmarshalText is ParseMXC for decoders.
func (m *MXC) UnmarshalText(text []byte) (err error) {
	*m, err = ParseMXC(string(text))
	return err
}
