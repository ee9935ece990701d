package oauth

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Authorization is a request of a client that somebody's browser brought. It is
// kept nowhere: the page of consent has the same query, which is checked again when
// the person agrees. RFC 6749 section 4.1, RFC 7636; client-server API,
// "Authorisation code flow".
type Authorization struct {
	Client Client
	Scope  Scope
	// Create is prompt=create: the person wants a new account.
	Create bool

	redirectURI string
	fragment    bool // response_mode=fragment
	state       *string
	challenge   string
	issuer      string
}

// RedirectError is a request that is refused by sending the browser back to its
// client, which has shown that it is the one.
type RedirectError struct{ URL string }

// Error says nothing to clients: the address has it.
func (e *RedirectError) Error() string { return "oauth: the request is sent back to its client" }

const maxState = 4096 // bytes

// ParseAuthorization checks the query of the authorization endpoint. It fails with
// InvalidClient or InvalidParam, to be shown on a page, while it is not certain who
// asks; and with a [RedirectError] after that.
func (s *Service) ParseAuthorization(tx *db.Tx, query url.Values) (Authorization, error) {
	a := Authorization{issuer: s.issuer()}
	for _, name := range []string{"client_id", "redirect_uri"} {
		if len(query[name]) != 1 || query.Get(name) == "" {
			return a, errcode.InvalidParam.New("The app that sent you here made a mistake: its request needs %q exactly once. Go back and try again, or tell its makers.", name).With("param", name)
		}
	}
	client, err := findClient(tx, query.Get("client_id"))
	if errors.Is(err, db.ErrNoRow) {
		return a, errcode.NotFound.New("The app that sent you here is not known to this server, or has not been used for long. Start again in the app.")
	}
	if err != nil {
		return a, err
	}
	a.Client, a.redirectURI = client, query.Get("redirect_uri")
	if !client.hasRedirectURI(a.redirectURI) {
		return a, errcode.InvalidParam.New("The app that sent you here asks for the answer to go to an address that it has not registered, which might be somebody else's. Nothing was sent there.").With("param", "redirect_uri")
	}
	if err := a.parse(query); err != nil {
		var refused *errcode.Error
		if errors.As(err, &refused) {
			return a, &RedirectError{a.failure(refused.Code.OAuth, refused.Text)}
		}
		return a, err
	}
	return a, nil
}

// parse checks what is answered by a redirect.
func (a *Authorization) parse(query url.Values) (err error) {
	if modes := query["response_mode"]; len(modes) == 1 {
		a.fragment = modes[0] == "fragment"
	}
	if states := query["state"]; len(states) == 1 && len(states[0]) <= maxState {
		a.state = &states[0]
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if len(query[name]) > 1 {
			return errcode.InvalidRequest.New("The parameter %q may be given only once.", name)
		}
	}
	switch mode := query.Get("response_mode"); {
	case len(query.Get("state")) > maxState:
		return errcode.InvalidRequest.New("The state may have at most %d bytes.", maxState)
	case query.Has("request") || query.Has("request_uri"):
		return errcode.InvalidRequest.New("Requests are taken as parameters alone, not as request or request_uri.")
	case query.Get("response_type") != "code":
		return errcode.UnsupportedResponseType.New("The response_type has to be code.")
	case mode != "" && mode != "query" && mode != "fragment":
		return errcode.InvalidRequest.New("The response_mode has to be query or fragment.")
	case !a.Client.Allows(grantCode):
		return errcode.UnauthorizedClient.New("The client has not registered the grant %s.", grantCode)
	}
	if a.Scope, err = parseScope(query.Get("scope")); err != nil {
		return err
	}
	a.challenge = query.Get("code_challenge")
	if query.Get("code_challenge_method") != "S256" || !isChallenge(a.challenge) {
		return errcode.InvalidRequest.New("The request needs a code_challenge with code_challenge_method=S256 (RFC 7636).")
	}
	switch query.Get("prompt") {
	case "", "consent": // which is asked for in any case
	case "create":
		a.Create = true
	default:
		return errcode.InvalidRequest.New("The prompt has to be create, or left out.")
	}
	return nil
}

