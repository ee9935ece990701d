package accounts

import (
	"context"
	"encoding/hex"
	"regexp"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// RegistrationToken is one row of `registration_tokens`: an invitation to
// register. Specification: client-server API, "Token-authenticated registration".
type RegistrationToken struct {
	// Token has 1 to 64 letters, digits and . _ ~ -
	Token string
	// UsesAllowed is how many accounts can be made with it; nil means any number.
	UsesAllowed *int64
	// Pending and Completed count registrations under way and done.
	Pending, Completed int64
	// Expires is when it ends; the zero time means never.
	Expires time.Time
	// Preapproved tokens make accounts that need no approval (MSC3866, A-13).
	Preapproved bool
}

// Mark names the token where it must not be read, such as in the audit log: its first
// letters, a quarter of all and four at most, and the beginning of a hash.
func (t RegistrationToken) Mark() string {
	return t.Token[:min(4, len(t.Token)/4)] + "…" + hex.EncodeToString(secret.Hash("registration token " + t.Token)[:4])
}

var tokenGrammar = regexp.MustCompile(`^[A-Za-z0-9._~-]{1,64}$`)

const generatedTokenLength = 16

// CreateRegistrationToken adds a token; without a text it is given a random one.
// It fails with InvalidParam if the text is not one for a token, or is taken.
func (s *Service) CreateRegistrationToken(tx *db.Tx, t RegistrationToken) (RegistrationToken, error) {
	if t.Token == "" {
		t.Token = secret.Letters(generatedTokenLength, letters+digits)
	}
	if !tokenGrammar.MatchString(t.Token) {
		return t, errcode.InvalidParam.New("A registration token has 1 to 64 letters, digits and . _ ~ -.")
	}
	if err := t.checkUses(); err != nil {
		return t, err
	}
	n, err := tx.Exec(`INSERT INTO registration_tokens (token, uses_allowed, pending, completed, expires_ts, preapproved, created_ts)
		VALUES ($1, $2, 0, 0, $3, $4, $5) ON CONFLICT (token) DO NOTHING`, t.Token, t.UsesAllowed, t.expiresTS(), t.Preapproved, tx.Now.UnixMilli())
	if err == nil && n == 0 {
		return t, errcode.InvalidParam.New("There is such a registration token already.")
	}
	return t, err
}

// RegistrationToken gives a token, or db.ErrNoRow.
func (s *Service) RegistrationToken(tx *db.Tx, token string) (RegistrationToken, error) {
	return db.One(tx, scanToken, `SELECT `+tokenColumns+` FROM registration_tokens WHERE token = $1`, token)
}

type registrationTokenValidityRequest struct {
	Token string `query:"token,required"`
}

type registrationTokenValidityResponse struct {
	Valid bool `json:"valid"`
}

func (s *Service) registrationTokenValidity(ctx context.Context, _ *httpapi.Call, req registrationTokenValidityRequest) (resp registrationTokenValidityResponse, err error) {
	if !s.cfg.Registration.Enabled {
		return resp, errcode.Forbidden.New("This server does not allow registration.")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		resp.Valid, err = db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM registration_tokens WHERE token = $1 AND `+tokenIsValid+`)`,
			req.Token, tx.Now.UnixMilli())
		return err
	})
	return resp, err
}

// tokenIsValid is the condition for one more use; $2 is the present.
const tokenIsValid = `(expires_ts IS NULL OR expires_ts > $2) AND (uses_allowed IS NULL OR pending + completed < uses_allowed)`

// holdToken reserves one use of a token for a registration under way. It reports
// whether there was one left.
func holdToken(tx *db.Tx, token string) (bool, error) {
	n, err := tx.Exec(`UPDATE registration_tokens SET pending = pending + 1 WHERE token = $1 AND `+tokenIsValid, token, tx.Now.UnixMilli())
	return n > 0, err
}

// completeToken turns a reserved use into one that is done.
func completeToken(tx *db.Tx, token string) error {
	if err := releaseToken(tx, token, 1); err != nil {
		return err
	}
	return tx.Later(`UPDATE registration_tokens SET completed = completed + 1 WHERE token = $1`, token)
}

// releaseToken gives reserved uses back. There may be fewer than that: of a token
// that was deleted and made again, nothing is reserved.
func releaseToken(tx *db.Tx, token string, uses int64) error {
	return tx.Later(`UPDATE registration_tokens SET pending = CASE WHEN pending > $2 THEN pending - $2 ELSE 0 END WHERE token = $1`, token, uses)
}
