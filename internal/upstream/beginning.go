package upstream

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Purpose is what for a browser is sent to a provider.
type Purpose string

// The purposes.
const (
	// SignIn begins a session, of a new account if need be.
	SignIn Purpose = "sign_in"
	// Link adds the provider to an account.
	Link Purpose = "link"
	// Prove shows that whoever is signed in is still there: the provider asks them.
	Prove Purpose = "prove"
)

// Beginning is a browser that is to go to a provider.
type Beginning struct {
	Provider string // its ID
	// Browser is a secret that only this browser has, and no other site can learn.
	Browser []byte
	Purpose Purpose
	UserID  id.UserID // of Link and Prove: who is signed in
	Next    string    // where to go afterwards: a path of this server
}

// loginLife is how much time people have at a provider.
const loginLife = 10 * time.Minute

// Begin gives the address at the provider that the browser is to go to. It fails with
// a *Failure if the provider cannot be asked, and with db.ErrNoRow if there is none.
func (s *Service) Begin(ctx context.Context, now time.Time, b Beginning) (address string, err error) {
	p := s.find(b.Provider)
	if p == nil {
		return "", db.ErrNoRow
	}
	d, err := p.discover(ctx, now)
	if err != nil {
		f := p.broken(err)
		f.Next = b.Next
		return "", f
	}
	state := secret.New(secret.UpstreamState)
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Later(`INSERT INTO upstream_logins (state_hash, browser_hash, provider, purpose, user_id, next, begun_ts, expires_ts)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
			secret.Hash(state), browserHash(b.Browser), p.ID, b.Purpose, b.UserID, b.Next, tx.Now.UnixMilli(), tx.Now.Add(loginLife).UnixMilli())
	})
	options := []oauth2.AuthCodeOption{oidc.Nonce(derive(b.Browser, "nonce", state)), oauth2.S256ChallengeOption(derive(b.Browser, "verifier", state))}
	if b.Purpose == Prove {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return d.oauth2.AuthCodeURL(state, options...), err
}

// derive makes a secret of one sign-in from its state, which is in addresses, and from
// that of the browser, which is not.
func derive(browser []byte, use, state string) string {
	mac := hmac.New(sha256.New, browser)
	mac.Write([]byte(use + "\x00" + state))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

func browserHash(browser []byte) []byte { return secret.Hash(string(browser)) }

// login is one row of `upstream_logins`.
type login struct {
	purpose Purpose
	userID  id.UserID
	next    string
	begun   time.Time
}

// spend uses a state up. It fails with db.ErrNoRow unless this browser was sent with
// it to this provider a short while ago, and has not come back with it before.
func spend(tx *db.Tx, providerID, state string, browser []byte) (login, error) {
	return db.One(tx, func(r db.Row) (l login, err error) {
		var begun int64
		err = r.Scan(&l.purpose, &l.userID, &l.next, &begun)
		l.begun = time.UnixMilli(begun)
		return l, err
	}, `DELETE FROM upstream_logins WHERE state_hash = $1 AND browser_hash = $2 AND provider = $3 AND expires_ts > $4
		RETURNING purpose, user_id, next, begun_ts`, secret.Hash(state), browserHash(browser), providerID, tx.Now.UnixMilli())
}
