package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// The grant types of RFC 6749 §4.1 and §6 and of RFC 8628.
const (
	GrantCode    = "authorization_code"
	GrantRefresh = "refresh_token"
	GrantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// Metadata is what an authorization server says about itself, as far as Matrix
// uses it (RFC 8414; client-server API, "Server metadata discovery").
type Metadata struct {
	Issuer                            string   `json:"issuer"`
	AuthorizationEndpoint             string   `json:"authorization_endpoint"`
	TokenEndpoint                     string   `json:"token_endpoint"`
	RevocationEndpoint                string   `json:"revocation_endpoint"`
	RegistrationEndpoint              string   `json:"registration_endpoint"`
	DeviceAuthorizationEndpoint       string   `json:"device_authorization_endpoint,omitempty"`
	ResponseTypesSupported            []string `json:"response_types_supported"`
	ResponseModesSupported            []string `json:"response_modes_supported"`
	GrantTypesSupported               []string `json:"grant_types_supported"`
	CodeChallengeMethodsSupported     []string `json:"code_challenge_methods_supported"`
	PromptValuesSupported             []string `json:"prompt_values_supported,omitempty"`
	AccountManagementURI              string   `json:"account_management_uri,omitempty"`
	AccountManagementActionsSupported []string `json:"account_management_actions_supported,omitempty"`
}

// HasDeviceGrant says whether a device without a browser can sign in (RFC 8628).
func (m *Metadata) HasDeviceGrant() bool {
	return m.DeviceAuthorizationEndpoint != "" && slices.Contains(m.GrantTypesSupported, GrantDevice)
}

// check finds everything that the specification requires and the metadata lack.
func (m *Metadata) check(loopback bool) error {
	var problems []string
	urls := []struct {
		name, value string
		required    bool
	}{
		{"issuer", m.Issuer, true},
		{"authorization_endpoint", m.AuthorizationEndpoint, true},
		{"token_endpoint", m.TokenEndpoint, true},
		{"revocation_endpoint", m.RevocationEndpoint, true},
		{"registration_endpoint", m.RegistrationEndpoint, true},
		{"device_authorization_endpoint", m.DeviceAuthorizationEndpoint, false},
		{"account_management_uri", m.AccountManagementURI, false},
	}
	for _, u := range urls {
		if u.value == "" {
			if u.required {
				problems = append(problems, u.name+" is missing")
			}
			continue
		}
		if err := checkURL(u.value, loopback); err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", u.name, err))
		}
	}
	if strings.Contains(m.Issuer, "?") {
		problems = append(problems, "issuer has a query")
	}
	lists := []struct {
		name   string
		values []string
		needed []string
	}{
		{"response_types_supported", m.ResponseTypesSupported, []string{"code"}},
		{"response_modes_supported", m.ResponseModesSupported, []string{"query", "fragment"}},
		{"grant_types_supported", m.GrantTypesSupported, []string{GrantCode, GrantRefresh}},
		{"code_challenge_methods_supported", m.CodeChallengeMethodsSupported, []string{"S256"}},
	}
	for _, l := range lists {
		for _, value := range l.needed {
			if !slices.Contains(l.values, value) {
				problems = append(problems, fmt.Sprintf("%s lacks %q", l.name, value))
			}
		}
	}
	if problems != nil {
		return &MetadataError{Problems: problems}
	}
	return nil
}

// metadata asks in the ways of three ages: Matrix v1.15, MSC2965 as it was accepted,
// and MSC2965 as it was before (an issuer, and OpenID Connect discovery there).
// unstable says that it was not the first.
func (c *Client) metadata(ctx context.Context, base string) (m *Metadata, unstable bool, err error) {
	for _, path := range []string{authMetadataPath, unstableAuthMetadataPath} {
		m, err := c.metadataAt(ctx, base+path, base)
		if !errors.Is(err, ErrNoOAuth) {
			return m, path != authMetadataPath, err
		}
	}
	for _, path := range []string{authIssuerPath, unstableAuthIssuerPath} {
		issuer, err := c.issuer(ctx, base+path, base)
		if errors.Is(err, ErrNoOAuth) {
			continue
		}
		if err != nil {
			return nil, true, err
		}
		m, err := c.metadataOf(ctx, issuer, base)
		return m, true, err
	}
	return nil, false, &DiscoveryError{Step: "auth metadata", URL: base + authMetadataPath, Err: ErrNoOAuth}
}

// metadataAt is ErrNoOAuth if there is no such endpoint.
func (c *Client) metadataAt(ctx context.Context, url, base string) (*Metadata, error) {
	fail := func(err error) (*Metadata, error) {
		return nil, &DiscoveryError{Step: "auth metadata", URL: url, Err: err}
	}
	a, err := c.get(ctx, url, "")
	if err != nil {
		return fail(err)
	}
	if err := present(a); err != nil {
		return fail(err)
	}
	var m Metadata
	if err := a.object(&m); err != nil {
		return fail(err)
	}
	if err := m.check(isLoopback(hostname(base))); err != nil {
		return fail(err)
	}
	return &m, nil
}

// issuer is ErrNoOAuth if there is no such endpoint.
func (c *Client) issuer(ctx context.Context, url, base string) (string, error) {
	fail := func(err error) (string, error) {
		return "", &DiscoveryError{Step: "issuer", URL: url, Err: err}
	}
	a, err := c.get(ctx, url, "")
	if err != nil {
		return fail(err)
	}
	if err := present(a); err != nil {
		return fail(err)
	}
	var named struct {
		Issuer string `json:"issuer"`
	}
	if err := a.object(&named); err != nil {
		return fail(err)
	}
	if named.Issuer == "" {
		return fail(a.problem("names no issuer"))
	}
	if err := checkURL(named.Issuer, isLoopback(hostname(base))); err != nil {
		return fail(a.problem("names an issuer that cannot be used: %v", err))
	}
	return named.Issuer, nil
}

// metadataOf asks an issuer. Its answer has to name the same issuer (RFC 8414
// §3.3); otherwise one server could speak for another.
func (c *Client) metadataOf(ctx context.Context, issuer, base string) (*Metadata, error) {
	url := strings.TrimSuffix(issuer, "/") + "/.well-known/openid-configuration"
	m, err := c.metadataAt(ctx, url, base)
	if errors.Is(err, ErrNoOAuth) {
		// The homeserver promised it: this is a fault, not an absence.
		return nil, &DiscoveryError{Step: "auth metadata", URL: url, Err: errors.New("the issuer that the homeserver names has no metadata")}
	}
	if err == nil && m.Issuer != issuer {
		return nil, &DiscoveryError{Step: "auth metadata", URL: url, Err: &MetadataError{
			Problems: []string{fmt.Sprintf("issuer is %q, but the homeserver names %q", printable(m.Issuer), printable(issuer))}}}
	}
	return m, err
}

// present tells an endpoint that is not there from one that has a bad day.
func present(a answer) error {
	if a.ok() {
		return nil
	}
	err := a.matrixError()
	var refusal *MatrixError
	if a.status == http.StatusNotFound || a.status == http.StatusMethodNotAllowed ||
		errors.As(err, &refusal) && refusal.Code == "M_UNRECOGNIZED" {
		return ErrNoOAuth
	}
	return err
}
