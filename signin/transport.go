package signin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// A Transport is the http.RoundTripper of a signed-in program:
//
//	api := &http.Client{Transport: transport}
//
// It adds the access token to requests to the homeserver's origin; other requests,
// and those that have an Authorization header, pass as they are. It replaces the
// token shortly before it runs out, and when the homeserver says that it is not
// good any more but the session is (401 M_UNKNOWN_TOKEN with soft_logout, or
// without it when the token's time is over or unknown). The request is then sent
// once more, if its body can be: GetBody is set by http.NewRequest for the usual
// readers. Otherwise the answer 401 is handed on, and the next attempt will do.
//
// It may be used by several goroutines. However many need a new token, it is
// asked for once; and it is saved before it is used.
type Transport struct {
	client *Client
	save   Save

	// renewing is held from the question for new tokens until they are saved, and by
	// whoever else saves.
	renewing sync.Mutex

	mu      sync.Mutex
	session Session
	unsaved *Session // has new tokens that could not be saved yet
	over    error    // why there is nothing to try any more
	running *renewal
}

// A renewal is the one attempt, at a time, to get new tokens.
type renewal struct {
	done chan struct{}
	err  error // to be read when done is closed
}

// Session is the session as it was last saved.
func (t *Transport) Session() Session {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.session
}

// Token gives an access token that is good for a while. It fails with
// [ErrLoggedOut] if the session is over.
func (t *Transport) Token(ctx context.Context) (string, error) {
	t.mu.Lock()
	tokens, over := t.session.Tokens, t.over
	t.mu.Unlock()
	if over != nil {
		return "", over
	}
	now := t.client.now()
	if !tokens.due(now) {
		return tokens.AccessToken, nil
	}
	err := t.renew(ctx, tokens.AccessToken)
	switch {
	case err == nil:
		return t.Session().Tokens.AccessToken, nil
	case !errors.Is(err, ErrLoggedOut) && ctx.Err() == nil && now.Before(tokens.ExpiresAt):
		return tokens.AccessToken, nil // it still is good, and the next request tries again
	}
	return "", err
}

// due says whether the tokens are to be replaced: in the last minute, or the last
// fifth of a short life.
func (tokens Tokens) due(now time.Time) bool {
	margin := time.Minute
	if fifth := tokens.Lifetime / 5; fifth > 0 {
		margin = min(margin, fifth)
	}
	return !tokens.ExpiresAt.IsZero() && !now.Before(tokens.ExpiresAt.Add(-margin))
}

// RoundTrip sends a request with the access token. Beyond what the network does to
// it, it fails with [ErrLoggedOut].
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	if !t.atHome(req.URL) || req.Header.Get("Authorization") != "" {
		return t.send(req)
	}
	token, err := t.Token(req.Context())
	if err != nil {
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
	resp, err := t.send(withToken(req, token, req.Body))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		return resp, err
	}
	stale, err := t.stale(resp, token)
	if err != nil {
		return nil, err
	}
	if !stale {
		return resp, nil
	}
	if err := t.renew(req.Context(), token); err != nil {
		resp.Body.Close()
		return nil, err
	}
	body, err := again(req)
	if err != nil {
		return resp, nil
	}
	resp.Body.Close()
	return t.send(withToken(req, t.Session().Tokens.AccessToken, body))
}

func (t *Transport) send(req *http.Request) (*http.Response, error) {
	if t.client.HTTP != nil && t.client.HTTP.Transport != nil {
		return t.client.HTTP.Transport.RoundTrip(req)
	}
	return http.DefaultTransport.RoundTrip(req)
}

func withToken(req *http.Request, token string, body io.ReadCloser) *http.Request {
	req = req.Clone(req.Context())
	req.Body = body
	req.Header.Set("Authorization", "Bearer "+token)
	return req
}

// again gives the body of a request for a second time.
func again(req *http.Request) (io.ReadCloser, error) {
	switch {
	case req.Body == nil || req.Body == http.NoBody:
		return req.Body, nil
	case req.GetBody == nil:
		return nil, errors.New("the body cannot be read twice")
	}
	return req.GetBody()
}

// stale says whether a 401 is about a token that can be replaced. It leaves the
// answer readable.
func (t *Transport) stale(resp *http.Response, token string) (bool, error) {
	const longest = 64 << 10
	head, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		resp.Body.Close()
		return false, fmt.Errorf("reading the answer of the homeserver: %w", err)
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	var refusal struct {
		Code       string `json:"errcode"`
		SoftLogout bool   `json:"soft_logout"`
	}
	if json.Unmarshal(head, &refusal) != nil || refusal.Code != "M_UNKNOWN_TOKEN" {
		return false, nil
	}
	current := t.Session().Tokens
	return refusal.SoftLogout || current.AccessToken != token ||
		current.ExpiresAt.IsZero() || current.due(t.client.now()), nil
}

// renew replaces the tokens if the one named is the current one. Callers share one
// attempt; each may leave by its own context, and the attempt goes on.
func (t *Transport) renew(ctx context.Context, stale string) error {
	t.mu.Lock()
	if t.over != nil || t.session.Tokens.AccessToken != stale {
		defer t.mu.Unlock()
		return t.over
	}
	r := t.running
	if r == nil {
		r = &renewal{done: make(chan struct{})}
		t.running = r
		go t.run(context.WithoutCancel(ctx), r)
	}
	t.mu.Unlock()
	select {
	case <-r.done:
		return r.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *Transport) run(ctx context.Context, r *renewal) {
	r.err = t.replace(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if errors.Is(r.err, ErrLoggedOut) {
		t.over = r.err
	}
	t.running = nil
	close(r.done)
}

// replace gets new tokens, saves them, and only then lets them be used. What
// cannot be saved is kept for the next attempt: the server would take a second
// question for new tokens well, but there is no need.
func (t *Transport) replace(ctx context.Context) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	t.mu.Lock()
	s, unsaved, over := t.session, t.unsaved, t.over
	t.mu.Unlock()
	if over != nil {
		return over
	}
	if unsaved == nil {
		tokens, err := t.client.refresh(ctx, s)
		if err != nil {
			return err
		}
		s.Tokens = tokens
		unsaved = &s
		t.mu.Lock()
		t.unsaved = unsaved
		t.mu.Unlock()
	}
	if err := t.save(ctx, *unsaved); err != nil {
		return fmt.Errorf("storing the new tokens: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.session, t.unsaved = *unsaved, nil
	return nil
}

// SignOut revokes the tokens, which ends the session and removes the device. After
// it the Transport answers [ErrLoggedOut]. After an error the session goes on.
func (t *Transport) SignOut(ctx context.Context) error {
	t.renewing.Lock()
	defer t.renewing.Unlock()
	t.mu.Lock()
	s := t.session
	if t.unsaved != nil {
		s = *t.unsaved
	}
	t.mu.Unlock()
	if err := t.client.revoke(ctx, s); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.over = ErrLoggedOut
	return nil
}

// atHome says whether a URL is of the homeserver's origin.
func (t *Transport) atHome(u *url.URL) bool {
	home, err := url.Parse(t.Session().BaseURL)
	return err == nil && u.Scheme == home.Scheme && strings.EqualFold(u.Hostname(), home.Hostname()) && port(u) == port(home)
}

func port(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}
