package e2ee_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/e2ee"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const (
	upload = "/_matrix/client/v3/keys/upload"
	query  = "/_matrix/client/v3/keys/query"
	claims = "/_matrix/client/v3/keys/claim"
)

func oneTime(from, n int) map[string]any {
	keys := map[string]any{}
	for i := range n {
		keys[fmt.Sprintf("signed_curve25519:K%04d", from+i)] = map[string]any{"key": fmt.Sprint("key", from+i)}
	}
	return map[string]any{"one_time_keys": keys}
}

func TestKeysOfDevices(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	second := srv.Device(t, alice.UserID, "DEVICE2")
	first := alice.UploadDeviceKeys(t)
	lie := second.DeviceKeys(t, apitest.NewSigningKey(t))
	lie["unsigned"] = apitest.Object{"device_display_name": "a lie"}
	second.Do(t, "POST", upload, apitest.Object{"device_keys": lie}).OK(t, nil)
	second.Do(t, "PUT", "/_matrix/client/v3/devices/DEVICE2", `{"display_name":"Phone"}`).OK(t, nil)
	var got struct {
		Failures map[string]any                               `json:"failures"`
		Keys     map[id.UserID]map[id.DeviceID]map[string]any `json:"device_keys"`
	}
	ask := map[string]any{"device_keys": map[string][]string{string(alice.UserID): {}, string(bob.UserID): {}, "@nobody:narthex.test": {}, "@far:example.org": {}}}
	bob.Do(t, "POST", query, ask).OK(t, &got)
	if len(got.Keys) != 2 || len(got.Keys[alice.UserID]) != 2 || len(got.Keys[bob.UserID]) != 0 || got.Failures["example.org"] == nil || len(got.Failures) != 1 {
		t.Errorf("all devices: got %+v", got)
	}
	keys := got.Keys[alice.UserID]
	if fmt.Sprint(keys["DEVICE2"]["unsigned"]) != "map[device_display_name:Phone]" || keys["DEVICE1"]["unsigned"] != nil || keys["DEVICE1"]["keys"].(apitest.Object)["ed25519:DEVICE1"] != first.Public() {
		t.Errorf("the keys: got %v", keys)
	}
	got.Keys = nil
	bob.Do(t, "POST", query, map[string]any{"device_keys": map[string][]string{string(alice.UserID): {"DEVICE2", "DEVICE9"}}}).OK(t, &got)
	if len(got.Keys[alice.UserID]) != 1 || got.Keys[alice.UserID]["DEVICE2"] == nil {
		t.Errorf("one device: got %v", got.Keys)
	}
	srv.Write(t, func(tx *db.Tx) error {
		return srv.App.Accounts.DeleteDevices(tx, alice.UserID, []id.DeviceID{"DEVICE2"})
	})
	got.Keys = nil
	bob.Do(t, "POST", query, ask).OK(t, &got)
	if len(got.Keys[alice.UserID]) != 1 {
		t.Errorf("after a device was deleted: got %v", got.Keys)
	}
	k := apitest.NewSigningKey(t)
	with := func(name string, value any) apitest.Object {
		keys := alice.DeviceKeys(t, k)
		keys[name] = value
		return apitest.Object{"device_keys": keys}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "SX-8 keys of another device", As: alice, Do: "POST", Path: upload, Body: with("device_id", "DEVICE9"), Want: errcode.InvalidParam},
		{Name: "SX-8 keys of another user", As: alice, Do: "POST", Path: upload, Body: with("user_id", bob.UserID), Want: errcode.InvalidParam},
		{Name: "keys without signatures", As: alice, Do: "POST", Path: upload, Body: `{"device_keys":{"user_id":"@alice:narthex.test","device_id":"DEVICE1","algorithms":[],"keys":{}}}`, Want: errcode.BadJSON},
		{Name: "keys with signatures of another shape", As: alice, Do: "POST", Path: upload, Body: with("signatures", apitest.Object{"x": 7}), Want: errcode.BadJSON},
		{Name: "SX-5 keys changed after they were signed", As: alice, Do: "POST", Path: upload, Body: with("algorithms", []string{"other"}), Want: errcode.InvalidParam},
		{Name: "SX-5 keys signed by another key", As: alice, Do: "POST", Path: upload, Body: with("keys", apitest.Object{"ed25519:DEVICE1": first.Public()}), Want: errcode.InvalidParam},
		{Name: "SX-5 keys without a key that signs", As: alice, Do: "POST", Path: upload, Body: with("keys", apitest.Object{}), Want: errcode.InvalidParam},
		{Name: "SX-5 keys that nobody signed", As: alice, Do: "POST", Path: upload, Body: with("signatures", apitest.Object{}), Want: errcode.InvalidParam},
		{Name: "huge keys", As: alice, Do: "POST", Path: upload, Body: with("x", strings.Repeat("x", 40_000)), Want: errcode.TooLarge},
		{Name: "keys of nobody", As: srv.Anyone(), Do: "POST", Path: upload, Body: `{}`, Want: errcode.MissingToken},
		{Name: "a query for nothing", As: bob, Do: "POST", Path: query, Body: `{}`, Want: errcode.MissingParam},
		{Name: "a query for a name", As: bob, Do: "POST", Path: query, Body: `{"device_keys":{"alice":[]}}`, Want: errcode.InvalidParam},
		{Name: "a malformed query", As: bob, Do: "POST", Path: query, Body: `{"device_keys":{"@alice:narthex.test":"DEVICE1"}}`, Want: errcode.BadJSON},
	})
}

