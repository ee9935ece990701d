package e2ee_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

const (
	backupVersion = "/_matrix/client/v3/room_keys/version"
	backupKeys    = "/_matrix/client/v3/room_keys/keys"
	lounge        = "!lounge:narthex.test"
)

func makeBackup(t *testing.T, c *apitest.Client) string {
	t.Helper()
	var made struct{ Version string }
	c.Do(t, "POST", backupVersion, `{"algorithm":"m.megolm_backup.v1.curve25519-aes-sha2","auth_data":{"public_key":"abc"}}`).OK(t, &made)
	return made.Version
}

// roomKey is the key of one session.
func roomKey(index, forwarded int, verified bool, data string) object {
	return object{"first_message_index": index, "forwarded_count": forwarded, "is_verified": verified, "session_data": object{"ciphertext": data}}
}

type update struct {
	ETag  string
	Count int
}

type backupInfo struct {
	update
	Algorithm, Version string
	AuthData           json.RawMessage `json:"auth_data"`
}

func backupOf(t *testing.T, c *apitest.Client, version string) (b backupInfo) {
	t.Helper()
	path := backupVersion
	if version != "" {
		path += "/" + version
	}
	c.Do(t, "GET", path, nil).OK(t, &b)
	return b
}

func TestBackupVersions(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	alice.Do(t, "GET", backupVersion, nil).Fails(t, srv, errcode.NotFound)
	first, second := makeBackup(t, alice), makeBackup(t, alice)
	if first != "1" || second != "2" || makeBackup(t, bob) != "1" {
		t.Errorf("the versions are %s and %s", first, second)
	}
	for asked, want := range map[string]string{"": second, first: first, second: second} {
		got := backupOf(t, alice, asked)
		if got.Version != want || got.Count != 0 || got.ETag != "0" || got.Algorithm != "m.megolm_backup.v1.curve25519-aes-sha2" || string(got.AuthData) != `{"public_key":"abc"}` {
			t.Errorf("the backup %q: got %+v", asked, got)
		}
	}
	same := `{"algorithm":"m.megolm_backup.v1.curve25519-aes-sha2","auth_data":{"public_key":"new"},"version":"1"}`
	alice.Do(t, "PUT", backupVersion+"/1", same).OK(t, nil)
	if got := backupOf(t, alice, first); string(got.AuthData) != `{"public_key":"new"}` || got.ETag != "0" {
		t.Errorf("after a change: got %+v", got)
	}
	alice.Do(t, "PUT", backupKeys+"/"+lounge+"/a?version=2", roomKey(0, 0, true, "x")).OK(t, nil)
	for range 2 {
		alice.Do(t, "DELETE", backupVersion+"/2", nil).OK(t, nil)
	}
	if n := count(t, srv, `SELECT COUNT(*) FROM key_backup_sessions`); n != 0 {
		t.Errorf("%d keys outlive their backup", n)
	}
	if got := backupOf(t, alice, ""); got.Version != first {
		t.Errorf("after the newest was deleted: got %+v", got)
	}
	if got := makeBackup(t, alice); got != "3" {
		t.Errorf("the number of a deleted backup is given again: got %s", got)
	}
	body := func(algorithm, authData string) string {
		return fmt.Sprintf(`{"algorithm":%q,"auth_data":%s}`, algorithm, authData)
	}
	const curve = "m.megolm_backup.v1.curve25519-aes-sha2"
	apitest.Run(t, []apitest.Case{
		{Name: "without an algorithm", As: alice, Do: "POST", Path: backupVersion, Body: `{"auth_data":{}}`, Want: errcode.MissingParam},
		{Name: "without data", As: alice, Do: "POST", Path: backupVersion, Body: `{"algorithm":"x"}`, Want: errcode.MissingParam},
		{Name: "with data that is a text", As: alice, Do: "POST", Path: backupVersion, Body: body(curve, `"x"`), Want: errcode.BadJSON},
		{Name: "with huge data", As: alice, Do: "POST", Path: backupVersion, Body: body(curve, `{"x":"`+strings.Repeat("x", 70_000)+`"}`), Want: errcode.TooLarge},
		{Name: "with a long algorithm", As: alice, Do: "POST", Path: backupVersion, Body: body(strings.Repeat("x", 256), `{}`), Want: errcode.InvalidParam},
		{Name: "made by nobody", As: srv.Anyone(), Do: "POST", Path: backupVersion, Body: body(curve, `{}`), Want: errcode.MissingToken},
		{Name: "a backup that was deleted", As: alice, Do: "GET", Path: backupVersion + "/2", Want: errcode.NotFound},
		{Name: "a backup of another", As: bob, Do: "GET", Path: backupVersion + "/3", Want: errcode.NotFound},
		{Name: "a name that is no number", As: alice, Do: "GET", Path: backupVersion + "/x", Want: errcode.NotFound},
		{Name: "another spelling", As: alice, Do: "GET", Path: backupVersion + "/01", Want: errcode.NotFound},
		{Name: "changed algorithm", As: alice, Do: "PUT", Path: backupVersion + "/1", Body: body("x", `{}`), Want: errcode.InvalidParam},
		{Name: "changed name", As: alice, Do: "PUT", Path: backupVersion + "/3", Body: same, Want: errcode.InvalidParam},
		{Name: "changed to a list", As: alice, Do: "PUT", Path: backupVersion + "/1", Body: body(curve, `[]`), Want: errcode.BadJSON},
		{Name: "change of none", As: alice, Do: "PUT", Path: backupVersion + "/2", Body: body(curve, `{}`), Want: errcode.NotFound},
		{Name: "deletion of none", As: alice, Do: "DELETE", Path: backupVersion + "/9", Want: errcode.NotFound},
		{Name: "deletion by nobody", As: srv.Anyone(), Do: "DELETE", Path: backupVersion + "/1", Want: errcode.MissingToken},
	})
}

