package accounts_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const devicesPath = "/_matrix/client/v3/devices"

// changes counts the positions at which a user's device list changed.
func changes(t *testing.T, srv *apitest.Server, user id.UserID) int64 {
	t.Helper()
	return count(t, srv, `SELECT COUNT(*) FROM device_list_changes WHERE user_id = $1`, user)
}

func TestDevices(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	odd := srv.Device(t, alice.UserID, "A/B+C D")
	path := devicesPath + "/" + apitest.Escape(odd.DeviceID)
	plus := devicesPath + "/" + "A%2FB+C%20D" // a plus stands for itself in a path

	apitest.Run(t, []apitest.Case{
		{Name: "the list", As: alice, Do: "GET", Path: devicesPath, Has: []string{`"device_id":"A/B+C D"`, `"device_id":"DEVICE1"`, `"last_seen_ts":`}, HasNot: []string{"display_name"}},
		{Name: "one", As: alice, Do: "GET", Path: path, Has: []string{`"device_id":"A/B+C D"`}},
		{Name: "one, with a plain plus", As: alice, Do: "GET", Path: plus, Has: []string{`"device_id":"A/B+C D"`}},
		{Name: "somebody else's", As: bob, Do: "GET", Path: path, Want: errcode.NotFound},
		{Name: "one that is not there", As: alice, Do: "GET", Path: devicesPath + "/NONE", Want: errcode.NotFound},
		{Name: "what is no id", As: alice, Do: "GET", Path: devicesPath + "/a%0Ab", Want: errcode.InvalidParam},
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: devicesPath, Want: errcode.MissingToken},

		{Name: "a new name", As: alice, Do: "PUT", Path: path, Body: object{"display_name": "Phone"}},
		{Name: "no new name", As: alice, Do: "PUT", Path: path, Body: object{}},
		{Name: "is kept", As: alice, Do: "GET", Path: path, Has: []string{`"display_name":"Phone"`}},
		{Name: "a name for somebody else's", As: bob, Do: "PUT", Path: path, Body: object{"display_name": "X"}, Want: errcode.NotFound},
		{Name: "a name that is too long", As: alice, Do: "PUT", Path: path, Body: object{"display_name": strings.Repeat("x", 257)}, Want: errcode.InvalidParam},
		{Name: "a name with NUL", As: alice, Do: "PUT", Path: path, Body: object{"display_name": "a\x00"}, Want: errcode.InvalidParam},
		{Name: "a name that is no string", As: alice, Do: "PUT", Path: path, Body: object{"display_name": 1}, Want: errcode.BadJSON},
	})
	if n := changes(t, srv, alice.UserID); n != 1 {
		t.Errorf("got %d changes of the device list, want 1", n)
	}
}

func TestDeleteDevice(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	odd := srv.Device(t, alice.UserID, "A/B+C")
	other := srv.Device(t, alice.UserID, "OTHER")
	path := devicesPath + "/A%2FB%2BC"

	c := challenged(t, srv, alice.Do(t, "DELETE", path, object{}))
	if c.Errcode != "" || c.Session == "" {
		t.Errorf("got %+v", c)
	}
	body := func(user, password string) object { return object{"auth": byPassword(user, password, c.Session)} }
	refuse := func(name, wantCode string, r *apitest.Response) {
		t.Helper()
		if got := challenged(t, srv, r); got.Errcode != wantCode || got.Error == "" {
			t.Errorf("%s: got %+v, want %s", name, got, wantCode)
		}
	}
	refuse("a wrong password", "M_FORBIDDEN", alice.Do(t, "DELETE", path, body("alice", "wrong")))
	refuse("somebody else's password", "M_FORBIDDEN", alice.Do(t, "DELETE", path, body("bob", apitest.Password)))
	refuse("no user", "M_MISSING_PARAM", alice.Do(t, "DELETE", path, object{"auth": object{"type": "m.login.password", "session": c.Session, "identifier": object{}}}))
	refuse("the session for another device", "M_UNAUTHORIZED", alice.Do(t, "DELETE", devicesPath+"/OTHER", body("alice", apitest.Password)))
	refuse("the session for another user", "M_UNAUTHORIZED", bob.Do(t, "DELETE", path, body("bob", apitest.Password)))
	refuse("the session for another operation", "M_UNAUTHORIZED", alice.Do(t, "POST", "/_matrix/client/v3/account/deactivate", body("alice", apitest.Password)))
	refuse("another stage", "M_UNAUTHORIZED", alice.Do(t, "DELETE", path, object{"auth": object{"type": "m.login.dummy", "session": c.Session}}))
	refuse("an unknown session", "M_UNAUTHORIZED", alice.Do(t, "DELETE", path, object{"auth": byPassword("alice", apitest.Password, "nonsense")}))
	alice.Do(t, "DELETE", path, object{"auth": object{"session": 1}}).Fails(t, srv, errcode.BadJSON)
	if got := deviceIDs(t, srv, alice.UserID); len(got) != 3 {
		t.Errorf("got %v", got)
	}

	alice.Do(t, "DELETE", path, body("alice", apitest.Password)).OK(t, nil)
	odd.Do(t, "GET", devicesPath, nil).Fails(t, srv, errcode.UnknownToken)
	other.Do(t, "GET", devicesPath, nil).OK(t, nil)
	if got := deviceIDs(t, srv, alice.UserID); !slices.Equal(got, []string{"DEVICE1", "OTHER"}) {
		t.Errorf("got %v", got)
	}
	refuse("the session again", "M_UNAUTHORIZED", alice.Do(t, "DELETE", path, body("alice", apitest.Password)))
	t.Run("a device that is gone", func(t *testing.T) {
		alice.Do(t, "DELETE", path, object{"auth": byPassword("@alice:narthex.test", apitest.Password, "")}).OK(t, nil)
		if n := changes(t, srv, alice.UserID); n != 1 {
			t.Errorf("got %d changes of the device list, want 1", n)
		}
	})
	t.Run("suspended", func(t *testing.T) {
		write(t, srv, func(tx *db.Tx) error { return srv.App.Accounts.SetSuspended(tx, alice.UserID, true, admin) })
		alice.Do(t, "DELETE", devicesPath+"/OTHER", object{"auth": byPassword("alice", apitest.Password, "")}).OK(t, nil)
	})
}

