package identity

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/id"
)

// homeservers reaches other people's homeservers, which anybody may name.
type homeservers struct {
	client    *http.Client
	discovery *http.Client // follows redirects
}

// errRefused is a homeserver's refusal, as against its silence.
var errRefused = errors.New("the homeserver refused")

const defaultPort = "8448"

// base finds where a homeserver answers, as the beginning of URLs (server-server
// API, "Resolving server names"). It leaves out SRV records, which the
// specification has been moving away from; servers that have only those are not
// reached.
func (h homeservers) base(ctx context.Context, server id.ServerName) string {
	_, err := netip.ParseAddr(strings.Trim(server.Host(), "[]"))
	if isAddress := err == nil; isAddress || server.Port() != 0 {
		return baseOf(server)
	}
	var found struct {
		Server id.ServerName `json:"m.server"`
	}
	body, err := do(ctx, h.discovery, http.MethodGet, "https://"+string(server)+discoveryPath, nil, nil)
	if err == nil && json.Unmarshal(body, &found) == nil && found.Server != "" {
		return baseOf(found.Server)
	}
	return baseOf(server)
}

func baseOf(server id.ServerName) string {
	if server.Port() == 0 {
		return "https://" + server.Host() + ":" + defaultPort
	}
	return "https://" + string(server)
}

// openIDUser asks whose OpenID token it is. It fails with errRefused if the
// homeserver does not know it.
func (h homeservers) openIDUser(ctx context.Context, server id.ServerName, token string) (id.UserID, error) {
	body, err := do(ctx, h.client, http.MethodGet, h.base(ctx, server)+userInfoPath(token), nil, nil)
	if err != nil {
		return "", err
	}
	var info struct {
		Sub id.UserID `json:"sub"`
	}
	if err := json.Unmarshal(body, &info); err != nil {
		return "", err
	}
	if info.Sub == "" {
		return "", errors.New("the homeserver names no user")
	}
	return info.Sub, nil
}

// put sends a signed notice.
func (h homeservers) put(ctx context.Context, server id.ServerName, path, authorization string, body []byte) error {
	header := http.Header{"Authorization": {authorization}, "Content-Type": {"application/json"}}
	_, err := do(ctx, h.client, http.MethodPut, h.base(ctx, server)+path, header, body)
	return err
}

// key gives a signing key that a homeserver has now, from the homeserver itself. It
// fails with errRefused if the homeserver has no such key, or does not vouch for it.
func (h homeservers) key(ctx context.Context, server id.ServerName, keyID string, now time.Time) (ed25519.PublicKey, error) {
	body, err := do(ctx, h.client, http.MethodGet, h.base(ctx, server)+keysPath, nil, nil)
	if err != nil {
		return nil, err
	}
	var published struct {
		ServerName id.ServerName `json:"server_name"`
		VerifyKeys map[string]struct {
			Key string `json:"key"`
		} `json:"verify_keys"`
		ValidUntil int64 `json:"valid_until_ts"` // milliseconds
	}
	if err := json.Unmarshal(body, &published); err != nil {
		return nil, err
	}
	key, err := canonicaljson.DecodeBase64(published.VerifyKeys[keyID].Key)
	switch {
	case published.ServerName != server:
		return nil, fmt.Errorf("%w: the keys are those of another server", errRefused)
	case published.ValidUntil < now.UnixMilli():
		return nil, fmt.Errorf("%w: its keys have run out", errRefused)
	case err != nil || len(key) != ed25519.PublicKeySize:
		return nil, fmt.Errorf("%w: it has no such key", errRefused)
	}
	if err := canonicaljson.Verify(body, string(server), keyID, key); err != nil {
		return nil, fmt.Errorf("%w: its keys: %w", errRefused, err)
	}
	return key, nil
}

// do makes a request and reads the answer, which the client limits. An error names
// no URL, since a URL may hold a token.
func do(ctx context.Context, client *http.Client, method, address string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return nil, errors.New("the name of the homeserver makes no address")
	}
	for name, values := range header {
		r.Header[name] = values
	}
	resp, err := client.Do(r)
	if err != nil {
		var named *url.Error
		if errors.As(err, &named) {
			err = named.Err
		}
		return nil, fmt.Errorf("%s: %w", r.URL.Host, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", r.URL.Host, err)
	case resp.StatusCode >= 400 && resp.StatusCode < 500 && resp.StatusCode != http.StatusTooManyRequests:
		return nil, fmt.Errorf("%w: %s: status %d", errRefused, r.URL.Host, resp.StatusCode)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("%s: status %d", r.URL.Host, resp.StatusCode)
	}
	return answer, nil
}
