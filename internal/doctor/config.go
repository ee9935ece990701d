package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// shortestSecret is the least length of a shared secret that cannot be guessed.
const shortestSecret = 16

func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

// isPublic reports whether an address of listen can be reached from elsewhere.
func isPublic(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && !isLoopback(host)
}

func (p Patient) names(r *report) {
	c := p.Config
	public := false
	for _, address := range c.Listen {
		public = public || isPublic(address)
	}
	u, err := url.Parse(c.BaseURL())
	if err != nil {
		return // Check has said so
	}
	remote := !isLoopback(u.Hostname())
	switch {
	case remote && u.Scheme != "https":
		r.fault(fmt.Sprintf("Clients reach the server at %s, without encryption: passwords and messages can be read on the way.", c.BaseURL()),
			"Put a proxy with TLS before the server, and write its https:// address into public_url; see docs/operating/reverse-proxy.md.")
	case public && c.PublicURL == "":
		r.fault("The server listens on a public address, and public_url is empty.",
			"Listen on 127.0.0.1 behind a proxy with TLS, and write the proxy's https:// address into public_url.")
	case c.PublicURL != "":
		r.good("Clients reach the server at %s.", c.BaseURL())
	}
	if c.PublicURL != "" && remote && len(c.TrustedProxies) == 0 {
		r.warn("No proxy is trusted, so that all clients behind one share one address and its rate limits.",
			`If a proxy on this machine speaks for clients: trusted_proxies: ["127.0.0.1/32", "::1/128"].`)
	}
	if name := strings.Split(c.ServerName, ":")[0]; remote && isLoopback(name) {
		r.fault(fmt.Sprintf("The server is called %s, which means another machine for everybody else.", c.ServerName),
			"Set server_name to your domain before the first account is made; it cannot be changed afterwards.")
	}
	if c.Metrics.Listen != "" && isPublic(c.Metrics.Listen) {
		r.warn("The metrics listener can be reached from other machines.", "Set metrics.listen to a loopback or private address.")
	}
}

func (p Patient) registration(r *report) {
	c := p.Config
	approval := c.Approval.Enabled && c.Approval.RequiredForNewAccounts
	switch {
	case c.Registration.Enabled && !c.Registration.RequireToken && !approval:
		r.warn("Anybody can create an account, and use it at once.",
			"Set registration.require_token, or approval.enabled and approval.required_for_new_accounts; or switch registration.enabled off.")
	case c.Registration.Enabled:
		r.good("Registration is open, and guarded by a token or an administrator.")
	default:
		r.good("Registration is closed.")
	}
	if s := c.Registration.SharedSecret; s != "" && len(s) < shortestSecret {
		r.fault("registration.shared_secret is short enough to be guessed: whoever does can create administrators.",
			"Use 32 random characters or more, or leave it empty.")
	}
}

func (p Patient) limits(r *report) {
	if !p.Config.RateLimits.Enabled {
		r.warn("Rate limits are off, so that one client can keep the server busy.", "Set rate_limits.enabled.")
	}
	files, ok := openFiles()
	if need := uint64(p.Config.Limits.MaxConnections) + 100; ok && files < need {
		r.warn(fmt.Sprintf("The system lets this process open %d files, and limits.max_connections is %d.", files, p.Config.Limits.MaxConnections),
			"Raise the limit (LimitNOFILE= in the systemd unit), or lower limits.max_connections.")
	}
}

// fetchTimeout and fetchLimit bound the look at .well-known.
const (
	fetchTimeout = 5 * time.Second
	fetchLimit   = 64 << 10
)

// wellKnown does what a client does with the server name.
func (p Patient) wellKnown(ctx context.Context, r *report) {
	name := strings.Split(p.Config.ServerName, ":")[0]
	if p.Web == nil || isLoopback(name) {
		return
	}
	address := "https://" + p.Config.ServerName + "/.well-known/matrix/client"
	found, err := p.fetch(ctx, address)
	want := p.Config.ClientBaseURL()
	switch {
	case err != nil:
		r.warn(fmt.Sprintf("Clients that are given the name %s cannot find the server: %v.", p.Config.ServerName, err),
			fmt.Sprintf("Serve %s, from this server or as a file that says {\"m.homeserver\":{\"base_url\":%q}}.", address, want))
	case strings.TrimRight(found, "/") != want:
		r.fault(fmt.Sprintf("%s sends clients to %q, and the server is at %s.", address, found, want),
			"Make the two agree: change that file, or public_url.")
	default:
		r.good("%s leads clients to %s.", address, want)
	}
}

func (p Patient) fetch(ctx context.Context, address string) (baseURL string, err error) {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	resp, err := p.Web.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s answers with status %d", address, resp.StatusCode)
	}
	var body struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, fetchLimit)).Decode(&body); err != nil {
		return "", fmt.Errorf("%s is not JSON", address)
	}
	return body.Homeserver.BaseURL, nil
}