// isChallenge reports whether text is a SHA-256 in unpadded base64 for URLs.
func isChallenge(text string) bool {
	sum, err := base64.RawURLEncoding.DecodeString(text)
	return err == nil && len(sum) == 32
}

// Target is where the answer goes, as a Content-Security-Policy names it: an
// origin, or the scheme of an app.
func (a Authorization) Target() string {
	u, err := url.Parse(a.redirectURI)
	if err != nil {
		return ""
	}
	if u.Scheme == "https" || u.Scheme == "http" {
		return u.Scheme + "://" + u.Host
	}
	return u.Scheme + ":"
}

// answer is the address of the client with an answer in its query or fragment.
// RFC 9207 adds the issuer.
func (a Authorization) answer(values url.Values) string {
	if a.state != nil {
		values.Set("state", *a.state)
	}
	values.Set("iss", a.issuer)
	u, err := url.Parse(a.redirectURI)
	if err != nil {
		return "" // it was registered, so it can be parsed
	}
	if a.fragment {
		// The address has no fragment of its own: none is registered.
		return a.redirectURI + "#" + values.Encode()
	}
	separator := "?"
	if u.RawQuery != "" || strings.HasSuffix(a.redirectURI, "?") {
		separator = "&"
	}
	return a.redirectURI + separator + values.Encode()
}

func (a Authorization) failure(code, description string) string {
	return a.answer(url.Values{"error": {code}, "error_description": {errcode.OAuthText(description)}})
}

// Deny is where the browser goes when the person refuses.
func (a Authorization) Deny() string {
	return a.failure(errcode.AccessDenied.OAuth, "The person refused.")
}

// Awaiting is where the browser goes from the page that says that the account
// awaits approval (MSC3866, A-32).
func (a Authorization) Awaiting() string {
	return a.failure(errcode.AccessDenied.OAuth, awaitingText)
}

const (
	grantCode       = "authorization_code"
	grantRefresh    = "refresh_token"
	grantDeviceCode = "urn:ietf:params:oauth:grant-type:device_code"

	// codeLife is how long an authorization code is good: the client is a redirect
	// away.
	codeLife = time.Minute
)

// GrantAuthorization makes a code for a request to which the person agreed, and
// gives the address where the browser takes it. An account that may not sign in
// gets no code; the client is told why.
func (s *Service) GrantAuthorization(tx *db.Tx, a Authorization, userID id.UserID) (string, error) {
	if err := s.mayBegin(tx, userID); err != nil {
		var refused *errcode.Error
		if errors.As(err, &refused) {
			return a.failure(refused.Code.OAuth, refused.Text), nil
		}
		return "", err
	}
	if err := useClient(tx, a.Client.ID); err != nil {
		return "", err
	}
	code := secret.New(secret.AuthorizationCode)
	err := tx.Later(`INSERT INTO oauth_codes (code_hash, client_id, user_id, redirect_uri, scope, challenge, used_ts, expires_ts)
		VALUES ($1, $2, $3, $4, $5, $6, NULL, $7)`,
		secret.Hash(code), a.Client.ID, userID, a.redirectURI, a.Scope.Text, a.challenge, tx.Now.Add(codeLife).UnixMilli())
	return a.answer(url.Values{"code": {code}}), err
}

const awaitingText = "The account is waiting for the approval of an administrator of its server."

