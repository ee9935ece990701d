package admin_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const roomsPath = "/_synapse/admin/v1/rooms"

type roomList struct {
	Rooms []struct {
		RoomID  id.RoomID `json:"room_id"`
		Name    *string
		Joined  int  `json:"joined_members"`
		Public  bool `json:"public"`
		Version string
	}
	Offset    int
	Total     int  `json:"total_rooms"`
	NextBatch *int `json:"next_batch"`
	PrevBatch *int `json:"prev_batch"`
}

func (l roomList) names() string {
	var names []string
	for _, r := range l.Rooms {
		name := "-"
		if r.Name != nil {
			name = *r.Name
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

func TestListRooms(t *testing.T) {
	srv := apitest.New(t)
	root, alice, bob := srv.Administrator(t, "root"), srv.User(t, "alice"), srv.User(t, "bob")
	attic := alice.CreateRoom(t, object{"name": "Attic", "visibility": "public", "preset": "public_chat", "room_version": "11"}).Join(t, bob, root)
	alice.CreateRoom(t, object{"name": "cellar", "room_alias_name": "below"})
	empty := bob.CreateRoom(t, object{"name": "Barn", "room_version": "9"})
	bob.Do(t, "POST", empty.Path("/leave"), object{}).OK(t, nil)
	unnamed := alice.CreateRoom(t, object{}).Join(t)

	get := func(t *testing.T, query string) (l roomList) {
		t.Helper()
		root.Do(t, "GET", roomsPath+query, nil).OK(t, &l)
		return l
	}
	for query, want := range map[string]string{
		"":                                           "- Attic Barn cellar",
		"?order_by=name&dir=b":                       "cellar Barn Attic -",
		"?order_by=joined_members&limit=1":           "Attic",
		"?order_by=joined_members&dir=b&limit=1":     "Barn",
		"?order_by=version&dir=b&limit=2":            "Barn Attic",
		"?order_by=creator&dir=b&limit=1":            "Barn",
		"?order_by=canonical_alias&dir=b&limit=1":    "cellar",
		"?search_term=BARN":                          "Barn", // long enough to be in no random room ID
		"?search_term=ELLAR":                         "cellar",
		"?search_term=below":                         "cellar",
		"?search_term=narthex.test&order_by=name":    "Attic Barn", // in the IDs of older versions, not in the alias
		"?search_term=" + apitest.Escape(unnamed.ID): "-",
		"?public_rooms=true":                         "Attic",
		"?public_rooms=false":                        "- Barn cellar",
		"?empty_rooms=true":                          "Barn",
		"?empty_rooms=true&public_rooms=true":        "",
		"?search_term=nowhere":                       "",
	} {
		t.Run(query, func(t *testing.T) {
			if l := get(t, query); l.names() != want {
				t.Errorf("got %q, want %q", l.names(), want)
			}
		})
	}
	t.Run("pages", func(t *testing.T) {
		first := get(t, "?limit=3")
		if first.names() != "- Attic Barn" || first.Total != 4 || first.Offset != 0 || first.NextBatch == nil || *first.NextBatch != 3 || first.PrevBatch != nil {
			t.Errorf("got %+v", first)
		}
		second := get(t, fmt.Sprint("?limit=3&from=", 3))
		if second.names() != "cellar" || second.Total != 4 || second.Offset != 3 || second.NextBatch != nil || second.PrevBatch == nil || *second.PrevBatch != 0 {
			t.Errorf("got %+v", second)
		}
		if beyond := get(t, "?from=100"); len(beyond.Rooms) != 0 || beyond.Total != 4 {
			t.Errorf("got %+v, want no rooms", beyond)
		}
	})
	one := roomsPath + "/" + apitest.Escape(attic.ID)
	attic.SetState(t, alice, "m.room.topic", object{"topic": "Dusty"})
	attic.SetState(t, alice, "m.room.encryption", object{"algorithm": "m.megolm.v1.aes-sha2"})
	attic.SetState(t, alice, "m.room.name", object{"name": 5})
	unknown := roomsPath + "/" + apitest.Escape("!unknown:narthex.test")
	apitest.Run(t, []apitest.Case{
		{Name: "one room", As: root, Do: "GET", Path: one, Has: []string{
			`"topic":"Dusty"`, `"encryption":"m.megolm.v1.aes-sha2"`, `"name":null`, `"joined_members":3`, `"joined_local_devices":3`, `"public":true`,
			`"creator":"@alice:narthex.test"`, `"version":"11"`, `"join_rules":"public"`, `"history_visibility":"shared"`, `"federatable":true`,
			`"forgotten":false`, `"tombstoned":false`, `"replacement_room":null`, `"room_type":null`, `"guest_access":"forbidden"`}},
		{Name: "an empty room", As: root, Do: "GET", Path: roomsPath + "/" + apitest.Escape(empty.ID), Has: []string{`"joined_members":0`, `"joined_local_devices":0`}},
		{Name: "its members", As: root, Do: "GET", Path: one + "/members",
			Has: []string{`"members":["@alice:narthex.test","@bob:narthex.test","@root:narthex.test"]`, `"total":3`}},
		{Name: "nobody", As: root, Do: "GET", Path: roomsPath + "/" + apitest.Escape(empty.ID) + "/members", Has: []string{`"members":[]`, `"total":0`}},
		{Name: "an unknown room", As: root, Do: "GET", Path: unknown, Want: errcode.NotFound},
		{Name: "members of an unknown room", As: root, Do: "GET", Path: unknown + "/members", Want: errcode.NotFound},
		{Name: "not a room", As: root, Do: "GET", Path: roomsPath + "/attic", Want: errcode.InvalidParam},
		{Name: "members of what is not a room", As: root, Do: "GET", Path: roomsPath + "/attic/members", Want: errcode.InvalidParam},
		{Name: "a negative from", As: root, Do: "GET", Path: roomsPath + "?from=-1", Want: errcode.InvalidParam},
		{Name: "a limit of nothing", As: root, Do: "GET", Path: roomsPath + "?limit=0", Want: errcode.InvalidParam},
		{Name: "an unknown order", As: root, Do: "GET", Path: roomsPath + "?order_by=beauty", Want: errcode.InvalidParam},
		{Name: "an unknown direction", As: root, Do: "GET", Path: roomsPath + "?dir=up", Want: errcode.InvalidParam},
		{Name: "a flag that is none", As: root, Do: "GET", Path: roomsPath + "?public_rooms=1", Want: errcode.InvalidParam},
		{Name: "not an administrator", As: alice, Do: "GET", Path: roomsPath, Want: errcode.Forbidden},
		{Name: "a member who is no administrator", As: alice, Do: "GET", Path: one, Want: errcode.Forbidden},
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: one + "/members", Want: errcode.MissingToken},
	})
}