func TestBackedUpKeys(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	makeBackup(t, alice)
	tags := map[string]bool{"0": true}
	put := func(method, path string, body any, want int, fresh bool) {
		t.Helper()
		var got update
		alice.Do(t, method, backupKeys+path+"?version=1", body).OK(t, &got)
		if got.Count != want || tags[got.ETag] == fresh {
			t.Errorf("%s %s: got %+v, want %d keys and a new etag: %v", method, path, got, want, fresh)
		}
		tags[got.ETag] = true
		// K9: what is said is what there is.
		if now := backupOf(t, alice, ""); now.update != got || int64(got.Count) != count(t, srv, `SELECT COUNT(*) FROM key_backup_sessions WHERE version = 1`) {
			t.Errorf("%s %s: the backup has %+v, the answer %+v", method, path, now, got)
		}
	}
	get := func(path, want string) {
		t.Helper()
		if got := alice.Do(t, "GET", backupKeys+path+"?version=1", nil).OK(t, nil); canonical(t, got.Body) != want {
			t.Errorf("%s: got %s, want %s", path, got.Body, want)
		}
	}
	const room = "/" + lounge
	const k1, k2 = `{"first_message_index":5,"forwarded_count":0,"is_verified":false,"session_data":{"ciphertext":"1"}}`,
		`{"first_message_index":1,"forwarded_count":2,"is_verified":true,"session_data":{"ciphertext":"2"}}`
	get("", `{"rooms":{}}`)
	get(room, `{"sessions":{}}`)
	put("PUT", room+"/a", k1, 1, true)
	put("PUT", room+"/a", k1, 1, false)
	put("PUT", room, `{"sessions":{"a":`+k1+`,"b%/":`+k2+`}}`, 2, true)
	put("PUT", "", `{"rooms":{"!hall:narthex.test":{"sessions":{"a":`+k1+`}}}}`, 3, true)
	get("", `{"rooms":{"!hall:narthex.test":{"sessions":{"a":`+k1+`}},"!lounge:narthex.test":{"sessions":{"a":`+k1+`,"b%/":`+k2+`}}}}`)
	get(room, `{"sessions":{"a":`+k1+`,"b%/":`+k2+`}}`)
	get(room+"/b%25%2F", k2)
	put("PUT", room+"/a", k2, 3, true) // a better key
	get(room+"/a", k2)
	put("DELETE", room+"/a", nil, 2, true)
	put("DELETE", room+"/a", nil, 2, false)
	put("DELETE", room, nil, 1, true)
	put("DELETE", "", nil, 0, true)
	get("", `{"rooms":{}}`)

	makeBackup(t, alice)
	alice.Do(t, "PUT", backupKeys+room+"/a?version=2", k1).OK(t, nil)
	for _, path := range []string{"", room, room + "/a"} {
		body := map[string]string{"": `{"rooms":{}}`, room: `{"sessions":{}}`, room + "/a": k1}[path]
		r := alice.Do(t, "PUT", backupKeys+path+"?version=1", body).Fails(t, srv, errcode.WrongRoomKeysVersion)
		if !strings.Contains(string(r.Body), `"current_version":"2"`) {
			t.Errorf("%s does not say which is the current version", r.Body)
		}
		alice.Do(t, "GET", backupKeys+path+"?version=2", nil).OK(t, nil)
		for _, method := range []string{"PUT", "GET", "DELETE"} {
			if method != "PUT" {
				body = ""
			}
			for _, version := range []string{"9", "x", "-1", ""} {
				alice.Do(t, method, backupKeys+path+"?version="+version, body).Fails(t, srv, errcode.NotFound)
			}
			alice.Do(t, method, backupKeys+path, body).Fails(t, srv, errcode.MissingParam)
			bob.Do(t, method, backupKeys+path+"?version=2", body).Fails(t, srv, errcode.NotFound)
			srv.Anyone().Do(t, method, backupKeys+path+"?version=2", body).Fails(t, srv, errcode.MissingToken)
		}
	}
	alice.Do(t, "GET", backupKeys+room+"/none?version=2", nil).Fails(t, srv, errcode.NotFound)
}

