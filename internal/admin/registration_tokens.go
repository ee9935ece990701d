package admin

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// tokenResponse is a registration token. The member preapproved is this server's
// own: accounts made with the token need no approval.
type tokenResponse struct {
	Token       string `json:"token"`
	UsesAllowed *int64 `json:"uses_allowed"`
	Pending     int64  `json:"pending"`
	Completed   int64  `json:"completed"`
	ExpiryTime  *int64 `json:"expiry_time"`
	Preapproved bool   `json:"preapproved"`
}

func newTokenResponse(t accounts.RegistrationToken) tokenResponse {
	r := tokenResponse{Token: t.Token, UsesAllowed: t.UsesAllowed, Pending: t.Pending, Completed: t.Completed, Preapproved: t.Preapproved}
	if !t.Expires.IsZero() {
		ts := t.Expires.UnixMilli()
		r.ExpiryTime = &ts
	}
	return r
}

// tokenLimits are what the audit log keeps of a token, which it does not name.
type tokenLimits struct {
	UsesAllowed *int64 `json:"uses_allowed"`
	ExpiryTime  *int64 `json:"expiry_time"`
	Preapproved bool   `json:"preapproved"`
}

func (r tokenResponse) limits() tokenLimits {
	return tokenLimits{r.UsesAllowed, r.ExpiryTime, r.Preapproved}
}

type listRegistrationTokensRequest struct {
	Valid *bool `query:"valid"`
}

type listRegistrationTokensResponse struct {
	Tokens []tokenResponse `json:"registration_tokens"`
}

func (s *Service) listRegistrationTokens(ctx context.Context, _ *httpapi.Call, req listRegistrationTokensRequest) (resp listRegistrationTokensResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		tokens, err := s.accounts.RegistrationTokens(tx, req.Valid)
		resp.Tokens = make([]tokenResponse, len(tokens))
		for i, t := range tokens {
			resp.Tokens[i] = newTokenResponse(t)
		}
		return err
	})
	return resp, err
}

type tokenRequest struct {
	Token string `path:"token"`
}

func (s *Service) getRegistrationToken(ctx context.Context, _ *httpapi.Call, req tokenRequest) (resp tokenResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		t, err := s.token(tx, req.Token)
		resp = newTokenResponse(t)
		return err
	})
	return resp, err
}

func (s *Service) token(tx *db.Tx, text string) (accounts.RegistrationToken, error) {
	t, err := s.accounts.RegistrationToken(tx, text)
	if errors.Is(err, db.ErrNoRow) {
		return t, errcode.NotFound.New("There is no such registration token.")
	}
	return t, err
}

type createRegistrationTokenRequest struct {
	Token       *string        `json:"token"`
	Length      *int64         `json:"length"` // of a token without a text
	UsesAllowed jsontext.Value `json:"uses_allowed"`
	ExpiryTime  jsontext.Value `json:"expiry_time"`
	Preapproved bool           `json:"preapproved"`
}

const (
	defaultTokenLength = 16
	maxTokenLength     = 64
	tokenAlphabet      = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789" // without those that look alike
)

func (s *Service) createRegistrationToken(ctx context.Context, call *httpapi.Call, req createRegistrationTokenRequest) (resp tokenResponse, err error) {
	t := accounts.RegistrationToken{Preapproved: req.Preapproved}
	if t.Token, err = tokenText(req); err != nil {
		return resp, err
	}
	if t, err = limitToken(t, req.UsesAllowed, req.ExpiryTime, call.Now); err != nil {
		return resp, err
	}
	made, err := s.CreateToken(ctx, call.UserID, t)
	return newTokenResponse(made), err
}

// tokenText is the text that was asked for, or a random one.
func tokenText(req createRegistrationTokenRequest) (string, error) {
	if req.Token != nil {
		if *req.Token == "" {
			return "", invalid("token", "it must not be empty; leave it out for a random one")
		}
		return *req.Token, nil
	}
	length := int64(defaultTokenLength)
	if req.Length != nil {
		length = *req.Length
	}
	if length < 1 || length > maxTokenLength {
		return "", invalid("length", "it must be 1 to 64")
	}
	return secret.Letters(int(length), tokenAlphabet), nil
}

type updateRegistrationTokenRequest struct {
	Token       string         `path:"token"`
	UsesAllowed jsontext.Value `json:"uses_allowed"` // absent: stays; null: any number
	ExpiryTime  jsontext.Value `json:"expiry_time"`  // absent: stays; null: never
	Preapproved *bool          `json:"preapproved"`
}

func (s *Service) updateRegistrationToken(ctx context.Context, call *httpapi.Call, req updateRegistrationTokenRequest) (resp tokenResponse, err error) {
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("registration token", req.Token); err != nil { // another change may be under way
			return err
		}
		t, err := s.token(tx, req.Token)
		if err != nil {
			return err
		}
		if t, err = limitToken(t, req.UsesAllowed, req.ExpiryTime, call.Now); err != nil {
			return err
		}
		if req.Preapproved != nil {
			t.Preapproved = *req.Preapproved
		}
		if err := s.accounts.UpdateRegistrationToken(tx, t); err != nil {
			return err
		}
		resp = newTokenResponse(t)
		return s.accounts.Audit(tx, string(call.UserID), "update_registration_token", t.Mark(), resp.limits())
	})
	return resp, err
}

// limitToken sets how often and until when a token can be used.
func limitToken(t accounts.RegistrationToken, uses, expiry jsontext.Value, now time.Time) (accounts.RegistrationToken, error) {
	if uses != nil {
		n, err := wholeNumber("uses_allowed", uses)
		if err != nil {
			return t, err
		}
		t.UsesAllowed = n
	}
	if expiry != nil {
		ts, err := wholeNumber("expiry_time", expiry)
		if err != nil {
			return t, err
		}
		t.Expires = time.Time{}
		if ts != nil {
			t.Expires = time.UnixMilli(*ts)
			if t.Expires.Before(now) {
				return t, invalid("expiry_time", "it is in the past")
			}
		}
	}
	return t, nil
}

// wholeNumber reads a number, or null.
func wholeNumber(name string, raw jsontext.Value) (*int64, error) {
	if raw.Kind() == 'n' {
		return nil, nil
	}
	n, err := strconv.ParseInt(string(raw), 10, 64)
	if err != nil || n < 0 {
		return nil, invalid(name, "it must be a whole number that is not negative, or null")
	}
	return &n, nil
}

func (s *Service) deleteRegistrationToken(ctx context.Context, call *httpapi.Call, req tokenRequest) (empty, error) {
	return empty{}, s.DeleteToken(ctx, call.UserID, req.Token)
}