type claimed struct {
	Keys map[id.UserID]map[id.DeviceID]map[string]struct {
		Key string `json:"key"`
	} `json:"one_time_keys"`
	Failures map[string]any `json:"failures"`
}

// claimOne claims a key of alice's device and gives it, or "".
func claimOne(t testing.TB, as *apitest.Client, device string) string {
	t.Helper()
	var got claimed
	as.Do(t, "POST", claims, map[string]any{"one_time_keys": map[string]any{"@alice:narthex.test": map[string]string{device: "signed_curve25519"}}}).OK(t, &got)
	for name, k := range got.Keys["@alice:narthex.test"][id.DeviceID(device)] {
		if !strings.HasPrefix(name, "signed_curve25519:") {
			t.Errorf("got a key %s", name)
		}
		return k.Key
	}
	return ""
}

func TestOneTimeKeys(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	counts := func(body any, want int) {
		t.Helper()
		var got struct {
			Counts map[string]int `json:"one_time_key_counts"`
		}
		alice.Do(t, "POST", upload, body).OK(t, &got)
		if got.Counts["signed_curve25519"] != want {
			t.Errorf("uploading: got the counts %v, want %d", got.Counts, want)
		}
	}
	counts(`{}`, 0)
	counts(oneTime(5, 2), 2)
	counts(oneTime(5, 2), 2) // again
	counts(oneTime(1, 1), 3)
	alice.Do(t, "POST", upload, `{"one_time_keys":{"signed_curve25519:K0005":{"key":"another"}}}`).Fails(t, srv, errcode.InvalidParam)
	counts(`{"one_time_keys":{"curve25519:A":"plain"}}`, 3)
	for _, want := range []string{"key5", "key6", "key1", ""} {
		if got := claimOne(t, bob, "DEVICE1"); got != want {
			t.Errorf("claiming: got %q, want %q", got, want)
		}
	}
	unused := func() (types []string) {
		t.Helper()
		err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
			_, types, err = srv.App.E2EE.UnclaimedKeys(tx, alice.UserID, alice.DeviceID)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return types
	}
	fallback := `{"fallback_keys":{"signed_curve25519:F1":{"key":"fallback1","fallback":true}}}`
	counts(fallback, 0)
	if got := unused(); !slices.Equal(got, []string{"signed_curve25519"}) {
		t.Errorf("unused fallback keys: got %v", got)
	}
	for range 2 {
		if got := claimOne(t, bob, "DEVICE1"); got != "fallback1" {
			t.Errorf("claiming without one-time keys: got %q, want fallback1", got)
		}
	}
	counts(fallback, 0)
	if got := unused(); len(got) != 0 {
		t.Errorf("a used fallback key that is uploaded again is unused: %v", got)
	}
	counts(`{"fallback_keys":{"signed_curve25519:F2":{"key":"fallback2","fallback":true}}}`, 0)
	if got := unused(); len(got) != 1 {
		t.Errorf("a new fallback key: got the unused %v", got)
	}
	counts(oneTime(9, 1), 1)
	for _, want := range []string{"key9", "fallback2"} {
		if got := claimOne(t, bob, "DEVICE1"); got != want {
			t.Errorf("claiming: got %q, want %q", got, want)
		}
	}
	if got := claimOne(t, bob, "DEVICE9"); got != "" {
		t.Errorf("a device that there is not has the key %q", got)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "a key without an algorithm", As: alice, Do: "POST", Path: upload, Body: `{"one_time_keys":{"K1":"x"}}`, Want: errcode.InvalidParam},
		{Name: "a key that is a number", As: alice, Do: "POST", Path: upload, Body: `{"one_time_keys":{"a:K1":7}}`, Want: errcode.BadJSON},
		{Name: "a huge key", As: alice, Do: "POST", Path: upload, Body: `{"fallback_keys":{"a:K1":"` + strings.Repeat("x", 5000) + `"}}`, Want: errcode.TooLarge},
		{Name: "too many keys", As: alice, Do: "POST", Path: upload, Body: oneTime(100, 1001), Want: errcode.InvalidParam},
		{Name: "a claim of nothing", As: bob, Do: "POST", Path: claims, Body: `{}`, Want: errcode.MissingParam},
		{Name: "a malformed claim", As: bob, Do: "POST", Path: claims, Body: `{"one_time_keys":{"@alice:narthex.test":["DEVICE1"]}}`, Want: errcode.BadJSON},
		{Name: "a claim of a name's key", As: bob, Do: "POST", Path: claims, Body: `{"one_time_keys":{"alice":{}}}`, Want: errcode.InvalidParam},
		{Name: "a claim of a far key", As: bob, Do: "POST", Path: claims, Body: `{"one_time_keys":{"@far:example.org":{"A":"signed_curve25519"}}}`, Has: []string{`"failures":{"example.org":{}}`}},
		{Name: "a claim of many algorithms", As: bob, Do: "POST", Path: claims, Body: `{"one_time_keys":{"@alice:narthex.test":{"1":"a","2":"b","3":"c","4":"d","5":"e","6":"f","7":"g","8":"h","9":"i"}}}`, Want: errcode.InvalidParam},
		{Name: "a claim by nobody", As: srv.Anyone(), Do: "POST", Path: claims, Body: `{"one_time_keys":{}}`, Want: errcode.MissingToken},
	})
}

