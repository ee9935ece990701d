package rooms_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const createRoom = "/_matrix/client/v3/createRoom"

func TestCreateRoom(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	alice.CreateRoom(t, map[string]any{"room_alias_name": "taken"})
	create := func(name, body string, want *errcode.Code) apitest.Case {
		return apitest.Case{Name: name, As: alice, Do: "POST", Path: createRoom, Body: body, Want: want}
	}
	state := func(event string) string { return `{"initial_state":[` + event + `]}` }
	apitest.Run(t, []apitest.Case{
		create("nothing is said", `{}`, nil),
		create("no body", ``, nil),
		create("null for what is not wanted", `{"name":null,"invite":null,"initial_state":null,"preset":null}`, nil),
		create("an unknown member is ignored", `{"Room_version":"77","x":1}`, nil),
		create("the alias is taken", `{"room_alias_name":"taken"}`, errcode.RoomInUse),
		create("the alias cannot be one", `{"room_alias_name":"a:b"}`, errcode.InvalidParam),
		create("the alias is too long", `{"room_alias_name":"`+strings.Repeat("a", 255)+`"}`, errcode.InvalidParam),
		create("an unknown version", `{"room_version":"13"}`, errcode.UnsupportedRoomVersion),
		create("a version that is a number", `{"room_version":1}`, errcode.BadJSON),
		create("an unknown visibility", `{"visibility":"secret"}`, errcode.InvalidParam),
		create("an unknown preset", `{"preset":"secret"}`, errcode.InvalidParam),
		create("invite is no list", `{"invite":"@bob:narthex.test"}`, errcode.BadJSON),
		create("invite holds no user", `{"invite":["bob"]}`, errcode.InvalidParam),
		create("invite by address", `{"invite_3pid":[{"medium":"email","address":"a@b.c","id_server":"x","id_access_token":"y"}]}`, errcode.ServerNotTrusted),
		create("invite by address is no list", `{"invite_3pid":{}}`, errcode.BadJSON),
		create("is_direct is no bool", `{"is_direct":"true"}`, errcode.BadJSON),
		create("name is no string", `{"name":1}`, errcode.BadJSON),
		create("topic is no string", `{"topic":{}}`, errcode.BadJSON),
		create("creation_content is no object", `{"creation_content":[]}`, errcode.BadJSON),
		create("creation_content has a fraction", `{"creation_content":{"x":0.5}}`, errcode.BadJSON),
		create("creation_content has creators that are none", `{"creation_content":{"additional_creators":["bob"]}}`, errcode.BadJSON),
		create("creation_content has creators that are no list", `{"creation_content":{"additional_creators":1},"preset":"trusted_private_chat","invite":["@bob:narthex.test"]}`, errcode.BadJSON),
		create("power_level_content_override is no object", `{"power_level_content_override":1}`, errcode.BadJSON),
		create("power levels are strings", `{"power_level_content_override":{"ban":"50"}}`, errcode.BadJSON),
		create("RE-57 power levels name the creator", `{"power_level_content_override":{"users":{"@alice:narthex.test":100}}}`, errcode.BadJSON),
		create("power levels leave the creator without power", `{"room_version":"11","power_level_content_override":{"users":{}},"name":"x"}`, errcode.InvalidRoomState),
		create("initial_state is no list", `{"initial_state":{}}`, errcode.BadJSON),
		create("initial_state has no type", state(`{"content":{}}`), errcode.BadJSON),
		create("initial_state has no content", state(`{"type":"m.room.name"}`), errcode.BadJSON),
		create("initial_state has content that is no object", state(`{"type":"m.room.name","content":[]}`), errcode.BadJSON),
		create("initial_state has a key that is no string", state(`{"type":"m.room.name","state_key":1,"content":{}}`), errcode.BadJSON),
		create("initial_state has a key with NUL", state(`{"type":"org.example","state_key":"\u0000","content":{}}`), errcode.InvalidParam),
		create("initial_state has a create event", state(`{"type":"m.room.create","content":{}}`), errcode.InvalidRoomState),
		create("initial_state has a membership", state(`{"type":"m.room.member","state_key":"@bob:narthex.test","content":{"membership":"invite"}}`), errcode.InvalidRoomState),
		create("initial_state has somebody else's key", state(`{"type":"org.example","state_key":"@bob:narthex.test","content":{}}`), errcode.InvalidRoomState),
		create("initial_state has an alias of another room", state(`{"type":"m.room.canonical_alias","content":{"alias":"#taken:narthex.test"}}`), errcode.InvalidRoomState),
		create("initial_state has a type that is too long", state(`{"type":"`+strings.Repeat("t", 256)+`","content":{}}`), errcode.TooLarge),
		create("too many in initial_state", state(strings.Repeat(`{"type":"x","content":{}},`, 500)+`{"type":"x","content":{}}`), errcode.InvalidParam),
		create("the name is too long for an event", `{"name":"`+strings.Repeat("n", 65_536)+`"}`, errcode.TooLarge),
		create("the body is too large", `{"name":"`+strings.Repeat("n", 200_000)+`"}`, errcode.TooLarge),
		create("not JSON", `{"name":`, errcode.NotJSON),
		create("no object", `[]`, errcode.BadJSON),
		create("a member twice", `{"name":"a","name":"b"}`, errcode.BadJSON),
	})
	if rooms := joinedRooms(t, alice); len(rooms) != 5 {
		t.Errorf("a failed creation leaves a room: %v", rooms)
	}
	room := alice.CreateRoom(t, `{"room_version":"11","creation_content":{"creator":"@bob:narthex.test","room_version":{"x":1},"org.example":7},"preset":"trusted_private_chat","invite":["@bob:narthex.test"],"is_direct":true}`)
	got := content(t, room, alice, "m.room.create")
	if got["creator"] != nil || got["room_version"] != "11" || got["org.example"] != 7.0 {
		t.Errorf("the create event is %v", got)
	}
	if got := content(t, room, alice, "m.room.member/"+apitest.Escape(bob.UserID)); got["is_direct"] != true {
		t.Errorf("the invite is %v", got)
	}
	if got := content(t, room, alice, "m.room.power_levels")["users"].(map[string]any); got[string(bob.UserID)] != 100.0 {
		t.Errorf("whom the creator trusts has not their level: %v", got)
	}
}

