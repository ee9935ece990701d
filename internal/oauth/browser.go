package oauth

import (
	"errors"
	"slices"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

const (
	// browserLife is how long a browser stays signed in without being used.
	browserLife = 30 * 24 * time.Hour
	// vouchedLife is how long a browser stays signed in whose owner a provider of single
	// sign-on has vouched for. Using it does not make it longer, so that who is
	// shut out there is soon shut out here.
	vouchedLife = 12 * time.Hour
	// browserSeenEvery is how far behind the note of its last use may be.
	browserSeenEvery = time.Hour
)

// Browser is a browser in which somebody has signed in to the pages.
type Browser struct {
	Account accounts.Account
	// Proved is when the person last proved who they are.
	Proved time.Time
	// Provider is who vouched for the person when the session began; empty if this
	// server checked.
	Provider string
	// Began is when that was.
	Began time.Time
	seen  time.Time
	hash  []byte
}

// Voucher is a provider of single sign-on that vouches for somebody.
type Voucher struct {
	Provider string // its ID
	Session  string // what it calls its session of the person; may be empty
	// Proved is when the person proved to it who they are; zero if it does not say.
	Proved time.Time
}

// UserID is who has signed in.
func (b Browser) UserID() id.UserID { return b.Account.UserID }

// Awaiting reports whether the account waits for approval, so that the pages show
// that and nothing else.
func (s *Service) Awaiting(b Browser) bool { return s.isAwaiting(b.Account) }

// NoticeAddress is where whoever waits for approval is told of the decision; empty if
// nowhere, or if nobody waits.
func (s *Service) NoticeAddress(tx *db.Tx, b Browser) (string, error) {
	if !s.Awaiting(b) {
		return "", nil
	}
	return s.accounts.NoticeAddress(tx, b.UserID())
}

// Browser gives who is signed in by the value of the cookie, or db.ErrNoRow. A
// change of the password, a lock and a deactivation end it, and so does the lack of a
// second factor that the account has to have.
func (s *Service) Browser(tx *db.Tx, cookie string) (b Browser, err error) {
	if !secret.Plausible(secret.BrowserSession, cookie) {
		return b, db.ErrNoRow
	}
	b.hash = secret.Hash(cookie)
	var mark []byte
	userID, err := db.One(tx, func(r db.Row) (userID id.UserID, err error) {
		var began, proved, seen int64
		err = r.Scan(&userID, &mark, &began, &proved, &seen, &b.Provider)
		b.Began, b.Proved, b.seen = time.UnixMilli(began), time.UnixMilli(proved), time.UnixMilli(seen)
		return userID, err
	}, `SELECT user_id, password_mark, created_ts, proved_ts, seen_ts, provider FROM browser_sessions WHERE session_hash = $1 AND expires_ts > $2`, b.hash, tx.Now.UnixMilli())
	if err != nil {
		return b, err
	}
	b.Account, err = s.accounts.Find(tx, userID)
	if err == nil && (b.Account.Locked || b.Account.Deactivated || s.accounts.LacksSecondFactor(b.Account) || string(mark) != string(passwordMark(b.Account))) {
		err = db.ErrNoRow
	}
	return b, err
}

// passwordMark changes when the password does.
func passwordMark(a accounts.Account) []byte { return secret.Hash(a.PasswordHash) }

// SeenLongAgo reports whether [Service.SeeBrowser] is due.
func (b Browser) SeenLongAgo(now time.Time) bool { return now.Sub(b.seen) >= browserSeenEvery }

// SeeBrowser notes that a browser was used, which keeps it signed in unless a provider
// has vouched for it.
func (s *Service) SeeBrowser(tx *db.Tx, b Browser, call *httpapi.Call) error {
	return tx.Later(`UPDATE browser_sessions SET seen_ts = $2, expires_ts = CASE provider WHEN '' THEN $3 ELSE expires_ts END, ip = $4, user_agent = $5
		WHERE session_hash = $1`,
		b.hash, tx.Now.UnixMilli(), tx.Now.Add(browserLife).UnixMilli(), call.Addr.String(), printable(call.UserAgent))
}

// SignInBrowser signs a browser in and gives the value of its cookie. The caller
// has checked the password. It fails with db.ErrNoRow if the account is locked,
// deactivated, or has another password by now than the one that was checked.
func (s *Service) SignInBrowser(tx *db.Tx, checked accounts.Account, call *httpapi.Call) (cookie string, err error) {
	return s.signInBrowser(tx, checked, call, Voucher{Proved: tx.Now}, browserLife)
}

// SignInVouched is SignInBrowser for somebody whom a provider vouches for.
func (s *Service) SignInVouched(tx *db.Tx, checked accounts.Account, call *httpapi.Call, by Voucher) (cookie string, err error) {
	return s.signInBrowser(tx, checked, call, by, vouchedLife)
}

func (s *Service) signInBrowser(tx *db.Tx, checked accounts.Account, call *httpapi.Call, by Voucher, life time.Duration) (cookie string, err error) {
	account, err := s.accounts.Hold(tx, checked.UserID)
	if err != nil {
		return "", err
	}
	if account.Locked || account.Deactivated || account.PasswordHash != checked.PasswordHash {
		return "", db.ErrNoRow
	}
	cookie = secret.New(secret.BrowserSession)
	proved := int64(0)
	if !by.Proved.IsZero() {
		proved = min(by.Proved.UnixMilli(), tx.Now.UnixMilli())
	}
	err = tx.Later(`INSERT INTO browser_sessions
			(session_hash, user_id, password_mark, created_ts, proved_ts, seen_ts, expires_ts, ip, user_agent, provider, provider_session)
		VALUES ($1, $2, $3, $4, $5, $4, $6, $7, $8, $9, $10)`,
		secret.Hash(cookie), account.UserID, passwordMark(account), tx.Now.UnixMilli(), proved, tx.Now.Add(life).UnixMilli(),
		call.Addr.String(), printable(call.UserAgent), by.Provider, by.Session)
	return cookie, err
}

// ProveBrowser notes that the person has proved who they are just now, and gives the
// new value of the cookie: one that was stolen before does not profit. It fails with
// db.ErrNoRow if the browser has been signed out since it was looked at.
func (s *Service) ProveBrowser(tx *db.Tx, b Browser) (cookie string, err error) {
	cookie = secret.New(secret.BrowserSession)
	n, err := tx.Exec(`UPDATE browser_sessions SET session_hash = $2, proved_ts = $3 WHERE session_hash = $1`, b.hash, secret.Hash(cookie), tx.Now.UnixMilli())
	if err == nil && n == 0 {
		err = db.ErrNoRow
	}
	return cookie, err
}

// SignOutBrowser ends what the cookie stands for.
func (s *Service) SignOutBrowser(tx *db.Tx, cookie string) error {
	return tx.Later(`DELETE FROM browser_sessions WHERE session_hash = $1`, secret.Hash(cookie))
}

// SignOutBrowsers signs a user out of every browser.
func (s *Service) SignOutBrowsers(tx *db.Tx, userID id.UserID) error {
	return tx.Later(`DELETE FROM browser_sessions WHERE user_id = $1`, userID)
}

// SignOutOtherBrowsers signs a user out of every browser but one.
func (s *Service) SignOutOtherBrowsers(tx *db.Tx, but Browser) error {
	return tx.Later(`DELETE FROM browser_sessions WHERE user_id = $1 AND session_hash <> $2`, but.UserID(), but.hash)
}

// SignOutVouched ends the sessions of browsers that a provider of single sign-on has
// vouched for: the one that began in a session there, or all of a user; and voids the
// login tokens that were made in these browsers for apps and not used yet. Session or
// userID may be empty, and both together do nothing.
func (s *Service) SignOutVouched(tx *db.Tx, provider, session string, userID id.UserID) error {
	if session == "" && userID == "" {
		return nil
	}
	users, err := db.All(tx, db.Scalar[id.UserID], `DELETE FROM browser_sessions
		WHERE provider = $1 AND (provider_session = $2 OR $3) AND (user_id = $4 OR $5) RETURNING user_id`,
		provider, session, session == "", userID, userID == "")
	if err != nil || len(users) == 0 {
		return err
	}
	slices.Sort(users)
	for _, userID := range slices.Compact(users) { // one, but for sessions that a provider names alike
		if err := tx.Later(`DELETE FROM login_tokens WHERE user_id = $1 AND device_id = ''`, userID); err != nil {
			return err
		}
	}
	return nil
}

// maxPrintable is how much of a text that a browser sends is kept, in bytes.
const maxPrintable = 256

func printable(text string) string {
	if len(text) > maxPrintable {
		text = text[:maxPrintable]
	}
	return errcode.OAuthText(text)
}

// Session is a signed-in device as its owner sees it on the pages.
type Session struct {
	accounts.Device
	Client Client // zero: it began by the legacy login
	Began  time.Time
}

// Sessions gives the devices of a user, with the clients that began them.
func (s *Service) Sessions(tx *db.Tx, userID id.UserID) ([]Session, error) {
	devices, err := s.accounts.Devices(tx, userID)
	if err != nil {
		return nil, err
	}
	clients := map[id.DeviceID]Client{}
	err = db.Each(tx, func(r db.Row) error {
		var deviceID id.DeviceID
		var clientID string
		var metadata []byte
		if err := r.Scan(&deviceID, &clientID, &metadata); err != nil {
			return err
		}
		client, err := readClient(clientID, metadata)
		clients[deviceID] = client
		return err
	}, `SELECT o.device_id, c.client_id, c.metadata FROM oauth_sessions o JOIN oauth_clients c ON c.client_id = o.client_id WHERE o.user_id = $1`, userID)
	sessions := make([]Session, len(devices))
	for i, d := range devices {
		sessions[i] = Session{Device: d, Client: clients[d.DeviceID], Began: d.Created}
	}
	return sessions, err
}

// SSOToken makes a login token for a person who has agreed, on the page of single
// sign-on, that a client of the legacy login signs in. An account that waits for
// approval gets one, too: the client then learns from the login that it waits
// (MSC3866, A-27). It fails with AccessDenied for an account that is locked or closed.
func (s *Service) SSOToken(tx *db.Tx, userID id.UserID) (string, error) {
	account, err := s.accounts.Hold(tx, userID)
	if errors.Is(err, db.ErrNoRow) || account.Locked || account.Deactivated {
		return "", errcode.AccessDenied.New("The account is locked or closed.")
	}
	if err != nil {
		return "", err
	}
	token := secret.New(secret.LoginToken)
	err = tx.Later(`INSERT INTO login_tokens (token_hash, user_id, device_id, expires_ts) VALUES ($1, $2, '', $3)`,
		secret.Hash(token), userID, tx.Now.Add(time.Duration(s.cfg.Login.LoginTokenLifetime)).UnixMilli())
	return token, err
}
