package rooms_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

func TestUpgradeRefused(t *testing.T) {
	inEveryMode(t, func(t *testing.T, srv *apitest.Server) {
		h := newHouse(t, srv)
		apitest.Run(t, h.notJoined("RE-85 the caller is not joined", "POST", "/upgrade", `{"new_version":"12"}`))
		apitest.Run(t, []apitest.Case{
			{Name: "RE-86 below the level", As: h.moderator, Do: "POST", Path: h.Path("/upgrade"), Body: `{"new_version":"12"}`, Want: errcode.InsufficientPower},
			{Name: "RE-87 an unknown version", As: h.creator, Do: "POST", Path: h.Path("/upgrade"), Body: `{"new_version":"13"}`, Want: errcode.UnsupportedRoomVersion},
			{Name: "RE-87 an unknown version, of a room that is unknown", As: h.creator, Do: "POST", Path: roomPath(nowhere) + "/upgrade", Body: `{"new_version":"13"}`, Want: errcode.UnsupportedRoomVersion},
			{Name: "no version", As: h.creator, Do: "POST", Path: h.Path("/upgrade"), Body: `{}`, Want: errcode.MissingParam},
			{Name: "a number", As: h.creator, Do: "POST", Path: h.Path("/upgrade"), Body: `{"new_version":12}`, Want: errcode.BadJSON},
			{Name: "a creator who is no user", As: h.creator, Do: "POST", Path: h.Path("/upgrade"), Body: `{"new_version":"12","additional_creators":["x"]}`, Want: errcode.InvalidParam},
		})
		if n := count(t, srv, h.Room, "m.room.tombstone"); n != 0 {
			t.Error("a refused upgrade leaves a tombstone")
		}
	})
}

// upgrade upgrades a room and gives the new one.
func upgrade(t *testing.T, room *apitest.Room, as *apitest.Client, body map[string]any) *apitest.Room {
	t.Helper()
	var out struct {
		ReplacementRoom id.RoomID `json:"replacement_room"`
	}
	as.Do(t, "POST", room.Path("/upgrade"), body).OK(t, &out)
	return &apitest.Room{ID: out.ReplacementRoom, Creator: as}
}

// content is the content of a room's state.
func content(t *testing.T, room *apitest.Room, as *apitest.Client, eventType string) map[string]any {
	t.Helper()
	var c map[string]any
	as.Do(t, "GET", room.Path("/state/"+eventType), nil).OK(t, &c)
	return c
}

func TestUpgrade(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, c := range []struct{ from, to string }{{"1", "6"}, {"5", "12"}, {"9", "10"}, {"11", "12"}, {"12", "12"}, {"12", "11"}, {"10", "1"}} {
		t.Run(c.from+" to "+c.to, func(t *testing.T) {
			name := "from" + c.from + "to" + c.to
			old := alice.CreateRoom(t, map[string]any{
				"room_version": c.from, "preset": "public_chat", "visibility": "public", "name": "Hall", "topic": "Waiting", "room_alias_name": name,
				"creation_content": map[string]any{"type": "m.space", "m.federate": false},
				"initial_state": []any{
					map[string]any{"type": "m.room.encryption", "content": map[string]any{"algorithm": "m.megolm.v1.aes-sha2"}},
					map[string]any{"type": "m.room.server_acl", "content": map[string]any{"allow": []string{"*"}}},
					map[string]any{"type": "m.room.avatar", "content": map[string]any{"url": "mxc://narthex.test/x"}},
					map[string]any{"type": "m.room.history_visibility", "content": map[string]any{"history_visibility": "invited"}},
				},
			})
			old.Join(t, bob)
			next := upgrade(t, old, alice, map[string]any{"new_version": c.to, "additional_creators": []id.UserID{bob.UserID}})

			create := content(t, next, alice, "m.room.create")
			predecessor, _ := create["predecessor"].(map[string]any)
			if create["room_version"] != c.to || create["type"] != "m.space" || create["m.federate"] != false || predecessor["room_id"] != string(old.ID) {
				t.Errorf("the create event is %v", create)
			}
			tombstone := content(t, old, alice, "m.room.tombstone")
			if tombstone["replacement_room"] != string(next.ID) {
				t.Errorf("the tombstone is %v", tombstone)
			}
			if c.to == "12" {
				if predecessor["event_id"] != nil || len(create["additional_creators"].([]any)) != 1 {
					t.Errorf("the create event is %v", create)
				}
			} else if predecessor["event_id"] == nil || create["additional_creators"] != nil {
				t.Errorf("the create event is %v", create)
			}
			for eventType, want := range map[string]string{
				"m.room.name": "Hall", "m.room.topic": "Waiting", "m.room.avatar": "mxc://narthex.test/x", "m.room.join_rules": "public",
				"m.room.history_visibility": "invited", "m.room.guest_access": "forbidden", "m.room.encryption": "m.megolm.v1.aes-sha2",
				"m.room.server_acl": "*", "m.room.canonical_alias": "#" + name + ":narthex.test",
			} {
				apitest.Run(t, []apitest.Case{{Name: eventType, As: alice, Do: "GET", Path: next.Path("/state/" + eventType), Has: []string{want}}})
			}
			apitest.Run(t, []apitest.Case{
				{Name: "the alias has moved", As: alice, Do: "GET", Path: alias("#" + name + ":narthex.test"), Has: []string{string(next.ID)}},
				{Name: "the old room has no alias of its own", As: alice, Do: "GET", Path: old.Path("/state/m.room.canonical_alias"), HasNot: []string{name}},
				{Name: "nobody speaks in the old room", As: bob, Do: "PUT", Path: old.Path("/send/m.room.message/1"), Body: `{}`, Want: errcode.InsufficientPower},
				{Name: "nobody invites to the old room", As: bob, Do: "POST", Path: old.Path("/invite"), Body: `{"user_id":"@ghost:narthex.test"}`, Want: errcode.InsufficientPower},
				{Name: "whoever made the new room can upgrade it", As: alice, Do: "POST", Path: next.Path("/upgrade"), Body: map[string]any{"new_version": c.from}},
			})
			srv.Read(t, func(tx *db.Tx) error {
				published, err := db.Value[bool](tx, `SELECT published FROM rooms WHERE room_id = $1`, old.ID)
				if published {
					t.Error("the old room is still in the directory")
				}
				return err
			})
			acceptable(t, srv, old.ID)
			acceptable(t, srv, next.ID)
		})
	}
}