func TestDeleteDevices(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	for _, device := range []id.DeviceID{"B", "C", "D"} {
		srv.Device(t, alice.UserID, device)
	}
	srv.Device(t, bob.UserID, "B")
	const path = "/_matrix/client/v3/delete_devices"
	c := challenged(t, srv, alice.Do(t, "POST", path, object{"devices": []string{"B", "C", "NONE"}}))
	// Another list is another request: the password was not given for it.
	if got := challenged(t, srv, alice.Do(t, "POST", path, object{"devices": []string{"B", "D"}, "auth": byPassword("alice", apitest.Password, c.Session)})); got.Errcode != "M_UNAUTHORIZED" {
		t.Errorf("got %+v", got)
	}
	alice.Do(t, "POST", path, object{"devices": []string{"NONE", "C", "B"}, "auth": byPassword("alice", apitest.Password, c.Session)}).OK(t, nil)
	if got := deviceIDs(t, srv, alice.UserID); !slices.Equal(got, []string{"D", "DEVICE1"}) {
		t.Errorf("got %v", got)
	}
	if got := deviceIDs(t, srv, bob.UserID); !slices.Equal(got, []string{"B", "DEVICE1"}) {
		t.Errorf("got %v", got)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "no devices", As: alice, Do: "POST", Path: path, Body: object{"devices": []string{}, "auth": byPassword("alice", apitest.Password, "")}},
		{Name: "no list", As: alice, Do: "POST", Path: path, Body: object{}, Want: errcode.MissingParam},
		{Name: "not a list", As: alice, Do: "POST", Path: path, Body: object{"devices": "B"}, Want: errcode.BadJSON},
		{Name: "what is no id", As: alice, Do: "POST", Path: path, Body: object{"devices": []string{""}}, Want: errcode.InvalidParam},
		{Name: "without a token", As: srv.Anyone(), Do: "POST", Path: path, Body: object{"devices": []string{"B"}}, Want: errcode.MissingToken},
	})
}

func TestAProofUsedAtOnceIsSpentOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	const path = "/_matrix/client/v1/login/get_token"
	c := challenged(t, srv, alice.Do(t, "POST", path, object{}))
	var ok, refused [8]bool
	atOnce(8, func(i int) {
		r, err := alice.Try(t.Context(), "POST", path, object{"auth": byPassword("alice", apitest.Password, c.Session)})
		if err == nil {
			ok[i], refused[i] = r.Status == 200, r.Status == 401
		}
	})
	n, m := 0, 0
	for i := range ok {
		if ok[i] {
			n++
		}
		if refused[i] {
			m++
		}
	}
	if n != 1 || m != 7 {
		t.Errorf("%d requests passed and %d were refused, want 1 and 7", n, m)
	}
}

func TestChangedDeviceLists(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	write(t, srv, func(tx *db.Tx) error {
		before, err := tx.Position()
		if err != nil {
			return err
		}
		for _, user := range []id.UserID{alice.UserID, bob.UserID, alice.UserID} {
			if err := srv.App.Accounts.DeviceListChanged(tx, user); err != nil {
				return err
			}
		}
		for _, c := range []struct {
			after, upTo int64
			among, want []id.UserID
		}{
			{0, 3, []id.UserID{alice.UserID, bob.UserID}, []id.UserID{alice.UserID, bob.UserID}},
			{0, 3, []id.UserID{bob.UserID}, []id.UserID{bob.UserID}},
			{1, 2, []id.UserID{alice.UserID, bob.UserID}, []id.UserID{bob.UserID}},
			{3, 9, []id.UserID{alice.UserID}, nil},
			{0, 9, nil, nil},
		} {
			got, err := srv.App.Accounts.ChangedDeviceLists(tx, before+c.after, before+c.upTo, c.among)
			if err != nil {
				return err
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("after %d up to %d among %v: got %v, want %v", c.after, c.upTo, c.among, got, c.want)
			}
		}
		return nil
	})
}
