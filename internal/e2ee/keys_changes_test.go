package e2ee_test

import (
	"slices"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const encrypted = `{"preset":"public_chat","initial_state":[{"type":"m.room.encryption","content":{"algorithm":"m.megolm.v1.aes-sha2"}}]}`

// position is the token of now.
func position(t *testing.T, srv *apitest.Server) (token string) {
	t.Helper()
	err := srv.App.DB.Read(t.Context(), func(tx *db.Tx) error {
		pos, err := tx.Position()
		token = rooms.Token(pos)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

type deviceLists struct{ Changed, Left []id.UserID }

// changes asks whose keys a user must look up again since a token.
func changes(t *testing.T, c *apitest.Client, from string) (got deviceLists) {
	t.Helper()
	c.Do(t, "GET", "/_matrix/client/v3/keys/changes?from="+from+"&to="+position(t, c.Server), nil).OK(t, &got)
	return got
}

func TestChangedKeys(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol, dave := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol"), srv.User(t, "dave")
	room := alice.CreateRoom(t).Join(t, bob)
	room.SetState(t, alice, "m.room.encryption", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
	from := position(t, srv)
	keys := apitest.Object{"device_keys": bob.DeviceKeys(t, apitest.NewSigningKey(t))}
	bob.Do(t, "POST", upload, keys).OK(t, nil)
	dave.UploadDeviceKeys(t)
	room.Join(t, carol)
	if got := changes(t, alice, from); !slices.Equal(got.Changed, []id.UserID{bob.UserID, carol.UserID}) || len(got.Left) != 0 {
		t.Errorf("after bob's upload and carol's join: got %v", got)
	}
	from = position(t, srv)
	bob.Do(t, "POST", upload, keys).OK(t, nil)
	if got := changes(t, alice, from); len(got.Changed) != 0 {
		t.Errorf("after the same upload again: got %v", got)
	}
	bob.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	if got := changes(t, alice, from); len(got.Changed) != 0 || !slices.Equal(got.Left, []id.UserID{bob.UserID}) {
		t.Errorf("after bob has left: got %v", got)
	}
	from = position(t, srv)
	alice.Do(t, "POST", room.Path("/leave"), nil).OK(t, nil)
	if got := changes(t, alice, from); !slices.Equal(got.Left, []id.UserID{carol.UserID}) {
		t.Errorf("after alice has left: got %v", got)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "no token", As: alice, Do: "GET", Path: "/_matrix/client/v3/keys/changes?from=x&to=s1", Want: errcode.InvalidParam},
		{Name: "no other token", As: alice, Do: "GET", Path: "/_matrix/client/v3/keys/changes?from=s1&to=x", Want: errcode.InvalidParam},
		{Name: "without an end", As: alice, Do: "GET", Path: "/_matrix/client/v3/keys/changes?from=s1", Want: errcode.MissingParam},
		{Name: "by nobody", As: srv.Anyone(), Do: "GET", Path: "/_matrix/client/v3/keys/changes?from=s1&to=s2", Want: errcode.MissingToken},
	})
}

// TestBothSidesOfJoinsAndLeaves moves people and looks at what each of them is told,
// by /keys/changes and by /sync, which agree (K8).
func TestBothSidesOfJoinsAndLeaves(t *testing.T) {
	srv := apitest.New(t)
	alice, bob, carol, dave := srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol"), srv.User(t, "dave")
	all := []*apitest.Client{alice, bob, carol, dave}
	room := alice.CreateRoom(t, encrypted).Join(t, bob)
	var other apitest.Room
	do := func(c *apitest.Client, path string) { c.Do(t, "POST", path, `{}`).OK(t, nil) }
	type lists map[*apitest.Client]deviceLists
	ids := func(who ...*apitest.Client) (list []id.UserID) {
		for _, c := range who {
			list = append(list, c.UserID)
		}
		return list
	}
	for _, step := range []struct {
		name string
		do   func()
		want lists
	}{
		{"carol joins", func() { room.Join(t, carol) }, lists{
			alice: {Changed: ids(carol)}, bob: {Changed: ids(carol)}, carol: {Changed: ids(alice, bob)}}},
		{"bob gets new keys", func() { bob.UploadDeviceKeys(t) }, lists{
			alice: {Changed: ids(bob)}, bob: {Changed: ids(bob)}, carol: {Changed: ids(bob)}}},
		{"carol is only invited elsewhere", func() {
			other = *dave.CreateRoom(t, encrypted)
			other.Invite(t, carol)
		}, nil},
		{"carol leaves, and bob after her", func() { do(carol, room.Path("/leave")); do(bob, room.Path("/leave")) }, lists{
			alice: {Left: ids(bob, carol)}, bob: {Left: ids(alice, carol)}, carol: {Left: ids(alice, bob)}}},
		{"bob gets new keys while he is alone", func() { bob.UploadDeviceKeys(t) }, lists{bob: {Changed: ids(bob)}}},
		{"bob comes back", func() { room.Join(t, bob) }, lists{
			alice: {Changed: ids(bob)}, bob: {Changed: ids(alice)}}},
		{"bob leaves and comes back with new keys", func() {
			do(bob, room.Path("/leave"))
			bob.UploadDeviceKeys(t)
			room.Join(t, bob)
		}, lists{alice: {Changed: ids(bob)}, bob: {Changed: ids(bob)}}},
		{"dave comes and goes", func() { room.Join(t, dave); do(dave, room.Path("/leave")) }, lists{
			alice: {Left: ids(dave)}, bob: {Left: ids(dave)}, dave: {Left: ids(alice, bob)}}},
		{"alice leaves", func() { do(alice, room.Path("/leave")) }, lists{
			alice: {Left: ids(bob)}, bob: {Left: ids(alice)}}},
	} {
		from := position(t, srv)
		tokens := map[*apitest.Client]string{}
		for _, c := range all {
			tokens[c] = c.Sync(t, "").NextBatch
		}
		step.do()
		for _, c := range all {
			want := step.want[c]
			if got := changes(t, c, from); !slices.Equal(got.Changed, want.Changed) || !slices.Equal(got.Left, want.Left) {
				t.Errorf("%s: %s is told %+v by /keys/changes, want %+v", step.name, c.UserID, got, want)
			}
			if got := c.Sync(t, "since="+tokens[c]).DeviceLists; !slices.Equal(got.Changed, want.Changed) || !slices.Equal(got.Left, want.Left) {
				t.Errorf("%s: %s is told %+v by /sync, want %+v", step.name, c.UserID, got, want)
			}
		}
	}
}

// TestAPlainRoomBecomesEncrypted holds that its members are told of each other then.
func TestAPlainRoomBecomesEncrypted(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	from := position(t, srv)
	room := alice.CreateRoom(t).Join(t, bob)
	if got := changes(t, alice, from); len(got.Changed) != 0 {
		t.Errorf("in a plain room: got %+v", got)
	}
	from = position(t, srv)
	room.SetState(t, alice, "m.room.encryption", map[string]any{"algorithm": "m.megolm.v1.aes-sha2"})
	if got := changes(t, alice, from); !slices.Equal(got.Changed, []id.UserID{bob.UserID}) {
		t.Errorf("alice is told %+v", got)
	}
	if got := changes(t, bob, from); !slices.Equal(got.Changed, []id.UserID{alice.UserID}) {
		t.Errorf("bob is told %+v", got)
	}
}
