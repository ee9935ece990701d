package signin

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// A CodeRequest asks for a sign-in with a browser on this device.
type CodeRequest struct {
	ClientID    string
	RedirectURI string // one of those registered; loopback with any port
	Scope       string // of [Homeserver.Scope]

	// ResponseMode is "query" or "fragment", where the answer is put in the redirect
	// URI. Empty is fragment for https, so that the answer does not reach the web
	// server there, and query otherwise.
	ResponseMode string

	// Create shows the form for a new account, if the server can.
	Create bool

	// Hint is the user ID that is expected to sign in; it may be empty.
	Hint string
}

// A CodeGrant is a sign-in with a browser that was begun. It holds a secret, the
// verifier, and can be stored while the browser is away.
type CodeGrant struct {
	URL          string `json:"url"` // to open in the browser
	ClientID     string `json:"client_id"`
	RedirectURI  string `json:"redirect_uri"`
	ResponseMode string `json:"response_mode"`
	Scope        string `json:"scope"`
	State        string `json:"state"`
	Verifier     string `json:"verifier"`
}

// StartCode begins a sign-in with a browser: the authorization code grant with
// PKCE (RFC 6749 §4.1, RFC 7636; "Authorisation code flow"). It asks nobody.
func (h *Homeserver) StartCode(r CodeRequest) (*CodeGrant, error) {
	if h.Metadata == nil {
		return nil, ErrNoOAuth
	}
	redirect, err := url.Parse(r.RedirectURI)
	if err != nil || redirect.Scheme == "" {
		return nil, fmt.Errorf("the redirect URI %q is not an absolute URL", r.RedirectURI)
	}
	if _, err := ScopeDevice(r.Scope); err != nil {
		return nil, err
	}
	if r.Create && !slices.Contains(h.Metadata.PromptValuesSupported, "create") {
		return nil, errors.New("the homeserver does not offer to create an account during sign-in")
	}
	switch r.ResponseMode {
	case "query", "fragment":
	case "":
		r.ResponseMode = "query"
		if redirect.Scheme == "https" {
			r.ResponseMode = "fragment"
		}
	default:
		return nil, fmt.Errorf("the response mode %q is neither query nor fragment", r.ResponseMode)
	}
	g := &CodeGrant{ClientID: r.ClientID, RedirectURI: r.RedirectURI, ResponseMode: r.ResponseMode, Scope: r.Scope,
		State: rand.Text(), Verifier: rand.Text() + rand.Text()}
	g.URL, err = g.address(h.Metadata.AuthorizationEndpoint, r)
	return g, err
}

// address adds the request to what query the endpoint has (RFC 6749 §3.1).
func (g *CodeGrant) address(endpoint string, r CodeRequest) (string, error) {
	u, err := url.Parse(endpoint)
	if err != nil {
		return "", err
	}
	challenge := sha256.Sum256([]byte(g.Verifier))
	query := u.Query()
	for name, value := range map[string]string{
		"response_type":         "code",
		"response_mode":         g.ResponseMode,
		"client_id":             g.ClientID,
		"redirect_uri":          g.RedirectURI,
		"scope":                 g.Scope,
		"state":                 g.State,
		"code_challenge":        base64.RawURLEncoding.EncodeToString(challenge[:]),
		"code_challenge_method": "S256",
	} {
		query.Set(name, value)
	}
	if r.Create {
		query.Set("prompt", "create")
	}
	if r.Hint != "" {
		query.Set("login_hint", r.Hint)
	}
	u.RawQuery = query.Encode()
	return u.String(), nil
}

// Exchange ends a sign-in with a browser. callback is the whole URL that the
// browser was sent to. It fails with [ErrWrongCallback] if the callback belongs to
// another sign-in, with [ErrAccessDenied] if the user refused, and with an
// [*OAuthError] for other refusals. A code can be exchanged once.
func (h *Homeserver) Exchange(ctx context.Context, g *CodeGrant, callback string) (Tokens, error) {
	if h.Metadata == nil {
		return Tokens{}, ErrNoOAuth
	}
	code, err := g.code(callback, h.Metadata.Issuer)
	if err != nil {
		return Tokens{}, err
	}
	return h.client.requestTokens(ctx, h.Metadata.TokenEndpoint, url.Values{
		"grant_type":    {GrantCode},
		"code":          {code},
		"redirect_uri":  {g.RedirectURI},
		"client_id":     {g.ClientID},
		"code_verifier": {g.Verifier},
	}, g.Scope)
}

// code reads a callback ("Callback").
func (g *CodeGrant) code(callback, issuer string) (string, error) {
	before, raw, _ := strings.Cut(callback, "#")
	if g.ResponseMode == "query" {
		_, raw, _ = strings.Cut(before, "?")
	}
	values, err := url.ParseQuery(raw)
	if err != nil {
		return "", errors.New("the parameters of the callback cannot be read")
	}
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(values[name]) > 1 {
			return "", fmt.Errorf("the callback has more than one %s", name)
		}
	}
	if subtle.ConstantTimeCompare([]byte(values.Get("state")), []byte(g.State)) != 1 {
		return "", ErrWrongCallback
	}
	if iss := values.Get("iss"); iss != "" && iss != issuer { // RFC 9207 §2.4
		return "", ErrWrongCallback
	}
	if refusal := values.Get("error"); refusal != "" {
		return "", &OAuthError{Code: refusal, Description: values.Get("error_description")}
	}
	if values.Get("code") == "" {
		return "", errors.New("the callback has neither a code nor an error")
	}
	return values.Get("code"), nil
}
