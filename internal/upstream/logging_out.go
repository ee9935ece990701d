package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// LogoutPath is where a provider says that it has signed somebody out, with the
// provider's ID after it.
const LogoutPath = "/sso/logout/"

// ErrLogout says that a logout token proves nothing. What is wrong is in the error that
// wraps it, for the log.
var ErrLogout = errors.New("upstream: not a logout token of this provider for this server")

// A Logout is what a provider has ended.
type Logout struct {
	Provider string // its ID
	// Session is what the provider calls the session; empty: all that the person has.
	Session string
	// Person names who it is, by the claim that people are known by; may be empty where
	// there is a session.
	Person string

	mark    []byte // of the token, which is good once
	expires time.Time
}

const (
	// logoutEvent is the member of the claim "events" that makes a token one of these.
	logoutEvent = "http://schemas.openid.net/event/backchannel-logout"
	// logoutLife is how old a logout token may be.
	logoutLife = 10 * time.Minute
)

// ReadLogout checks a logout token (OpenID Connect Back-Channel Logout 1.0, section
// 2.6). It fails with ErrLogout, with db.ErrNoRow if there is no such provider, and with
// a *Failure if the provider's keys cannot be had.
func (s *Service) ReadLogout(ctx context.Context, now time.Time, providerID, raw string) (Logout, error) {
	p := s.find(providerID)
	if p == nil {
		return Logout{}, db.ErrNoRow
	}
	ctx, stop := context.WithTimeout(ctx, talkFor)
	defer stop()
	d, err := p.discover(ctx, now)
	if err != nil {
		return Logout{}, p.broken(err)
	}
	ctx = oidc.ClientContext(ctx, p.client)
	verifier := d.Verifier(&oidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms, Now: func() time.Time { return now }})
	token, err := verifier.Verify(ctx, raw)
	if err != nil {
		return Logout{}, notLogout(err.Error())
	}
	said, err := claimsOf(token)
	if err != nil {
		return Logout{}, notLogout(err.Error())
	}
	l := Logout{Provider: p.ID, Session: said.text("sid"), Person: said.text(p.SubjectClaim), expires: now.Add(logoutLife + clocksDiffer)}
	_, hasNonce := said["nonce"]
	jti := said.text("jti")
	switch {
	case !slices.Contains(token.Audience, p.ClientID):
		return Logout{}, notLogout("it was made for somebody else")
	case token.IssuedAt.After(now.Add(clocksDiffer)), token.IssuedAt.Before(now.Add(-logoutLife)):
		return Logout{}, notLogout("it is from the future, or too old")
	case !said.isLogout():
		return Logout{}, notLogout("it is a token of another kind")
	case hasNonce:
		return Logout{}, notLogout("it has a nonce, as ID tokens have")
	case jti == "" || len(jti) > maxText:
		return Logout{}, notLogout("it has no jti")
	case l.Session == "" && l.Person == "":
		return Logout{}, notLogout("it names neither a session nor a person that is known here")
	}
	l.mark = secret.Hash("logout token\x00" + p.ID + "\x00" + jti)
	return l, nil
}

func notLogout(why string) error { return fmt.Errorf("%w: %s", ErrLogout, why) }

// isLogout reports whether the claim "events" makes the token a logout token.
func (c claims) isLogout() bool {
	events, _ := c["events"].(map[string]any)
	_, is := events[logoutEvent].(map[string]any)
	return is
}

// SpendLogout uses a logout token up, and gives the account that it is about: empty if
// it names no person, or one without an account. It fails with ErrLogout if the token
// was used before.
func (s *Service) SpendLogout(tx *db.Tx, l Logout) (id.UserID, error) {
	n, err := tx.Exec(`INSERT INTO upstream_logouts (mark, expires_ts) VALUES ($1, $2) ON CONFLICT (mark) DO NOTHING`, l.mark, l.expires.UnixMilli())
	if err == nil && n == 0 {
		err = notLogout("it was used before")
	}
	if err != nil || l.Person == "" {
		return "", err
	}
	userID, err := db.Value[id.UserID](tx, `SELECT user_id FROM upstream_links WHERE provider = $1 AND subject = $2`, l.Provider, l.Person)
	if errors.Is(err, db.ErrNoRow) {
		err = nil
	}
	return userID, err
}
