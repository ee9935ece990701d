package oauth

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// maxClientMetadata is the largest registration, in bytes.
const maxClientMetadata = 64 << 10

type registerClientResponse struct {
	ClientID       string `json:"client_id"`
	clientMetadata `json:",inline"`
}

// registerClient makes a client known, and answers what it is known by. Clients do
// this at the start of each sign-in. RFC 7591 section 3; MSC2966.
func (s *Service) registerClient(ctx context.Context, call *httpapi.Call, req clientMetadata) (resp registerClientResponse, err error) {
	metadata, err := req.registered(s.cfg.Dev)
	if err != nil {
		return resp, err
	}
	clientID, stored, err := metadata.id()
	if err != nil {
		return resp, err
	}
	call.SetStatus(201)
	return registerClientResponse{clientID, metadata}, s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Later(`INSERT INTO oauth_clients (client_id, metadata, created_ts, unused_ts) VALUES ($1, $2, $3, $4)
			ON CONFLICT (client_id) DO UPDATE SET unused_ts = excluded.unused_ts WHERE oauth_clients.unused_ts < excluded.unused_ts`,
			clientID, stored, tx.Now.UnixMilli(), tx.Now.Add(keepNew).UnixMilli())
	})
}

// A Client is an application that has registered itself. All that it says about
// itself is its own claim; only that it is reached under URI is proved, by the
// redirect URIs that share its host.
type Client struct {
	ID              string
	Name            string // the host of URI if the client gave none
	URI             string
	LogoURI         string
	TosURI          string
	PolicyURI       string
	RedirectURIs    []string
	GrantTypes      []string
	ApplicationType string // "web" or "native"
}

// Allows reports whether the client registered a kind of grant, such as
// "authorization_code".
func (c Client) Allows(grant string) bool { return slices.Contains(c.GrantTypes, grant) }

// hasRedirectURI reports whether a person may be sent back to a URI after signing in.
func (c Client) hasRedirectURI(uri string) bool {
	return slices.ContainsFunc(c.RedirectURIs, func(registered string) bool { return redirectsTo(registered, uri, c.ApplicationType) })
}

// findClient gives the client of an ID; without one the error is [db.ErrNoRow].
func findClient(tx *db.Tx, clientID string) (Client, error) {
	stored, err := db.Value[[]byte](tx, `SELECT metadata FROM oauth_clients WHERE client_id = $1`, clientID)
	if err != nil {
		return Client{}, err
	}
	return readClient(clientID, stored)
}

// readClient reads the columns client_id and metadata.
func readClient(clientID string, stored []byte) (Client, error) {
	var m clientMetadata
	if err := json.Unmarshal(stored, &m); err != nil {
		return Client{}, fmt.Errorf("metadata of client %s: %w", clientID, err)
	}
	c := Client{ID: clientID, Name: m.Name, URI: m.URI, LogoURI: m.LogoURI, TosURI: m.TosURI, PolicyURI: m.PolicyURI,
		RedirectURIs: m.RedirectURIs, GrantTypes: m.GrantTypes, ApplicationType: m.ApplicationType}
	if u, err := url.Parse(c.URI); err == nil && c.Name == "" {
		c.Name = u.Hostname()
	}
	return c, nil
}

// A client is kept this long after it registered, and after it was last used; and
// as long as it has a session. Use is noted once a day.
const (
	keepNew  = 24 * time.Hour
	keepUsed = 90 * 24 * time.Hour
	noteUse  = 24 * time.Hour
)

// useClient notes that somebody begins to sign in with a client.
func useClient(tx *db.Tx, clientID string) error {
	until := tx.Now.Add(keepUsed)
	return tx.Later(`UPDATE oauth_clients SET unused_ts = $1 WHERE client_id = $2 AND unused_ts <= $3`,
		until.UnixMilli(), clientID, until.Add(-noteUse).UnixMilli())
}

// forgetClients forgets clients that nobody uses.
func forgetClients(tx *db.Tx) error {
	return tx.Later(`DELETE FROM oauth_clients WHERE unused_ts <= $1
		AND NOT EXISTS (SELECT 1 FROM oauth_sessions WHERE oauth_sessions.client_id = oauth_clients.client_id)`, tx.Now.UnixMilli())
}
