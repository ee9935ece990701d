package discovery_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestServerKeys(t *testing.T) {
	srv := apitest.New(t)
	const path = "/_matrix/key/v2/server"
	var keys struct {
		ServerName string `json:"server_name"`
		ValidUntil int64  `json:"valid_until_ts"`
		VerifyKeys map[string]struct {
			Key string `json:"key"`
		} `json:"verify_keys"`
	}
	body := srv.Anyone().Do(t, "GET", path, nil).OK(t, nil).Body
	if err := json.Unmarshal(body, &keys); err != nil {
		t.Fatal(err)
	}
	if keys.ServerName != string(apitest.ServerName) || keys.ValidUntil < time.Now().UnixMilli() || len(keys.VerifyKeys) != 1 {
		t.Errorf("got %s", body)
	}
	for keyID, key := range keys.VerifyKeys {
		public, err := canonicaljson.DecodeBase64(key.Key)
		if err != nil {
			t.Fatal(err)
		}
		if err := canonicaljson.Verify(body, keys.ServerName, keyID, public); err != nil {
			t.Errorf("%s: %v", body, err)
		}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "keys of others", As: srv.Anyone(), Do: "GET", Path: "/_matrix/key/v2/query/example.org", Want: errcode.Unrecognized},
		{Name: "another method", As: srv.Anyone(), Do: "POST", Path: path, Body: apitest.Object{}, Want: errcode.WrongMethod},
	})
}
