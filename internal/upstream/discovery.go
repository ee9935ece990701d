package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"
)

// discovered is what a provider says of itself.
type discovered struct {
	*oidc.Provider
	oauth2 oauth2.Config
	// namesIssuer reports whether it puts its name into every answer (RFC 9207).
	namesIssuer bool
}

// discoveredFor is how long what a provider says of itself is believed.
const discoveredFor = time.Hour

// discover asks the provider for its endpoints and keys, or remembers them.
func (p *provider) discover(ctx context.Context, now time.Time) (*discovered, error) {
	p.mu.Lock()
	d, until := p.discovered, p.until
	p.mu.Unlock()
	if d != nil && now.Before(until) {
		return d, nil
	}
	d, err := p.ask(oidc.ClientContext(ctx, p.client))
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	p.discovered, p.until = d, now.Add(discoveredFor)
	p.mu.Unlock()
	return d, nil
}

func (p *provider) ask(ctx context.Context) (*discovered, error) {
	found, err := oidc.NewProvider(ctx, p.Issuer)
	if err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	var more struct {
		KeySet      string   `json:"jwks_uri"`
		TokenAuth   []string `json:"token_endpoint_auth_methods_supported"`
		NamesIssuer bool     `json:"authorization_response_iss_parameter_supported"`
	}
	if err := found.Claims(&more); err != nil {
		return nil, fmt.Errorf("discovery: %w", err)
	}
	d := &discovered{Provider: found, namesIssuer: more.NamesIssuer, oauth2: oauth2.Config{
		ClientID: p.ClientID, ClientSecret: p.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: p.callback, Scopes: p.Scopes,
	}}
	d.oauth2.Endpoint.AuthStyle = p.authStyle(more.TokenAuth)
	for _, address := range []string{d.oauth2.Endpoint.AuthURL, d.oauth2.Endpoint.TokenURL, more.KeySet} {
		if err := p.checkEndpoint(address); err != nil {
			return nil, fmt.Errorf("discovery: %w", err)
		}
	}
	return d, nil
}

// authStyle is how this server proves at the token endpoint who it is. Without a word
// of the provider that is in a header (OpenID Connect Discovery 1.0, section 3).
func (p *provider) authStyle(supported []string) oauth2.AuthStyle {
	inHeader := len(supported) == 0 || slices.Contains(supported, "client_secret_basic")
	switch {
	case p.ClientSecret == "", p.TokenAuth == "post", p.TokenAuth == "auto" && !inHeader:
		return oauth2.AuthStyleInParams
	}
	return oauth2.AuthStyleInHeader
}

var errEndpoint = errors.New("an endpoint is not a web address, or less protected than the issuer")

func (p *provider) checkEndpoint(address string) error {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || (u.Scheme != "https" && (u.Scheme != "http" || strings.HasPrefix(p.Issuer, "https:"))) {
		return errEndpoint
	}
	return nil
}
