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
