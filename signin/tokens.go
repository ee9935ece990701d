package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Tokens are what a grant ends in (RFC 6749 §5.1).
type Tokens struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token,omitempty"`

	// ExpiresAt is when the access token ends; the zero time if the server did not
	// say. Lifetime is how long it was when it was new.
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
	Lifetime  time.Duration `json:"lifetime_ns,omitempty"`

	// Scope is what was granted.
	Scope string `json:"scope,omitempty"`
}

// requestTokens asks the token endpoint. asked is the scope if the server does not
// say: then it granted what was asked for (RFC 6749 §5.1).
func (c *Client) requestTokens(ctx context.Context, endpoint string, form url.Values, asked string) (Tokens, error) {
	a, err := c.postForm(ctx, endpoint, form)
	if err != nil {
		return Tokens{}, err
	}
	if !a.ok() {
		return Tokens{}, a.oauthError()
	}
	var answered struct {
		AccessToken  string      `json:"access_token"`
		TokenType    string      `json:"token_type"`
		RefreshToken string      `json:"refresh_token"`
		ExpiresIn    json.Number `json:"expires_in"`
		Scope        string      `json:"scope"`
	}
	if err := a.object(&answered); err != nil {
		return Tokens{}, err
	}
	switch {
	case answered.AccessToken == "":
		return Tokens{}, a.problem("has no access_token")
	case !strings.EqualFold(answered.TokenType, "Bearer"):
		return Tokens{}, a.problem("has a token of the type %q instead of Bearer", printable(answered.TokenType))
	}
	tokens := Tokens{AccessToken: answered.AccessToken, RefreshToken: answered.RefreshToken, Scope: answered.Scope}
	if tokens.Scope == "" {
		tokens.Scope = asked
	}
	if tokens.Lifetime = seconds(answered.ExpiresIn); tokens.Lifetime > 0 {
		tokens.ExpiresAt = c.now().Add(tokens.Lifetime)
	}
	return tokens, nil
}

// seconds is 0 for what is not a sensible time.
func seconds(n json.Number) time.Duration {
	const longest = 10 * 365 * 24 * 3600
	f, err := n.Float64()
	if err != nil || f < 0 || f > longest {
		return 0
	}
	return time.Duration(f * float64(time.Second))
}

// refresh gets new tokens for an old refresh token ("Refresh token grant"). It
// fails with ErrLoggedOut if the server refuses for good; after any other error
// the old tokens are still good.
func (c *Client) refresh(ctx context.Context, s Session) (Tokens, error) {
	if s.Tokens.RefreshToken == "" {
		return Tokens{}, fmt.Errorf("%w: the access token has run out, and there is no refresh token", ErrLoggedOut)
	}
	tokens, err := c.requestTokens(ctx, s.TokenEndpoint, url.Values{
		"grant_type":    {GrantRefresh},
		"refresh_token": {s.Tokens.RefreshToken},
		"client_id":     {s.ClientID},
	}, s.Tokens.Scope)
	if err != nil {
		if ended(err) {
			return Tokens{}, fmt.Errorf("%w: %w", ErrLoggedOut, err)
		}
		return Tokens{}, fmt.Errorf("replacing the access token: %w", err)
	}
	if tokens.RefreshToken == "" {
		tokens.RefreshToken = s.Tokens.RefreshToken // it stays good (RFC 6749 §6)
	}
	return tokens, nil
}

// ended says whether a refusal ends the session. The specification says so of every
// 4xx; what a proxy answers and "later" are excepted here, because to end a session
// by mistake costs the user the keys of the device.
func ended(err error) bool {
	var refusal *OAuthError
	return errors.As(err, &refusal) && refusal.Status/100 == 4 &&
		refusal.Status != http.StatusTooManyRequests && refusal.Status != http.StatusRequestTimeout &&
		refusal.Code != "slow_down" && refusal.Code != "temporarily_unavailable"
}

// revoke ends a session on the server (RFC 7009): either token ends both.
func (c *Client) revoke(ctx context.Context, s Session) error {
	token, hint := s.Tokens.RefreshToken, "refresh_token"
	if token == "" {
		token, hint = s.Tokens.AccessToken, "access_token"
	}
	a, err := c.postForm(ctx, s.RevocationEndpoint, url.Values{
		"token":           {token},
		"token_type_hint": {hint},
		"client_id":       {s.ClientID},
	})
	if err != nil {
		return fmt.Errorf("signing out: %w", err)
	}
	if !a.ok() {
		return fmt.Errorf("signing out: %w", a.oauthError())
	}
	return nil
}