func TestMessagesToDevices(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	second := srv.Device(t, alice.UserID, "DEVICE2")
	path := func(txn string) string { return "/_matrix/client/v3/sendToDevice/m.test/" + txn }
	inbox := func(c *apitest.Client, from int64, limit int) (out []e2ee.Message) {
		t.Helper()
		err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
			out, err = srv.App.E2EE.ToDevice(tx, c.UserID, c.DeviceID, from, rooms.Present, limit)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	texts := func(messages []e2ee.Message) (out []string) {
		for _, m := range messages {
			out = append(out, fmt.Sprint(m.Sender, " ", m.Type, " ", string(m.Content)))
		}
		return out
	}
	send := func(txn, body string) {
		t.Helper()
		bob.Do(t, "PUT", path(txn), `{"messages":`+body+`}`).OK(t, nil)
	}
	send("1", `{"@alice:narthex.test":{"DEVICE1": { "n" : 1 },"GONE":{"n":0}},"@nobody:narthex.test":{"X":{}}}`)
	send("1", `{"@alice:narthex.test":{"DEVICE1":{"n":1}}}`)
	send("2", `{"@alice:narthex.test":{"*": { "n" : 2 }}}`)
	want := []string{`@bob:narthex.test m.test {"n":1}`, `@bob:narthex.test m.test {"n":2}`}
	if got := texts(inbox(alice, 0, 10)); !slices.Equal(got, want) {
		t.Errorf("to the first device: got %v, want %v", got, want)
	}
	if got := texts(inbox(second, 0, 10)); !slices.Equal(got, want[1:]) {
		t.Errorf("to the second device: got %v, want %v", got, want[1:])
	}
	first := inbox(alice, 0, 1)
	if len(first) != 1 || len(inbox(alice, first[0].Pos, 10)) != 1 {
		t.Errorf("in pages: got %v first", first)
	}
	srv.Write(t, func(tx *db.Tx) error {
		n, err := srv.App.E2EE.DeleteToDevice(tx, alice.UserID, alice.DeviceID, first[0].Pos)
		if n != 1 {
			t.Errorf("acknowledging: %d messages were deleted, want 1", n)
		}
		return err
	})
	if got := texts(inbox(alice, 0, 10)); !slices.Equal(got, want[1:]) {
		t.Errorf("after acknowledging: got %v, want %v", got, want[1:])
	}
	srv.Advance(25 * 3600e9)
	srv.RunJobs(t)
	send("1", `{"@alice:narthex.test":{"DEVICE1":{"n":3}}}`)
	if got := inbox(alice, 0, 10); len(got) != 2 {
		t.Errorf("a transaction id is known after a day: got %v", texts(got))
	}
	apitest.Run(t, []apitest.Case{
		{Name: "no messages", As: bob, Do: "PUT", Path: path("3"), Body: `{}`, Want: errcode.MissingParam},
		{Name: "a message that is a text", As: bob, Do: "PUT", Path: path("4"), Body: `{"messages":{"@alice:narthex.test":{"*":"x"}}}`, Want: errcode.BadJSON},
		{Name: "a huge message", As: bob, Do: "PUT", Path: path("5"), Body: `{"messages":{"@alice:narthex.test":{"*":{"x":"` + strings.Repeat("x", 65<<10) + `"}}}}`, Want: errcode.TooLarge},
		{Name: "to a name", As: bob, Do: "PUT", Path: path("6"), Body: `{"messages":{"alice":{}}}`, Want: errcode.InvalidParam},
		{Name: "a long transaction id", As: bob, Do: "PUT", Path: path(strings.Repeat("x", 256)), Body: `{"messages":{}}`, Want: errcode.InvalidParam},
		{Name: "by nobody", As: srv.Anyone(), Do: "PUT", Path: path("7"), Body: `{"messages":{}}`, Want: errcode.MissingToken},
	})
}