// canonical gives JSON with its members in order.
func canonical(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestTheBetterKeyWins puts each of two keys after the other.
func TestTheBetterKeyWins(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	makeBackup(t, alice)
	for i, c := range []struct {
		name          string
		better, worse object
	}{
		{"verified", roomKey(9, 9, true, "better"), roomKey(0, 0, false, "worse")},
		{"from an earlier message", roomKey(3, 9, true, "better"), roomKey(4, 0, true, "worse")},
		{"from an earlier message, both unverified", roomKey(0, 9, false, "better"), roomKey(1, 0, false, "worse")},
		{"forwarded less", roomKey(3, 1, true, "better"), roomKey(3, 2, true, "worse")},
		{"there first", roomKey(3, 1, true, "better"), roomKey(3, 1, true, "worse")},
	} {
		for j, order := range [][]object{{c.better, c.worse}, {c.worse, c.better}} {
			if c.name == "there first" && j == 1 {
				continue
			}
			path := fmt.Sprintf("%s/%s/%d-%d?version=1", backupKeys, lounge, i, j)
			for _, key := range order {
				alice.Do(t, "PUT", path, key).OK(t, nil)
			}
			if got := alice.Do(t, "GET", path, nil).OK(t, nil); !strings.Contains(string(got.Body), `"better"`) {
				t.Errorf("%s, %d: got %s", c.name, j, got.Body)
			}
		}
	}
}

func TestMalformedBackedUpKeys(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	makeBackup(t, alice)
	const all, room = backupKeys + "?version=1", backupKeys + "/" + lounge + "?version=1"
	one := func(session string) string { return backupKeys + "/" + lounge + "/" + session + "?version=1" }
	good := roomKey(0, 0, true, "x")
	without := func(name string) object {
		key := roomKey(0, 0, true, "x")
		delete(key, name)
		return key
	}
	sessions := func(key any) object { return object{"sessions": object{"good": good, "a": key}} }
	apitest.Run(t, []apitest.Case{
		{Name: "no rooms", As: alice, Do: "PUT", Path: all, Body: `{}`, Want: errcode.MissingParam},
		{Name: "a room that is null", As: alice, Do: "PUT", Path: all, Body: `{"rooms":{"!a:b":null}}`, Want: errcode.BadJSON},
		{Name: "a room without sessions", As: alice, Do: "PUT", Path: all, Body: `{"rooms":{"!a:b":{}}}`, Want: errcode.BadJSON},
		{Name: "a room that is none", As: alice, Do: "PUT", Path: all, Body: `{"rooms":{"a":{"sessions":{}}}}`, Want: errcode.InvalidParam},
		{Name: "a key that is none among rooms", As: alice, Do: "PUT", Path: all, Body: object{"rooms": object{lounge: sessions("x")}}, Want: errcode.BadJSON},
		{Name: "no sessions", As: alice, Do: "PUT", Path: room, Body: `{}`, Want: errcode.MissingParam},
		{Name: "a key without data", As: alice, Do: "PUT", Path: room, Body: sessions(without("session_data")), Want: errcode.BadJSON},
		{Name: "a key without an index", As: alice, Do: "PUT", Path: room, Body: sessions(without("first_message_index")), Want: errcode.BadJSON},
		{Name: "a negative index", As: alice, Do: "PUT", Path: room, Body: sessions(roomKey(-1, 0, true, "x")), Want: errcode.InvalidParam},
		{Name: "a session without a name", As: alice, Do: "PUT", Path: room, Body: object{"sessions": object{"": good}}, Want: errcode.InvalidParam},
		{Name: "a session with a long name", As: alice, Do: "PUT", Path: room, Body: object{"sessions": object{strings.Repeat("x", 256): good}}, Want: errcode.InvalidParam},
		{Name: "a huge key", As: alice, Do: "PUT", Path: room, Body: sessions(roomKey(0, 0, true, strings.Repeat("x", 70_000))), Want: errcode.TooLarge},
		{Name: "one without a count", As: alice, Do: "PUT", Path: one("a"), Body: without("forwarded_count"), Want: errcode.MissingParam},
		{Name: "one with a count that is a text", As: alice, Do: "PUT", Path: one("a"), Body: `{"forwarded_count":"1"}`, Want: errcode.BadJSON},
		{Name: "one with data that is a text", As: alice, Do: "PUT", Path: one("a"), Body: `{"first_message_index":0,"forwarded_count":0,"is_verified":true,"session_data":"x"}`, Want: errcode.BadJSON},
		{Name: "one with a long name", As: alice, Do: "PUT", Path: one(strings.Repeat("x", 256)), Body: good, Want: errcode.InvalidParam},
		{Name: "a room that is none, in the path", As: alice, Do: "GET", Path: backupKeys + "/x?version=1", Want: errcode.InvalidParam},
	})
	if got := backupOf(t, alice, ""); got.Count != 0 || got.ETag != "0" {
		t.Errorf("what was refused left %+v", got)
	}
}

// TestBackingUpAtOnce has several devices write to one backup (K9).
func TestBackingUpAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	makeBackup(t, alice)
	var wait sync.WaitGroup
	var mu sync.Mutex
	var tags []string
	for i := range 8 {
		wait.Go(func() {
			sessions := object{}
			for j := range 20 { // half of them are another's too
				sessions[fmt.Sprint("s", i*10+j)] = roomKey(i, 0, true, "x")
			}
			r, err := alice.Try(t.Context(), "PUT", backupKeys+"/"+lounge+"?version=1", object{"sessions": sessions})
			var got update
			if err != nil || r.Status != 200 || json.Unmarshal(r.Body, &got) != nil {
				t.Error(r, err)
				return
			}
			mu.Lock()
			tags = append(tags, got.ETag)
			mu.Unlock()
		})
	}
	wait.Wait()
	slices.Sort(tags)
	if got := backupOf(t, alice, ""); got.Count != 90 || len(slices.Compact(tags)) != 8 || int64(got.Count) != count(t, srv, `SELECT COUNT(*) FROM key_backup_sessions`) {
		t.Errorf("got %+v and the etags %v", got, tags)
	}
	if n := count(t, srv, `SELECT COUNT(*) FROM key_backup_sessions WHERE session_id = 's75' AND first_message_index <> 6`); n != 0 {
		t.Error("of two keys for a session the worse one was kept")
	}
}