func TestUpgradeJoinRules(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	for _, c := range []struct{ rule, to, want string }{
		{"knock", "6", "invite"}, {"knock", "7", "knock"}, {"restricted", "7", "invite"}, {"restricted", "8", "restricted"},
		{"knock_restricted", "9", "invite"}, {"knock_restricted", "12", "knock_restricted"}, {"private", "12", "private"},
	} {
		old := alice.CreateRoom(t)
		old.SetState(t, alice, "m.room.join_rules", map[string]any{"join_rule": c.rule})
		if got := content(t, upgrade(t, old, alice, map[string]any{"new_version": c.to}), alice, "m.room.join_rules")["join_rule"]; got != c.want {
			t.Errorf("%s in version %s becomes %v, want %s", c.rule, c.to, got, c.want)
		}
	}
}

// TestUpgradeByAModerator holds that one who may replace a room, but has less
// power than its creator, does not get more in the new one.
func TestUpgradeByAModerator(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	old := alice.CreateRoom(t, map[string]any{"preset": "public_chat", "room_version": "9"})
	old.Join(t, bob)
	setLevels(t, old, alice, map[string]any{"users": map[string]any{string(alice.UserID): 100, string(bob.UserID): "50"},
		"events": map[string]any{"m.room.tombstone": "50", "m.room.power_levels": 100}})
	next := upgrade(t, old, bob, map[string]any{"new_version": "11"})
	levels := content(t, next, bob, "m.room.power_levels")
	users := levels["users"].(map[string]any)
	if users[string(alice.UserID)] != 100.0 || users[string(bob.UserID)] != 50.0 || levels["events"].(map[string]any)["m.room.tombstone"] != 50.0 {
		t.Errorf("the levels of the new room are %v", levels)
	}
	if got := content(t, old, alice, "m.room.power_levels")["events_default"]; got != 0.0 {
		t.Errorf("one without the power has silenced the old room: %v", got)
	}
	next = upgrade(t, old, alice, map[string]any{"new_version": "12"})
	levels = content(t, next, alice, "m.room.power_levels")
	users = levels["users"].(map[string]any)
	if _, stated := users[string(alice.UserID)]; stated || users[string(bob.UserID)] != 50.0 || levels["events"].(map[string]any)["m.room.tombstone"] != 150.0 {
		t.Errorf("the levels of the new room are %v", levels)
	}
}

// TestUpgradeOfExtremeLevels holds that levels which only strings could hold do
// not keep a room from being upgraded.
func TestUpgradeOfExtremeLevels(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	old := alice.CreateRoom(t, map[string]any{"room_version": "9", "power_level_content_override": map[string]any{
		"users": map[string]any{string(alice.UserID): "9223372036854775807", string(bob.UserID): "-9223372036854775808"}}})
	setLevels(t, old, alice, map[string]any{"state_default": "9223372036854775807"})
	for _, version := range []string{"11", "12"} {
		next := upgrade(t, old, alice, map[string]any{"new_version": version})
		if got := content(t, next, alice, "m.room.power_levels"); got["state_default"] != 9007199254740991.0 {
			t.Errorf("the levels of the new room are %v", got)
		}
		acceptable(t, srv, next.ID)
	}
}
