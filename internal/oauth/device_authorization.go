package oauth

import (
	"context"
	"encoding/hex"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// The device authorization grant. A device asks with [Service.authorizeDevice] and
// then polls the token endpoint; a person decides on the page with
// [Service.ApproveDevice] or [Service.DenyDevice]. RFC 8628; client-server API,
// "Device authorisation flow".

const (
	// userCodeAlphabet has no vowels, so that no words come up, and nothing that
	// looks like something else (RFC 8628 section 6.1).
	userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"
	userCodeLength   = 8

	pollInterval = 5 * time.Second
	// pollSlack is how much too early a poll may come.
	pollSlack = time.Second
	// slower is what a poll that comes too early adds to the interval.
	slower = 5 * time.Second

	// maxPending devices may ask at the same time: the fewer codes are good, the
	// less likely it is that somebody guesses one. See guesses.go.
	maxPending   = 400
	maxPendingIP = 10
	// rememberGrants is for how long a device hears that its code has run out.
	rememberGrants = time.Hour
)

// The states of a device that asks.
const (
	grantPending   = "pending"
	grantApproved  = "approved"
	grantDenied    = "denied"
	grantExchanged = "exchanged"
)

type authorizeDeviceRequest struct {
	ClientID string `form:"client_id"`
	Scope    string `form:"scope,required"`
}

// authorizeDeviceResponse is what RFC 8628 section 3.2 has; times are in seconds.
type authorizeDeviceResponse struct {
	DeviceCode              string `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int64  `json:"expires_in"`
	Interval                int64  `json:"interval"`
}

func (s *Service) authorizeDevice(ctx context.Context, call *httpapi.Call, req authorizeDeviceRequest) (resp authorizeDeviceResponse, err error) {
	client, err := s.clientFor(ctx, req.ClientID, grantDeviceCode)
	if err != nil {
		return resp, err
	}
	scope, err := parseScope(req.Scope)
	if err != nil {
		return resp, err
	}
	lifetime := time.Duration(s.cfg.OAuth.DeviceCodeLifetime)
	deviceCode := secret.New(secret.DeviceCode)
	var userCode string
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.roomForGrant(tx, call); err != nil {
			return err
		}
		if err := useClient(tx, client.ID); err != nil {
			return err
		}
		for {
			userCode = secret.Letters(userCodeLength, userCodeAlphabet)
			n, err := tx.Exec(`INSERT INTO device_grants (device_code_hash, user_code_hash, client_id, scope, ip, user_agent, created_ts, expires_ts,
					interval_ms, polled_ts, state, reason, user_id)
				VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, $10, '', NULL) ON CONFLICT (user_code_hash) DO NOTHING`,
				secret.Hash(deviceCode), secret.Hash(userCode), client.ID, scope.Text, call.Addr.String(), printable(call.UserAgent),
				tx.Now.UnixMilli(), tx.Now.Add(lifetime).UnixMilli(), pollInterval.Milliseconds(), grantPending)
			if err != nil || n == 1 {
				return err
			}
		}
	})
	page := s.issuer() + "link"
	shown := showUserCode(userCode)
	return authorizeDeviceResponse{
		DeviceCode: deviceCode, UserCode: shown, VerificationURI: page, VerificationURIComplete: page + "?user_code=" + url.QueryEscape(shown),
		ExpiresIn: int64(lifetime.Seconds()), Interval: int64(pollInterval.Seconds()),
	}, err
}

// roomForGrant refuses a device when too many ask already. None is put off for
// another's sake.
func (s *Service) roomForGrant(tx *db.Tx, call *httpapi.Call) error {
	now := tx.Now.UnixMilli()
	all, err := db.Value[int64](tx, `SELECT COUNT(*) FROM device_grants WHERE expires_ts > $1 AND state = $2`, now, grantPending)
	if err != nil {
		return err
	}
	same, err := db.Value[int64](tx, `SELECT COUNT(*) FROM device_grants WHERE ip = $1 AND expires_ts > $2 AND state = $3`, call.Addr.String(), now, grantPending)
	if err != nil {
		return err
	}
	if all >= maxPending || (same >= maxPendingIP && s.cfg.RateLimits.Enabled && !s.cfg.Dev) {
		return errcode.TooManyRequests(time.Minute)
	}
	return nil
}

// showUserCode writes a code as people read it.
func showUserCode(code string) string {
	if len(code) != userCodeLength {
		return code
	}
	return code[:4] + "-" + code[4:]
}

// readUserCode takes a code as people type it.
func readUserCode(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '-' || r == ' ' || r == '\u00a0' || r == '\u2010' || r == '\u2011' || r == '\u2013':
			return -1
		case 'a' <= r && r <= 'z':
			return r - 'a' + 'A'
		}
		return r
	}, text)
}

// deviceGrant is one row of `device_grants`.
type deviceGrant struct {
	deviceCodeHash  []byte
	clientID, scope string
	ip, userAgent   string
	created, expire int64
	interval        int64
	polled          int64
	state, reason   string
	userID          *id.UserID
}

const grantColumns = `device_code_hash, client_id, scope, ip, user_agent, created_ts, expires_ts, interval_ms, polled_ts, state, reason, user_id`

func scanGrant(r db.Row) (g deviceGrant, err error) {
	err = r.Scan(&g.deviceCodeHash, &g.clientID, &g.scope, &g.ip, &g.userAgent, &g.created, &g.expire, &g.interval, &g.polled, &g.state, &g.reason, &g.userID)
	return g, err
}

// exchangeDeviceCode answers a poll, in the order of OA-20 to OA-27.
func (s *Service) exchangeDeviceCode(ctx context.Context, call *httpapi.Call, deviceCode string, client Client) (resp tokenResponse, err error) {
	if !secret.Plausible(secret.DeviceCode, deviceCode) {
		return resp, unknownDeviceCode()
	}
	hash := secret.Hash(deviceCode)
	var refused error // what is written stays, although the answer is a failure
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		resp, refused = tokenResponse{}, nil
		if err := lockGrant(tx, hash); err != nil {
			return err
		}
		g, err := db.One(tx, scanGrant, `SELECT `+grantColumns+` FROM device_grants WHERE device_code_hash = $1`, hash)
		now := tx.Now.UnixMilli()
		switch {
		case errors.Is(err, db.ErrNoRow), err == nil && g.clientID != client.ID:
			return unknownDeviceCode()
		case err != nil:
			return err
		case g.state == grantExchanged:
			// The session stays: a second poll is often under way when the first succeeds.
			return badGrant("The device code has been used already.")
		case g.expire <= now:
			return errcode.ExpiredDeviceCode.New("The device code has run out. Begin the sign-in again.")
		case g.state == grantDenied:
			return errcode.AccessDenied.New("%s", g.reason)
		case g.state == grantPending:
			refused, err = s.notYet(tx, g, now)
			return err
		}
		if refused = s.mayBegin(tx, *g.userID); refused != nil {
			return unlessRefusal(refused)
		}
		if err := tx.Later(`UPDATE device_grants SET state = $2 WHERE device_code_hash = $1`, hash, grantExchanged); err != nil {
			return err
		}
		resp, err = s.begin(tx, call, client, *g.userID, g.scope, hash)
		return err
	})
	if err == nil {
		err = refused
	}
	return resp, err
}

// notYet answers a poll before anybody has decided, and notes when it came.
func (s *Service) notYet(tx *db.Tx, g deviceGrant, now int64) (refused, err error) {
	refused = errcode.AuthorizationPending.New("Nobody has decided yet. Ask again after the interval.")
	if g.polled > 0 && now-g.polled < g.interval-pollSlack.Milliseconds() {
		g.interval += slower.Milliseconds()
		refused = errcode.SlowDown.New("Ask less often: every %d seconds.", g.interval/1000)
	}
	err = tx.Later(`UPDATE device_grants SET polled_ts = $2, interval_ms = $3 WHERE device_code_hash = $1`, g.deviceCodeHash, now, g.interval)
	return refused, err
}

func unknownDeviceCode() error {
	return badGrant("The device code is not known, or belongs to another client.")
}

func lockGrant(tx *db.Tx, deviceCodeHash []byte) error {
	return tx.Lock("device grant", hex.EncodeToString(deviceCodeHash))
}