// mayBegin holds the account and fails with AccessDenied if it may begin no session
// (OA-27; MSC3866, A-32 and A-33).
func (s *Service) mayBegin(tx *db.Tx, userID id.UserID) error {
	account, err := s.accounts.Hold(tx, userID)
	switch {
	case errors.Is(err, db.ErrNoRow), err == nil && account.Deactivated:
		return errcode.AccessDenied.New("The account has been deactivated.")
	case err != nil:
		return err
	case account.Locked:
		return errcode.AccessDenied.New("The account is locked.")
	case s.isAwaiting(account):
		return errcode.AccessDenied.New(awaitingText)
	}
	return nil
}

type authorizationCode struct {
	clientID, redirectURI, scope, challenge string
	userID                                  id.UserID
	used                                    bool
	expires                                 int64
}

// exchangeCode gives the tokens of an authorization code. A code is good once: the
// second time ends the session that the first time began, since two parties have
// it (RFC 6749 section 4.1.2).
func (s *Service) exchangeCode(ctx context.Context, call *httpapi.Call, req tokenRequest, client Client) (resp tokenResponse, err error) {
	hash := secret.Hash(req.Code)
	var refused error
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		resp, refused = tokenResponse{}, nil
		if err := tx.Lock("oauth code", hex.EncodeToString(hash)); err != nil {
			return err
		}
		c, err := findCode(tx, hash)
		switch {
		case errors.Is(err, db.ErrNoRow), err == nil && c.clientID != client.ID:
			return badGrant("The code is not known, has run out, or belongs to another client. Begin the sign-in again.")
		case err != nil:
			return err
		case c.used:
			refused = badGrant("The code has been used already. Begin the sign-in again.")
			return s.endSessionOf(tx, hash)
		case c.expires <= tx.Now.UnixMilli():
			return badGrant("The code has run out. Begin the sign-in again.")
		case c.redirectURI != req.RedirectURI:
			return badGrant("The redirect_uri is not the one that the code was asked for with.")
		case !verifies(req.CodeVerifier, c.challenge):
			return badGrant("The code_verifier does not fit the code_challenge.")
		}
		if err := tx.Later(`UPDATE oauth_codes SET used_ts = $2 WHERE code_hash = $1`, hash, tx.Now.UnixMilli()); err != nil {
			return err
		}
		if refused = s.mayBegin(tx, c.userID); refused != nil {
			return unlessRefusal(refused)
		}
		resp, err = s.begin(tx, call, client, c.userID, c.scope, hash)
		return err
	})
	if err == nil {
		err = refused
	}
	return resp, err
}

func findCode(tx *db.Tx, hash []byte) (authorizationCode, error) {
	return db.One(tx, func(r db.Row) (c authorizationCode, err error) {
		err = r.Scan(&c.clientID, &c.userID, &c.redirectURI, &c.scope, &c.challenge, &c.used, &c.expires)
		return c, err
	}, `SELECT client_id, user_id, redirect_uri, scope, challenge, used_ts IS NOT NULL, expires_ts FROM oauth_codes WHERE code_hash = $1`, hash)
}

// endSessionOf ends the session that a code began, if it is still there.
func (s *Service) endSessionOf(tx *db.Tx, codeHash []byte) error {
	type device struct {
		userID   id.UserID
		deviceID id.DeviceID
	}
	d, err := db.One(tx, func(r db.Row) (d device, err error) {
		err = r.Scan(&d.userID, &d.deviceID)
		return d, err
	}, `SELECT o.user_id, o.device_id FROM oauth_sessions o JOIN oauth_codes c ON c.user_id = o.user_id AND c.code_hash = o.code_hash
		WHERE c.code_hash = $1`, codeHash)
	if errors.Is(err, db.ErrNoRow) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.accounts.DeleteDevices(tx, d.userID, []id.DeviceID{d.deviceID})
}

// unlessRefusal gives nil for what is to be answered after the transaction, and the
// error for a fault that rolls it back.
func unlessRefusal(err error) error {
	var refused *errcode.Error
	if errors.As(err, &refused) {
		return nil
	}
	return err
}

func badGrant(text string) error { return errcode.InvalidGrant.New("%s", text) }
