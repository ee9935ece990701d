package signin

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// checkURL says what keeps a URL from being used as an endpoint. http is for the
// loopback interface, and only where the homeserver itself is there: otherwise a
// server could make this program send requests to its own machine.
func checkURL(raw string, loopback bool) error {
	u, err := url.Parse(raw)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "":
		return fmt.Errorf("%q is not an absolute URL", printable(raw))
	case u.User != nil:
		return fmt.Errorf("%q contains a user name", printable(u.Redacted()))
	case u.Fragment != "" || strings.HasSuffix(raw, "#"):
		return fmt.Errorf("%q has a fragment", printable(raw))
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && loopback && isLoopback(u.Hostname()):
		return nil
	}
	return fmt.Errorf("%q is not an https URL", printable(raw))
}

// isLoopback says whether a host name, without port and brackets, is this machine.
func isLoopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func hostname(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	return u.Hostname()
}
