package identity

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// ephemeralKeyID is the id under which the keys of invitations sign. Each signs for
// one invitation, so that one name does for all.
const ephemeralKeyID = "ed25519:0"

type blindlySignStuffRequest struct {
	UserID     *id.UserID `json:"mxid" required:"true"`
	Token      *string    `json:"token" required:"true"`
	PrivateKey *string    `json:"private_key" required:"true"`
}

// acceptance says that a user accepts an invitation.
type acceptance struct {
	UserID id.UserID `json:"mxid"`
	Sender id.UserID `json:"sender,omitempty"`
	Token  string    `json:"token"`
}

// sign signs an acceptance with the private key that came with the invitation's
// mail, for clients that cannot.
func (s *Service) sign(ctx context.Context, _ *httpapi.Call, req blindlySignStuffRequest) (jsontext.Value, error) {
	key, err := ephemeralKey(*req.PrivateKey)
	if err != nil {
		return nil, err
	}
	accepted := acceptance{UserID: *req.UserID, Token: *req.Token}
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		accepted.Sender, err = inviteSender(tx, *req.Token)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return nil, errcode.Unrecognized.New("This identity service has no invitation with this token.")
	}
	if err != nil {
		return nil, err
	}
	raw, err := json.Marshal(accepted)
	if err != nil {
		return nil, err
	}
	return canonicaljson.Sign(raw, string(s.name), ephemeralKeyID, key)
}

// ephemeralKey reads a private key in either alphabet of base64.
func ephemeralKey(text string) (ed25519.PrivateKey, error) {
	alphabet := base64.RawStdEncoding
	if strings.ContainsAny(text, "-_") {
		alphabet = base64.RawURLEncoding
	}
	seed, err := alphabet.DecodeString(strings.TrimRight(text, "="))
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errcode.InvalidParam.New("\"private_key\" must be an Ed25519 key: 32 bytes in unpadded base64.").With("param", "private_key")
	}
	return ed25519.NewKeyFromSeed(seed), nil
}
