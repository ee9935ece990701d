package config

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// longestServerName is what the specification (appendices, "Server Name")
// recommends, so that user and room names keep room for their other part.
const longestServerName = 230

// serverNameProblem says what is wrong with a server name by the grammar of the
// specification's appendices, as the end of a sentence, or returns "".
func serverNameProblem(name string) string {
	host, port, hasPort := name, "", false
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "]") {
		host, port, hasPort = name[:i], name[i+1:], true
	}
	switch {
	case name == "":
		return "is empty; write a host name such as example.org"
	case strings.Contains(name, "://"):
		return "has a scheme; write the host name alone, such as example.org"
	case strings.Contains(name, "/"):
		return "has a path; write the host name alone, such as example.org"
	case len(name) > longestServerName:
		return "is longer than " + strconv.Itoa(longestServerName) + " characters"
	case hasPort && !isPort(port):
		return "has a port that is not a number from 1 to 65535"
	case !isHost(host):
		return "is not a host name; use letters, digits, dots and hyphens, or an address (IPv6 in brackets)"
	}
	return ""
}

func isPort(text string) bool {
	port, err := strconv.ParseUint(text, 10, 16)
	return err == nil && port > 0
}

func isHost(host string) bool {
	if inside, ok := strings.CutPrefix(host, "["); ok {
		inside, ok = strings.CutSuffix(inside, "]")
		ip, err := netip.ParseAddr(inside)
		return ok && err == nil && ip.Is6() && ip.Zone() == ""
	}
	for _, c := range []byte(host) {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '-' {
			return false
		}
	}
	return host != ""
}

// webURL reads an absolute http or https URL, or says what is wrong with it.
func webURL(text string) (u *url.URL, problem string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "":
		return nil, strconv.Quote(text) + " is not a web address such as https://example.org"
	case u.User != nil:
		return nil, "leave the user name and password out of the address"
	}
	return u, ""
}

// baseURLProblem says what is wrong with a URL that paths are appended to.
func baseURLProblem(text string) string {
	u, problem := webURL(text)
	switch {
	case problem != "":
		return problem
	case u.RawQuery != "" || u.ForceQuery:
		return strconv.Quote(text) + " has a query; end it before the ?"
	case strings.Contains(text, "#"):
		return strconv.Quote(text) + " has a fragment; end it before the #"
	}
	return ""
}

func (f *findings) listeners(c Config) {
	if len(c.Listen) == 0 {
		f.add("listen", "give at least one address, such as 127.0.0.1:8008")
	}
	taken := map[string]bool{}
	for _, address := range c.Listen {
		f.listener("listen", address, c.Dev, taken)
	}
	if c.Metrics.Listen != "" {
		f.listener("metrics.listen", c.Metrics.Listen, c.Dev, taken)
	}
}

// listener checks one address and notes it in taken. Port 0 stands for any free
// port, so it may be used again.
func (f *findings) listener(key, address string, dev bool, taken map[string]bool) {
	host, port, err := net.SplitHostPort(address)
	switch {
	case err != nil:
		f.add(key, "%q is not an address such as 127.0.0.1:8008 or [::1]:8008", address)
	case port != "0" && !isPort(port):
		f.add(key, "%q has a port that is not a number from 0 to 65535", address)
	case host != "" && !isListenHost(host):
		f.add(key, "%q has a host that is neither an IP address nor a host name", address)
	case dev && !isLoopback(host):
		f.add(key, "%q can be reached from other machines, which --dev does not allow; use 127.0.0.1", address)
	case taken[address]:
		f.add(key, "%q is listed twice", address)
	}
	taken[address] = port != "0"
}

func isListenHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return isHost(host)
}

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.Unmap().IsLoopback())
}
