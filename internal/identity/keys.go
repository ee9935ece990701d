package identity

import (
	"context"
	"crypto/ed25519"
	"errors"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/secret"
)

// Key is a long-term signing key.
type Key struct {
	ID      string // "ed25519:abcdef"
	Private ed25519.PrivateKey
}

// public is the key as others verify with it, in unpadded base64.
func (k Key) public() string { return publicText(k.Private) }

func publicText(key ed25519.PrivateKey) string {
	return canonicaljson.EncodeBase64(key.Public().(ed25519.PublicKey))
}

const keyVersionAlphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"

// Load gives the newest signing key. At the first start it makes one, and the first
// pepper.
func Load(ctx context.Context, d *db.DB) (key Key, err error) {
	err = d.Write(ctx, func(tx *db.Tx) error {
		if err := tx.Lock("identity_keys", ""); err != nil {
			return err
		}
		if _, err := presentPepper(tx); errors.Is(err, db.ErrNoRow) {
			if err := insertPepper(tx, newPepper()); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
		if key, err = newestKey(tx); !errors.Is(err, db.ErrNoRow) {
			return err
		}
		_, private, err := ed25519.GenerateKey(nil)
		if err != nil {
			return err
		}
		key = Key{ID: "ed25519:" + secret.Letters(6, keyVersionAlphabet), Private: private}
		return insertKey(tx, key)
	})
	return key, err
}

// signed signs an object with the long-term key.
func (s *Service) signed(object []byte) ([]byte, error) {
	return canonicaljson.Sign(object, string(s.name), s.key.ID, s.key.Private)
}

type getPubKeyRequest struct {
	KeyID string `path:"keyId"`
}

type getPubKeyResponse struct {
	PublicKey string `json:"public_key"`
}

func (s *Service) getPubKey(ctx context.Context, _ *httpapi.Call, req getPubKeyRequest) (resp getPubKeyResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		resp.PublicKey, err = publicKey(tx, req.KeyID)
		return err
	})
	if errors.Is(err, db.ErrNoRow) {
		return resp, errcode.NotFound.New("This identity service has no key with this id.")
	}
	return resp, err
}

type isPubKeyValidRequest struct {
	PublicKey string `query:"public_key,required"`
}

type isPubKeyValidResponse struct {
	Valid bool `json:"valid"`
}

func (s *Service) isPubKeyValid(ctx context.Context, _ *httpapi.Call, req isPubKeyValidRequest) (resp isPubKeyValidResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		resp.Valid, err = isKey(tx, req.PublicKey)
		return err
	})
	return resp, err
}

// isEphemeralPubKeyValid compares the text as it was issued: a homeserver has it
// from the invitation in the room.
func (s *Service) isEphemeralPubKeyValid(ctx context.Context, _ *httpapi.Call, req isPubKeyValidRequest) (resp isPubKeyValidResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) (err error) {
		resp.Valid, err = isInviteKey(tx, req.PublicKey)
		return err
	})
	return resp, err
}
