package signin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// A Session is everything that a program keeps to stay signed in. It is secret:
// whoever has it is the user. Its JSON form is stable.
type Session struct {
	BaseURL            string `json:"base_url"`
	TokenEndpoint      string `json:"token_endpoint"`
	RevocationEndpoint string `json:"revocation_endpoint"`
	ClientID           string `json:"client_id"`
	DeviceID           string `json:"device_id"`
	UserID             string `json:"user_id"` // empty until the server was asked
	Tokens             Tokens `json:"tokens"`
}

// Save stores a session in place of the one before, durably: when it returns nil,
// the session is to survive a crash. It is not called twice at the same time, and
// must not use the Transport.
type Save func(ctx context.Context, s Session) error

// An Identity is whose an access token is.
type Identity struct {
	UserID   string `json:"user_id"`
	DeviceID string `json:"device_id"`
	Guest    bool   `json:"is_guest"`
}

// Begin starts the session that a grant ended in. It saves the session, then asks
// the server whose it is, and saves it again with the user ID. It fails if the
// server attached the session to another device than was asked for.
//
// After an error of the second step the session has been saved all the same, and
// [Client.Resume] takes it up; its UserID is then still empty.
func (h *Homeserver) Begin(ctx context.Context, clientID string, tokens Tokens, save Save) (*Transport, error) {
	if h.Metadata == nil {
		return nil, ErrNoOAuth
	}
	s := Session{BaseURL: h.BaseURL, TokenEndpoint: h.Metadata.TokenEndpoint, RevocationEndpoint: h.Metadata.RevocationEndpoint,
		ClientID: clientID, Tokens: tokens}
	var err error
	if s.DeviceID, err = ScopeDevice(tokens.Scope); err != nil {
		return nil, fmt.Errorf("what the server granted cannot be used: %w", err)
	}
	if err := save(ctx, s); err != nil {
		return nil, fmt.Errorf("storing the new session: %w", err)
	}
	t := h.client.Resume(s, save)
	if _, err := t.WhoAmI(ctx); err != nil {
		return nil, err
	}
	return t, nil
}

// Resume takes up a session that was saved.
func (c *Client) Resume(s Session, save Save) *Transport {
	return &Transport{client: c, save: save, session: s}
}

// WhoAmI asks whose an access token is (GET /account/whoami). It fails with a
// [*MatrixError], M_UNKNOWN_TOKEN for a token that is not good.
func (c *Client) WhoAmI(ctx context.Context, baseURL, accessToken string) (Identity, error) {
	a, err := c.get(ctx, baseURL+whoamiPath, accessToken)
	if err != nil {
		return Identity{}, fmt.Errorf("asking whose the session is: %w", err)
	}
	return identity(a)
}

func identity(a answer) (Identity, error) {
	if !a.ok() {
		return Identity{}, a.matrixError()
	}
	var who Identity
	if err := a.object(&who); err != nil {
		return Identity{}, err
	}
	if who.UserID == "" {
		return Identity{}, a.problem("has no user_id")
	}
	return who, nil
}

// WhoAmI asks whose the session is, and saves the user ID in the session if it was
// not known. It fails if the server names another user or device than the session.
func (t *Transport) WhoAmI(ctx context.Context) (Identity, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.Session().BaseURL+whoamiPath, http.NoBody)
	if err != nil {
		return Identity{}, err
	}
	through := Client{HTTP: &http.Client{Transport: t}}
	a, err := through.do(req, false)
	if err != nil {
		return Identity{}, fmt.Errorf("asking whose the session is: %w", err)
	}
	who, err := identity(a)
	if err != nil {
		return Identity{}, err
	}
	return who, t.identify(ctx, who)
}

// identify fits the answer to the session.
func (t *Transport) identify(ctx context.Context, who Identity) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	s := t.Session()
	switch {
	case who.DeviceID != "" && who.DeviceID != s.DeviceID:
		return fmt.Errorf("the server says that this is the device %q, but the sign-in was for %q", printable(who.DeviceID), s.DeviceID)
	case s.UserID == who.UserID:
		return nil
	case s.UserID != "":
		return errors.New("the server says that the session is another user's")
	}
	s.UserID = who.UserID
	if err := t.save(ctx, s); err != nil {
		return fmt.Errorf("storing the session: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.session.UserID = who.UserID
	if t.unsaved != nil {
		t.unsaved.UserID = who.UserID
	}
	return nil
}
