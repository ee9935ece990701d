package config

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
)

// redacted stands for a secret in what is shown.
const redacted = "(secret)"

// ApprovalErrcode returns how the errcode of MSC3866 is spelled: "unstable",
// "stable" or "seed". It follows Proposals unless approval.errcode says
// otherwise.
func (c Config) ApprovalErrcode() string {
	if c.Approval.Errcode != "" {
		return c.Approval.Errcode
	}
	return c.Proposals
}

// MSC3848Mode returns how the errcodes of MSC3848 are sent: "unstable",
// "stable" or "off". It follows Proposals unless msc3848.mode says otherwise.
func (c Config) MSC3848Mode() string {
	if c.MSC3848.Mode != "" {
		return c.MSC3848.Mode
	}
	return c.Proposals
}

// BaseURL returns where clients reach the server, without a slash at its end:
// public_url, or else the first listener's address over plain HTTP.
func (c Config) BaseURL() string {
	if c.PublicURL != "" {
		return strings.TrimRight(c.PublicURL, "/")
	}
	if len(c.Listen) == 0 {
		return ""
	}
	host, port, err := net.SplitHostPort(c.Listen[0])
	if err != nil {
		return ""
	}
	if ip, err := netip.ParseAddr(host); host == "" || (err == nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// Issuer returns the identifier of the OAuth 2.0 authorization server (RFC 8414):
// BaseURL with a slash at its end, which clients compare as it is.
func (c Config) Issuer() string { return c.BaseURL() + "/" }

// AccountURL returns the page on which people manage their account.
func (c Config) AccountURL() string { return c.Issuer() + "account" }

// ClientBaseURL returns the address that /.well-known/matrix/client gives to
// clients, without a slash at its end.
func (c Config) ClientBaseURL() string {
	if c.WellKnown.ClientBaseURL != "" {
		return strings.TrimRight(c.WellKnown.ClientBaseURL, "/")
	}
	return c.BaseURL()
}

// DatabaseSource returns the database to open: a postgres:// URL, or the path of
// an SQLite file.
func (c Config) DatabaseSource() string {
	if c.Database != "" {
		return c.Database
	}
	return filepath.Join(c.Data, "narthex.db")
}

// SecondFactorKey returns the file with the key that the secrets of one-time codes are
// encrypted with.
func (c Config) SecondFactorKey() string {
	if c.Login.SecondFactor.KeyFile != "" {
		return c.Login.SecondFactor.KeyFile
	}
	return filepath.Join(c.Data, "second-factor.key")
}

// Networks reads a list of networks that has been checked; it leaves out what is
// none.
func Networks(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, text := range list {
		if p, err := netip.ParsePrefix(text); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// Redacted returns a copy that may be shown or logged: secrets and the password
// in a database URL are replaced by a placeholder.
func (c Config) Redacted() Config {
	for _, f := range fields {
		if text := f.in(&c); f.secret && text.String() != "" {
			text.SetString(redacted)
		}
	}
	c.SSO.Providers = slices.Clone(c.SSO.Providers)
	for i := range c.SSO.Providers {
		if c.SSO.Providers[i].ClientSecret != "" {
			c.SSO.Providers[i].ClientSecret = redacted
		}
	}
	if strings.Contains(c.Database, "://") {
		c.Database = redactURL(c.Database)
	}
	return c
}

// redactURL hides the password of a database URL. It hides all of a URL that it
// cannot read.
func redactURL(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return redacted
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), "secret")
	}
	query := u.Query()
	for _, name := range []string{"password", "sslpassword"} {
		if query.Has(name) {
			query.Set(name, "secret")
			u.RawQuery = query.Encode()
		}
	}
	return u.String()
}
