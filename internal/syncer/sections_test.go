package syncer_test

import (
	"encoding/json"
	"strings"
)

func decode(raw json.RawMessage, v any) { _ = json.Unmarshal(raw, v) } // what does not fit stays empty

func localpart(userID string) string {
	name, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	return name
}
