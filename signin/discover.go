package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// A Homeserver is a homeserver that was found, and its authorization server.
type Homeserver struct {
	// BaseURL is where the client-server API is, without a slash at the end.
	BaseURL string

	// Versions and Features are the answer of /versions: the versions of the
	// specification ("v1.18"), and what else the server does.
	Versions []string
	Features map[string]bool

	// Metadata is nil if the homeserver was found by [Client.Find].
	Metadata *Metadata

	// Unstable says that the metadata was found only by the names of before Matrix
	// v1.15. Such servers want scopes by their old names.
	Unstable bool

	client *Client
}

// Discover finds a homeserver and its authorization server. server is what a
// person types: a server name ("example.org"), or a base URL
// ("https://matrix.example.org").
//
// A server name is looked up at https://<host>/.well-known/matrix/client; if there
// is nothing, the name itself is taken for the address. For a name on the loopback
// interface, such as "localhost:8008", http is used.
//
// It fails with a [*DiscoveryError] that says at which step. Within it are
// [ErrNoOAuth] if the homeserver is there and has no OAuth 2.0, a [*MetadataError]
// if the metadata lack something, and otherwise what went wrong with the request.
func (c *Client) Discover(ctx context.Context, server string) (*Homeserver, error) {
	h, err := c.Find(ctx, server)
	if err != nil {
		return nil, err
	}
	if h.Metadata, h.Unstable, err = c.metadata(ctx, h.BaseURL); err != nil {
		return nil, err
	}
	return h, nil
}

// Find is the first half of [Client.Discover]: it finds a homeserver, whether or
// not it has OAuth 2.0.
func (c *Client) Find(ctx context.Context, server string) (*Homeserver, error) {
	server = strings.TrimSpace(server)
	if !strings.Contains(server, "://") {
		base, err := c.wellKnown(ctx, server)
		if err != nil {
			return nil, err
		}
		return c.homeserver(ctx, base)
	}
	base := strings.TrimRight(server, "/")
	if err := checkURL(base, isLoopback(hostname(base))); err != nil {
		return nil, &DiscoveryError{Step: "server name", Err: err}
	}
	h, err := c.homeserver(ctx, base)
	if err == nil || ctx.Err() != nil {
		return h, err
	}
	// People type https://example.org and mean the server name.
	u, parseErr := url.Parse(base)
	if parseErr != nil || u.Path != "" {
		return nil, err
	}
	other, wellKnownErr := c.wellKnown(ctx, u.Host)
	if wellKnownErr != nil || other == base {
		return nil, err
	}
	return c.homeserver(ctx, other)
}

// wellKnown gives the base URL for a server name ("Well-known URIs").
func (c *Client) wellKnown(ctx context.Context, name string) (string, error) {
	u, err := url.Parse("https://" + name)
	if err != nil || name == "" || u.Host != name || u.Hostname() == "" {
		return "", &DiscoveryError{Step: "server name", Err: fmt.Errorf("%q is neither a server name nor a URL", printable(name))}
	}
	loopback := isLoopback(u.Hostname())
	direct, asked := "https://"+name, "https://"+bracketed(u.Hostname())
	if loopback {
		direct, asked = "http://"+name, "http://"+name
	}
	asked += wellKnownPath
	fail := func(err error) (string, error) {
		return "", &DiscoveryError{Step: "well-known", URL: asked, Err: err}
	}
	a, err := c.get(ctx, asked, "")
	switch {
	case err != nil && ctx.Err() == nil && u.Port() != "":
		return direct, nil // nothing at the standard port; the name says another
	case err != nil:
		return fail(err)
	case a.status == http.StatusNotFound:
		return direct, nil
	case a.status != http.StatusOK:
		return fail(a.problem("is not what a well-known file is answered with"))
	}
	var file struct {
		Homeserver struct {
			BaseURL string `json:"base_url"`
		} `json:"m.homeserver"`
	}
	if err := a.object(&file); err != nil {
		return fail(err)
	}
	if file.Homeserver.BaseURL == "" {
		return fail(a.problem("has no base_url in m.homeserver"))
	}
	base := strings.TrimRight(file.Homeserver.BaseURL, "/")
	if err := checkURL(base, loopback); err != nil {
		return fail(a.problem("has a base_url that cannot be used: %v", err))
	}
	return base, nil
}

// homeserver asks for the versions, which shows that there is a homeserver.
func (c *Client) homeserver(ctx context.Context, base string) (*Homeserver, error) {
	url := base + versionsPath
	fail := func(err error) (*Homeserver, error) {
		return nil, &DiscoveryError{Step: "versions", URL: url, Err: err}
	}
	a, err := c.get(ctx, url, "")
	if err != nil {
		return fail(err)
	}
	if !a.ok() {
		return fail(a.matrixError())
	}
	var answered struct {
		Versions []string        `json:"versions"`
		Features map[string]bool `json:"unstable_features"`
	}
	if err := a.object(&answered); err != nil {
		return fail(err)
	}
	if len(answered.Versions) == 0 {
		return fail(errors.New("the answer lists no versions: this is not a homeserver"))
	}
	return &Homeserver{BaseURL: base, Versions: answered.Versions, Features: answered.Features, client: c}, nil
}

// bracketed undoes what url.URL.Hostname does to an IPv6 address.
func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}
