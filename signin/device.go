package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

const (
	defaultInterval = 5 * time.Second // RFC 8628 §3.2
	slowDownStep    = 5 * time.Second // RFC 8628 §3.5
	longestBackOff  = time.Minute
)

// A DeviceGrant is a sign-in that the user agrees to on another device. It holds a
// secret, the device code.
type DeviceGrant struct {
	// UserCode is what the user types at VerificationURI, or compares with what the
	// page there shows.
	UserCode        string
	VerificationURI string

	// VerificationURIComplete contains the code, for a QR code or a link. A server
	// may leave it empty.
	VerificationURIComplete string

	DeviceCode string
	ClientID   string
	Scope      string

	ExpiresAt time.Time
	Interval  time.Duration // between two questions; grows when the server says so

	next time.Time // when to ask again
}

// Link is the address to open: the one with the code in it, if there is one.
func (g *DeviceGrant) Link() string {
	if g.VerificationURIComplete != "" {
		return g.VerificationURIComplete
	}
	return g.VerificationURI
}

// StartDevice begins a sign-in that the user agrees to on another device: the
// device authorization grant (RFC 8628 §3.1; "Device authorisation flow"). It fails
// with [ErrNoDeviceGrant] if the server has none, and with an [*OAuthError].
func (h *Homeserver) StartDevice(ctx context.Context, clientID, scope string) (*DeviceGrant, error) {
	if h.Metadata == nil {
		return nil, ErrNoOAuth
	}
	if !h.Metadata.HasDeviceGrant() {
		return nil, ErrNoDeviceGrant
	}
	if _, err := ScopeDevice(scope); err != nil {
		return nil, err
	}
	var began time.Time
	a, err := h.client.politely(ctx, func() (answer, error) {
		began = h.client.now()
		return h.client.postForm(ctx, h.Metadata.DeviceAuthorizationEndpoint, url.Values{"client_id": {clientID}, "scope": {scope}})
	})
	if err != nil {
		return nil, fmt.Errorf("beginning the sign-in: %w", err)
	}
	if !a.ok() {
		return nil, a.oauthError()
	}
	g := &DeviceGrant{ClientID: clientID, Scope: scope}
	if err := g.read(a, began, isLoopback(hostname(h.BaseURL))); err != nil {
		return nil, err
	}
	return g, nil
}

// read takes the answer of RFC 8628 §3.2.
func (g *DeviceGrant) read(a answer, began time.Time, loopback bool) error {
	var answered struct {
		DeviceCode string      `json:"device_code"`
		UserCode   string      `json:"user_code"`
		URI        string      `json:"verification_uri"`
		Complete   string      `json:"verification_uri_complete"`
		ExpiresIn  json.Number `json:"expires_in"`
		Interval   json.Number `json:"interval"`
	}
	if err := a.object(&answered); err != nil {
		return err
	}
	lifetime := seconds(answered.ExpiresIn)
	switch {
	case answered.DeviceCode == "":
		return a.problem("has no device_code")
	case answered.UserCode == "":
		return a.problem("has no user_code")
	case answered.URI == "":
		return a.problem("has no verification_uri")
	case lifetime == 0:
		return a.problem("has no expires_in that makes sense")
	}
	for _, link := range []string{answered.URI, answered.Complete} {
		if err := checkURL(link, loopback); err != nil && link != "" {
			return a.problem("has a verification URI that cannot be used: %v", err)
		}
	}
	g.DeviceCode, g.UserCode = answered.DeviceCode, answered.UserCode
	g.VerificationURI, g.VerificationURIComplete = answered.URI, answered.Complete
	g.ExpiresAt, g.Interval = began.Add(lifetime), seconds(answered.Interval)
	if g.Interval == 0 {
		g.Interval = defaultInterval
	}
	return nil
}

// WaitDevice asks for the outcome until there is one. It asks at once, then every
// Interval; it goes more slowly when the server says so, and waits longer and
// longer while the server cannot be reached.
//
// It fails with [ErrAccessDenied] if the user refused, with [ErrExpired] if the time
// ran out by the server's clock or by this device's, with the context's error, and
// with any other refusal of the server. After the context's error it may be called
// again.
func (h *Homeserver) WaitDevice(ctx context.Context, g *DeviceGrant) (Tokens, error) {
	if h.Metadata == nil {
		return Tokens{}, ErrNoOAuth
	}
	var backOff time.Duration
	for {
		if err := h.client.untilNext(ctx, g); err != nil {
			return Tokens{}, err
		}
		tokens, err := h.client.requestTokens(ctx, h.Metadata.TokenEndpoint, url.Values{
			"grant_type":  {GrantDevice},
			"device_code": {g.DeviceCode},
			"client_id":   {g.ClientID},
		}, g.Scope)
		pause := g.Interval
		switch outcome(err) {
		case settled:
			return tokens, err
		case tooFast:
			g.Interval += slowDownStep // for good
			pause = max(g.Interval, retryAfter(err))
		case unreachable:
			if ctx.Err() != nil {
				return Tokens{}, ctx.Err()
			}
			backOff = min(max(2*backOff, 2*g.Interval), max(longestBackOff, g.Interval))
			pause = max(backOff, retryAfter(err))
		case pending:
			backOff = 0
		}
		g.next = h.client.now().Add(pause)
	}
}

// untilNext waits until the grant may be asked for again, but not beyond its end.
func (c *Client) untilNext(ctx context.Context, g *DeviceGrant) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	until := g.next
	if until.After(g.ExpiresAt) {
		until = g.ExpiresAt
	}
	if pause := until.Sub(c.now()); pause > 0 {
		if err := c.wait(ctx, pause); err != nil {
			return err
		}
	}
	if !c.now().Before(g.ExpiresAt) {
		return ErrExpired
	}
	return nil
}

type pollOutcome int

const (
	settled pollOutcome = iota
	pending
	tooFast
	unreachable
)

// outcome sorts the answers to a poll (RFC 8628 §3.5).
func outcome(err error) pollOutcome {
	var refusal *OAuthError
	if errors.As(err, &refusal) {
		switch refusal.Code {
		case "authorization_pending":
			return pending
		case "slow_down":
			return tooFast
		}
	}
	switch status, answered := statusOf(err); {
	case err == nil:
		return settled
	case status == http.StatusTooManyRequests:
		return tooFast
	case status >= 500 || !answered:
		return unreachable
	}
	return settled
}

// statusOf gives the status of the answer that an error stands for. answered is
// false if there was no answer.
func statusOf(err error) (status int, answered bool) {
	var oauth *OAuthError
	var matrix *MatrixError
	var other *AnswerError
	switch {
	case errors.As(err, &oauth):
		return oauth.Status, true
	case errors.As(err, &matrix):
		return matrix.Status, true
	case errors.As(err, &other):
		return other.Status, true
	}
	return 0, false
}

func retryAfter(err error) time.Duration {
	var oauth *OAuthError
	var matrix *MatrixError
	var other *AnswerError
	switch {
	case errors.As(err, &oauth):
		return oauth.RetryAfter
	case errors.As(err, &matrix):
		return matrix.RetryAfter
	case errors.As(err, &other):
		return other.RetryAfter
	}
	return 0
}