// TestNothingOutlivesTheAccount deactivates an account and looks for its keys.
func TestNothingOutlivesTheAccount(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	x, y := alice.UploadCrossSigning(t), bob.UploadCrossSigning(t)
	alice.UploadDeviceKeys(t)
	alice.Do(t, "POST", upload, oneTime(0, 3)).OK(t, nil)
	alice.Do(t, "POST", upload, `{"fallback_keys":{"signed_curve25519:F":{"key":"f"}}}`).OK(t, nil)
	sign(t, alice, bob.UserID, y.Master.Public(), x.UserSigning.Sign(t, y.Key(t, "master", y.Master), alice.UserID, x.UserSigning.Public()))
	sign(t, bob, alice.UserID, x.Master.Public(), y.UserSigning.Sign(t, x.Key(t, "master", x.Master), bob.UserID, y.UserSigning.Public()))
	makeBackup(t, alice)
	alice.Do(t, "PUT", backupKeys+"/"+lounge+"/a?version=1", roomKey(0, 0, true, "x")).OK(t, nil)
	srv.Write(t, func(tx *db.Tx) error {
		return srv.App.Accounts.Deactivate(tx, alice.UserID, "test", false)
	})
	if got := keysOf(t, bob, alice.UserID); len(got.Devices)+len(got.Master)+len(got.Self) != 0 {
		t.Errorf("before the job bob sees %+v", got)
	}
	srv.RunJobs(t)
	for name, n := range map[string]int64{
		"device_keys":         count(t, srv, `SELECT COUNT(*) FROM device_keys`),
		"one_time_keys":       count(t, srv, `SELECT COUNT(*) FROM one_time_keys`),
		"fallback_keys":       count(t, srv, `SELECT COUNT(*) FROM fallback_keys`),
		"cross_signing_keys":  count(t, srv, `SELECT COUNT(*) FROM cross_signing_keys WHERE user_id = $1`, alice.UserID),
		"user_signatures":     count(t, srv, `SELECT COUNT(*) FROM user_signatures`),
		"key_backups":         count(t, srv, `SELECT COUNT(*) FROM key_backups`),
		"key_backup_sessions": count(t, srv, `SELECT COUNT(*) FROM key_backup_sessions`),
	} {
		if n != 0 {
			t.Errorf("%d rows of %s outlive the account", n, name)
		}
	}
}
