package rooms_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestMalformedPaths(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"POST", "/invite", `{"user_id":"@x:narthex.test"}`}, {"POST", "/kick", `{"user_id":"@x:narthex.test"}`},
		{"POST", "/ban", `{"user_id":"@x:narthex.test"}`}, {"POST", "/unban", `{"user_id":"@x:narthex.test"}`},
		{"POST", "/leave", nil}, {"POST", "/forget", nil}, {"POST", "/join", nil}, {"POST", "/upgrade", `{"new_version":"12"}`},
		{"PUT", "/send/m.room.message/1", `{}`}, {"PUT", "/redact/$x/1", nil}, {"PUT", "/state/m.room.name", `{}`}, {"PUT", "/state/m.room.name/x", `{}`},
		{"GET", "/state", nil}, {"GET", "/state/m.room.name", nil}, {"GET", "/state/m.room.name/x", nil},
		{"GET", "/members", nil}, {"GET", "/joined_members", nil}, {"GET", "/aliases", nil},
	} {
		for what, id := range map[string]string{
			"an alias": "%23x:narthex.test", "no sigil": "x", "NUL": "!a%00:narthex.test", "not UTF-8": "!%ff:narthex.test",
			"too long": "!" + strings.Repeat("a", 255), "a line break": "!a%0Ab:narthex.test",
		} {
			apitest.Run(t, []apitest.Case{{Name: c.method + " " + c.path + ", " + what, As: alice, Do: c.method,
				Path: "/_matrix/client/v3/rooms/" + id + c.path, Body: c.body, Want: errcode.InvalidParam}})
		}
	}
	long := strings.Repeat("k", 256)
	apitest.Run(t, []apitest.Case{
		{Name: "NUL in the type", As: alice, Do: "PUT", Path: room.Path("/send/a%00b/1"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "NUL in the type of state", As: alice, Do: "PUT", Path: room.Path("/state/a%00b"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "NUL in a state key", As: alice, Do: "PUT", Path: room.Path("/state/org.example/a%00"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "NUL in a state key that is read", As: alice, Do: "GET", Path: room.Path("/state/org.example/a%00"), Want: errcode.InvalidParam},
		{Name: "no UTF-8 in a state key", As: alice, Do: "PUT", Path: room.Path("/state/org.example/%ff"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "NUL in a transaction id", As: alice, Do: "PUT", Path: room.Path("/send/m.room.message/%00"), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "a long transaction id", As: alice, Do: "PUT", Path: room.Path("/send/m.room.message/" + long[1:]), Body: `{}`},
		{Name: "a transaction id that is too long", As: alice, Do: "PUT", Path: room.Path("/send/m.room.message/" + long), Body: `{}`, Want: errcode.InvalidParam},
		{Name: "a redaction's transaction id that is too long", As: alice, Do: "PUT", Path: room.Path("/redact/$x/" + long), Want: errcode.InvalidParam},
		{Name: "a long type", As: alice, Do: "PUT", Path: room.Path("/send/" + long[1:] + "/2"), Body: `{}`},
		{Name: "a type that is too long", As: alice, Do: "PUT", Path: room.Path("/send/" + long + "/2"), Body: `{}`, Want: errcode.TooLarge},
		{Name: "a long state key", As: alice, Do: "PUT", Path: room.Path("/state/org.example/" + long[1:]), Body: `{}`},
		{Name: "a state key that is too long", As: alice, Do: "PUT", Path: room.Path("/state/org.example/" + long), Body: `{}`, Want: errcode.TooLarge},
		{Name: "a state key that is too long in bytes", As: alice, Do: "PUT", Path: room.Path("/state/org.example/" + strings.Repeat("%C3%A4", 128)), Body: `{}`, Want: errcode.TooLarge},
	})
}

func TestStateKeys(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	for _, key := range []string{"%2F", "a%2Fb", "a%2F..%2Fb", "%2E%2E", "%2e", "%25", "%3F%23", "%20", "%C3%A4", "...", "%7F", "%7B%7D"} {
		path := room.Path("/state/org.example%2Ftype/" + key)
		sent := eventID(t, alice.Do(t, "PUT", path, map[string]any{"key": key}))
		apitest.Run(t, []apitest.Case{
			{Name: key, As: alice, Do: "GET", Path: path + "?format=event", Has: []string{string(sent), `"type":"org.example/type"`}},
			{Name: key + " is no other", As: alice, Do: "GET", Path: room.Path("/state/org.example%2Ftype/other"), Want: errcode.NotFound},
		})
	}
	// A key of dots that is not encoded names no resource; nothing is redirected.
	for _, path := range []string{"/state/org.example/..", "/state/org.example/.", "/state/org.example//x"} {
		if r := alice.Do(t, "PUT", room.Path(path), `{}`); r.Status != 404 || !strings.Contains(string(r.Body), "M_UNRECOGNIZED") {
			t.Errorf("PUT %s: got %d %s, want 404 M_UNRECOGNIZED", path, r.Status, r.Body)
		}
	}
	old := func(path string) string { return strings.Replace(room.Path(path), "/v3/", "/r0/", 1) }
	for i, path := range []string{room.Path("/state/m.room.topic"), room.Path("/state/m.room.topic/"), old("/state/m.room.topic"), old("/state/m.room.topic/")} {
		sent := eventID(t, alice.Do(t, "PUT", path, map[string]any{"topic": i}))
		for _, path := range []string{room.Path("/state/m.room.topic"), room.Path("/state/m.room.topic/"), old("/state/m.room.topic"), old("/state/m.room.topic/")} {
			apitest.Run(t, []apitest.Case{{Name: "the empty key, " + path, As: alice, Do: "GET", Path: path + "?format=event", Has: []string{string(sent), `"state_key":""`}}})
		}
	}
	apitest.Run(t, []apitest.Case{
		{Name: "old paths to send", As: alice, Do: "PUT", Path: old("/send/m.room.message/1"), Body: `{}`},
		{Name: "old paths to set state with a key", As: alice, Do: "PUT", Path: old("/state/org.example/key"), Body: `{}`},
		{Name: "old paths to read", As: alice, Do: "GET", Path: old("/members")},
	})
}

func TestMalformedContents(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room, first := alice.CreateRoom(t), alice.CreateRoom(t, map[string]any{"room_version": "1"})
	put := func(name, body string, want *errcode.Code) []apitest.Case {
		var cases []apitest.Case
		for _, path := range []string{"/send/org.example/" + apitest.TxnID(), "/state/org.example", "/state/org.example/key"} {
			cases = append(cases, apitest.Case{Name: name + ", " + path, As: alice, Do: "PUT", Path: room.Path(path), Body: body, Want: want})
		}
		return cases
	}
	apitest.Run(t, put("not JSON", `{`, errcode.NotJSON))
	apitest.Run(t, put("more after it", `{} {}`, errcode.NotJSON))
	apitest.Run(t, put("no UTF-8", "{\"a\":\"\xff\"}", errcode.NotJSON))
	apitest.Run(t, put("half a surrogate", `{"a":"\ud800"}`, errcode.NotJSON))
	apitest.Run(t, put("null", `null`, errcode.BadJSON))
	apitest.Run(t, put("a list", `[]`, errcode.BadJSON))
	apitest.Run(t, put("a member twice", `{"a":1,"a":2}`, errcode.BadJSON))
	apitest.Run(t, put("too deep", `{"a":`+strings.Repeat("[", 200)+strings.Repeat("]", 200)+`}`, errcode.BadJSON))
	apitest.Run(t, put("a fraction", `{"a":1.5}`, errcode.BadJSON))
	apitest.Run(t, put("a number that is too large", `{"a":9007199254740992}`, errcode.BadJSON))
	apitest.Run(t, put("the largest number", `{"a":9007199254740991,"b":-9007199254740991}`, nil))
	apitest.Run(t, put("NUL", `{"a":"\u0000"}`, nil))
	apitest.Run(t, put("just too large for an event", `{"a":"`+strings.Repeat("a", 65_536)+`"}`, errcode.TooLarge))
	apitest.Run(t, put("far too large", `{"a":"`+strings.Repeat("a", 300_000)+`"}`, errcode.TooLarge))
	apitest.Run(t, put("large", `{"a":"`+strings.Repeat("a", 64_000)+`"}`, nil))
	apitest.Run(t, put("no body", ``, nil))
	apitest.Run(t, []apitest.Case{
		{Name: "a fraction in version 1", As: alice, Do: "PUT", Path: first.Path("/send/org.example/1"), Body: `{"a":1.5}`},
		{Name: "a large number in version 1", As: alice, Do: "PUT", Path: first.Path("/send/org.example/2"), Body: `{"a":9007199254740993}`},
	})
	acceptable(t, srv, room.ID)
	acceptable(t, srv, first.ID)
}

// TestTheLargestEvent finds the size at which an event is refused, and looks at
// what was accepted last: the limit counts what the server adds.
func TestTheLargestEvent(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	send := func(n int) int {
		return alice.Do(t, "PUT", room.Path("/send/org.example/"+apitest.TxnID()), `{"a":"`+strings.Repeat("a", n)+`"}`).Status
	}
	fits, not := 64_000, 65_536
	for not-fits > 1 {
		if n := (fits + not) / 2; send(n) == 200 {
			fits = n
		} else {
			not = n
		}
	}
	if status := send(not); status != 413 {
		t.Errorf("an event that is too large by one byte: got %d, want 413", status)
	}
	largest := 0
	for _, ev := range stored(t, srv, room.ID) {
		largest = max(largest, len(ev.Raw))
	}
	if largest != 65_536 {
		t.Errorf("the largest event that was accepted has %d bytes, want 65536", largest)
	}
}

// TestWrongTypes sends each member of each request as something that it is not.
func TestWrongTypes(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	const someone = `"user_id":"@x:narthex.test"`
	for _, c := range []struct {
		method, path string
		bodies       []string
	}{
		{"POST", room.Path("/invite"), []string{`{"user_id":1}`, `{"user_id":["@x:narthex.test"]}`, `{"medium":1}`, `{"address":{}}`, `{"id_server":[]}`, `{"id_access_token":true}`, `{` + someone + `,"reason":{}}`}},
		{"POST", room.Path("/kick"), []string{`{"user_id":1}`, `{` + someone + `,"reason":1}`}},
		{"POST", room.Path("/ban"), []string{`{"user_id":{}}`, `{` + someone + `,"reason":[]}`}},
		{"POST", room.Path("/unban"), []string{`{"user_id":false}`, `{` + someone + `,"reason":0}`}},
		{"POST", room.Path("/leave"), []string{`{"reason":1}`}},
		{"POST", room.Path("/join"), []string{`{"reason":1}`}},
		{"POST", join(room.ID), []string{`{"reason":1}`}},
		{"POST", knock(room.ID), []string{`{"reason":1}`}},
		{"POST", room.Path("/upgrade"), []string{`{"new_version":12}`, `{"new_version":"12","additional_creators":{}}`, `{"new_version":"12","additional_creators":[1]}`}},
		{"PUT", room.Path("/redact/$x/1"), []string{`{"reason":1}`}},
		{"PUT", alias("#x:narthex.test"), []string{`{"room_id":1}`, `{"room_id":null,"x":1.0e5}`}},
	} {
		for i, body := range append(c.bodies, `[]`, `"x"`, `null`) {
			want := errcode.BadJSON
			if strings.Contains(body, `"room_id":null`) {
				want = errcode.MissingParam
			}
			alice.Do(t, c.method, c.path, body).Fails(t, srv, want)
			if t.Failed() {
				t.Fatalf("%s %s, body %d: %s", c.method, c.path, i, body)
			}
		}
	}
}
