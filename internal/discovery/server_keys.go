package discovery

import (
	"context"
	"crypto/ed25519"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// keysLifetime is how long others may believe what they have read of the keys.
const keysLifetime = 24 * time.Hour

type verifyKey struct {
	Key string `json:"key"` // unpadded base64
}

type serverKeys struct {
	ServerName id.ServerName        `json:"server_name"`
	ValidUntil int64                `json:"valid_until_ts"` // milliseconds
	VerifyKeys map[string]verifyKey `json:"verify_keys"`
	OldKeys    map[string]verifyKey `json:"old_verify_keys"` // none: the key has never changed
}

// getServerKey publishes the key with which this server signs, by which an identity
// service knows a request of this homeserver (server-server API, "Publishing Keys").
func (s *Service) getServerKey(_ context.Context, call *httpapi.Call, _ noRequest) (jsontext.Value, error) {
	public := canonicaljson.EncodeBase64(s.signer.Key.Public().(ed25519.PublicKey))
	raw, err := json.Marshal(serverKeys{
		ServerName: s.signer.Server, ValidUntil: call.Now.Add(keysLifetime).UnixMilli(),
		VerifyKeys: map[string]verifyKey{s.signer.KeyID: {public}},
	})
	if err != nil {
		return nil, err
	}
	return canonicaljson.Sign(raw, string(s.signer.Server), s.signer.KeyID, s.signer.Key)
}