func joinedRooms(t *testing.T, as *apitest.Client) []id.RoomID {
	t.Helper()
	var out struct {
		JoinedRooms []id.RoomID `json:"joined_rooms"`
	}
	as.Do(t, "GET", "/_matrix/client/v3/joined_rooms", nil).OK(t, &out)
	return out.JoinedRooms
}

func TestCreateRoomWithInvites(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
		blocking := srv.User(t, "blocking")
		blocking.Do(t, "PUT", "/_matrix/client/v3/user/@blocking:narthex.test/account_data/m.invite_permission_config",
			map[string]any{"default_action": "block"}).OK(t, nil)
		t.Run("RE-91 who cannot be invited keeps nobody else out", func(t *testing.T) {
			room := alice.CreateRoom(t, map[string]any{"invite": []string{
				"@ghost:narthex.test", "@far:elsewhere.test", "@alice:narthex.test", "@blocking:narthex.test", "@bob:narthex.test", "@bob:narthex.test"}})
			membershipIs(t, room, bob, "invite")
			membershipIs(t, room, alice, "join")
			if n := count(t, srv, room, "m.room.member"); n != 2 {
				t.Errorf("the room has %d memberships, want 2", n)
			}
		})
		t.Run("RE-91 a thousand who do not exist", func(t *testing.T) {
			users := make([]string, 1000)
			for i := range users {
				users[i] = fmt.Sprintf("@ghost%d:narthex.test", i)
			}
			room := alice.CreateRoom(t, map[string]any{"invite": users})
			if n := count(t, srv, room, "m.room.member"); n != 1 {
				t.Errorf("the room has %d memberships, want 1", n)
			}
			alice.Do(t, "POST", createRoom, map[string]any{"invite": append(users, "@one.more:narthex.test")}).Fails(t, srv, errcode.InvalidParam)
		})
	})
}

// TestEqualRoomsAtOnce makes rooms that are alike in everything, at one time: in
// version 12 they would be one, as the id is a hash.
func TestEqualRoomsAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	ids := make([]id.RoomID, 20)
	var wait sync.WaitGroup
	for i := range ids {
		wait.Go(func() {
			var out struct {
				RoomID id.RoomID `json:"room_id"`
			}
			alice.Do(t, "POST", createRoom, `{"room_version":"12"}`).OK(t, &out)
			ids[i] = out.RoomID
		})
	}
	wait.Wait()
	seen := map[id.RoomID]bool{}
	for _, room := range ids {
		if seen[room] {
			t.Errorf("%s was given out twice", room)
		}
		seen[room] = true
		acceptable(t, srv, room)
	}
}
