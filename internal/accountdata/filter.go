package accountdata

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type defineFilterRequest struct {
	UserID     id.UserID      `path:"userId"`
	Definition jsontext.Value `body:"*"`
}

type defineFilterResponse struct {
	FilterID string `json:"filter_id"`
}

type getFilterRequest struct {
	UserID   id.UserID `path:"userId"`
	FilterID string    `path:"filterId"`
}

func (s *Service) defineFilter(ctx context.Context, call *httpapi.Call, req defineFilterRequest) (resp defineFilterResponse, err error) {
	if err := own(call, req.UserID); err != nil {
		return resp, err
	}
	if _, err := ParseFilter(req.Definition); err != nil {
		return resp, err
	}
	if resp.FilterID, err = filterID(req.Definition); err != nil {
		return resp, err
	}
	if err := req.Definition.Compact(); err != nil {
		return resp, err
	}
	return resp, s.db.Write(ctx, func(tx *db.Tx) error {
		return tx.Later(`INSERT INTO filters (user_id, filter_id, definition) VALUES ($1, $2, $3) ON CONFLICT (user_id, filter_id) DO NOTHING`,
			req.UserID, resp.FilterID, []byte(req.Definition))
	})
}

// filterID is a hash of the definition, however that is spaced and ordered. It
// cannot begin with '{', by which /sync knows an inline filter.
func filterID(definition jsontext.Value) (string, error) {
	canonical := slices.Clone(definition)
	if err := canonical.Canonicalize(); err != nil {
		return "", err // the body has been checked
	}
	sum := sha256.Sum256(canonical)
	return base64.RawURLEncoding.EncodeToString(sum[:12]), nil
}

func (s *Service) getFilter(ctx context.Context, call *httpapi.Call, req getFilterRequest) (definition jsontext.Value, err error) {
	if err := own(call, req.UserID); err != nil {
		return nil, err
	}
	err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
		definition, err = filterDefinition(tx, req.UserID, req.FilterID)
		return err
	})
	return definition, err
}

// Filter gives a filter that the user has defined, or fails with NotFound.
func (s *Service) Filter(tx *db.Tx, userID id.UserID, filterID string) (*Filter, error) {
	definition, err := filterDefinition(tx, userID, filterID)
	if err != nil {
		return nil, err
	}
	return ParseFilter(definition)
}

func filterDefinition(tx *db.Tx, userID id.UserID, filterID string) (jsontext.Value, error) {
	definition, err := db.Value[[]byte](tx, `SELECT definition FROM filters WHERE user_id = $1 AND filter_id = $2`, userID, filterID)
	if errors.Is(err, db.ErrNoRow) {
		return nil, errcode.NotFound.New("You have no filter with this ID. Define it again.")
	}
	return definition, err
}
