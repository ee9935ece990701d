package factors

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Passkey is one passkey of an account.
type Passkey struct {
	ID    []byte
	Name  string // as the person called it; never empty
	Added time.Time
	Used  time.Time // zero: never
	// Synced says that the browser or system keeps a copy elsewhere.
	Synced bool

	credential webauthn.Credential
}

// maxName is the length of the name of a passkey, in characters.
const maxName = 60

// NameOf is the name of a passkey as it is kept: one line, and never empty.
func NameOf(text string) string {
	text = strings.Join(strings.Fields(strings.ToValidUTF8(text, "")), " ")
	if utf8.RuneCountInString(text) > maxName {
		text = string([]rune(text)[:maxName])
	}
	if text == "" {
		return "Passkey"
	}
	return text
}

func passkeysOf(tx *db.Tx, userID id.UserID) ([]Passkey, error) {
	return db.All(tx, func(r db.Row) (p Passkey, err error) {
		var count, flags, added int64
		var used *int64
		var transports string
		c := &p.credential
		err = r.Scan(&p.ID, &p.Name, &c.PublicKey, &count, &flags, &c.Authenticator.AAGUID, &transports, &added, &used)
		c.ID, c.Flags = p.ID, webauthn.NewCredentialFlags(protocol.AuthenticatorFlags(flags))
		c.Authenticator.SignCount = uint32(count)
		for t := range strings.FieldsSeq(transports) {
			c.Transport = append(c.Transport, protocol.AuthenticatorTransport(t))
		}
		p.Added, p.Synced = time.UnixMilli(added), c.Flags.BackupState
		if used != nil {
			p.Used = time.UnixMilli(*used)
		}
		return p, err
	}, `SELECT credential_id, name, public_key, sign_count, flags, aaguid, transports, added_ts, used_ts FROM passkeys WHERE user_id = $1
		ORDER BY added_ts, credential_id`, userID)
}

func insertPasskey(tx *db.Tx, userID id.UserID, name string, c *webauthn.Credential) error {
	transports := make([]string, len(c.Transport))
	for i, t := range c.Transport {
		transports[i] = string(t)
	}
	n, err := tx.Exec(`INSERT INTO passkeys (credential_id, user_id, name, public_key, sign_count, flags, aaguid, transports, added_ts, used_ts)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, NULL) ON CONFLICT (credential_id) DO NOTHING`,
		c.ID, userID, NameOf(name), c.PublicKey, int64(c.Authenticator.SignCount), int64(c.Flags.ProtocolValue()), c.Authenticator.AAGUID,
		strings.Join(transports, " "), tx.Now.UnixMilli())
	if err == nil && n == 0 {
		err = db.ErrDuplicate
	}
	return err
}

// usePasskey notes a use: the counter and the flags as the authenticator has them now.
func usePasskey(tx *db.Tx, c *webauthn.Credential) error {
	return tx.Later(`UPDATE passkeys SET sign_count = $2, flags = $3, used_ts = $4 WHERE credential_id = $1`,
		c.ID, int64(c.Authenticator.SignCount), int64(c.Flags.ProtocolValue()), tx.Now.UnixMilli())
}

func ownerOfPasskey(tx *db.Tx, passkey []byte) (id.UserID, error) {
	return db.One(tx, db.Scalar[id.UserID], `SELECT user_id FROM passkeys WHERE credential_id = $1`, passkey)
}

// owner is a user as the library wants one.
type owner struct {
	userID      id.UserID
	handle      []byte
	credentials []webauthn.Credential
}

// WebAuthnID is the handle.
func (o *owner) WebAuthnID() []byte { return o.handle }

// WebAuthnName tells the accounts of one person apart.
func (o *owner) WebAuthnName() string { return string(o.userID) }

// WebAuthnDisplayName is what the browser shows.
func (o *owner) WebAuthnDisplayName() string { return o.userID.Localpart() }

// WebAuthnCredentials are the passkeys.
func (o *owner) WebAuthnCredentials() []webauthn.Credential { return o.credentials }

const handleBytes = 32

func ownerOf(tx *db.Tx, userID id.UserID) (*owner, error) {
	handle := make([]byte, handleBytes)
	_, _ = rand.Read(handle) // never fails: crypto/rand ends the program instead
	err := tx.Later(`INSERT INTO passkey_users (user_id, handle) VALUES ($1, $2) ON CONFLICT (user_id) DO NOTHING`, userID, handle)
	if err != nil {
		return nil, err
	}
	o := &owner{userID: userID}
	if o.handle, err = db.One(tx, db.Scalar[[]byte], `SELECT handle FROM passkey_users WHERE user_id = $1`, userID); err != nil {
		return nil, err
	}
	passkeys, err := passkeysOf(tx, userID)
	for _, p := range passkeys {
		o.credentials = append(o.credentials, p.credential)
	}
	return o, err
}

// challengeLife is how long a person may take to find the authenticator.
const challengeLife = 5 * time.Minute

func insertChallenge(tx *db.Tx, challenge string, purpose Purpose, userID id.UserID, browser []byte) error {
	return tx.Later(`INSERT INTO passkey_challenges (challenge_hash, purpose, user_id, browser_hash, expires_ts) VALUES ($1, $2, $3, $4, $5)`,
		secret.Hash(challenge), string(purpose), userID, browser, tx.Now.Add(challengeLife).UnixMilli())
}

// takeChallenge uses a challenge up. It fails with ErrWrong if it is not known, has run
// out, or was made for something else.
func takeChallenge(tx *db.Tx, challenge string, purpose Purpose, userID id.UserID, browser []byte) error {
	var made struct {
		purpose Purpose
		userID  id.UserID
		browser []byte
		expires int64
	}
	_, err := db.One(tx, func(r db.Row) (struct{}, error) {
		return struct{}{}, r.Scan(&made.purpose, &made.userID, &made.browser, &made.expires)
	}, `DELETE FROM passkey_challenges WHERE challenge_hash = $1 RETURNING purpose, user_id, browser_hash, expires_ts`, secret.Hash(challenge))
	if errors.Is(err, db.ErrNoRow) {
		return ErrWrong
	}
	if err == nil && (made.purpose != purpose || made.userID != userID || made.expires <= tx.Now.UnixMilli() || subtle.ConstantTimeCompare(made.browser, browser) != 1) {
		err = ErrWrong
	}
	return err
}
