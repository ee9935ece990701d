package admin_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

const whoami = "/_matrix/client/v3/account/whoami"

func synapse(path string, u id.UserID) string {
	return "/_synapse/admin/v1/" + path + "/" + apitest.Escape(u)
}

func spec(path string, u id.UserID) string {
	return "/_matrix/client/v1/admin/" + path + "/" + apitest.Escape(u)
}

func TestDeactivateUser(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	path := synapse("deactivate", alice.UserID)
	wantJSON(t, root.Do(t, "POST", path, nil), object{"id_server_unbind_result": "success"})
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	login(t, srv, alice.UserID).Fails(t, srv, errcode.Forbidden)
	root.Do(t, "POST", path, nil).OK(t, nil) // again: nothing
	root.Do(t, "POST", path, object{"erase": true}).OK(t, nil)
	want := []string{`@root:narthex.test deactivate {"erase":false}`, `@root:narthex.test deactivate {"erase":true}`}
	if diff := cmp.Diff(want, audit(t, root, string(alice.UserID))); diff != "" {
		t.Error(diff)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "oneself", As: root, Do: "POST", Path: synapse("deactivate", root.UserID), Want: errcode.Forbidden},
		{Name: "unknown", As: root, Do: "POST", Path: synapse("deactivate", userID("nobody")), Want: errcode.NotFound},
		{Name: "of another server", As: root, Do: "POST", Path: synapse("deactivate", "@a:other.test"), Want: errcode.InvalidParam},
		{Name: "malformed", As: root, Do: "POST", Path: path, Body: `{"erase":1}`, Want: errcode.BadJSON},
		{Name: "not an administrator", As: srv.User(t, "bob"), Do: "POST", Path: synapse("deactivate", root.UserID), Want: errcode.Forbidden},
	})
}

func TestResetPassword(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	path := synapse("reset_password", alice.UserID)
	const another = "another good one"
	wantJSON(t, root.Do(t, "POST", path, object{"new_password": another, "logout_devices": false}), object{})
	alice.Do(t, "GET", whoami, nil).OK(t, nil)
	loginWith(t, srv, alice.UserID, another).OK(t, nil)
	root.Do(t, "POST", path, object{"new_password": apitest.Password}).OK(t, nil)
	alice.Do(t, "GET", whoami, nil).Fails(t, srv, errcode.UnknownToken)
	login(t, srv, alice.UserID).OK(t, nil)
	if log := srv.Log.String() + strings.Join(audit(t, root, string(alice.UserID)), ""); strings.Contains(log, another) || strings.Contains(log, apitest.Password) {
		t.Error("a log holds a password")
	}
	gone := srv.User(t, "gone")
	root.Do(t, "POST", synapse("deactivate", gone.UserID), nil).OK(t, nil)
	apitest.Run(t, []apitest.Case{
		{Name: "too short", As: root, Do: "POST", Path: path, Body: object{"new_password": "short"}, Want: errcode.WeakPassword},
		{Name: "missing", As: root, Do: "POST", Path: path, Body: object{}, Want: errcode.MissingParam},
		{Name: "malformed", As: root, Do: "POST", Path: path, Body: `{"new_password":1}`, Want: errcode.BadJSON},
		{Name: "unknown", As: root, Do: "POST", Path: synapse("reset_password", userID("nobody")), Body: object{"new_password": another}, Want: errcode.NotFound},
		{Name: "deactivated", As: root, Do: "POST", Path: synapse("reset_password", gone.UserID), Body: object{"new_password": another}, Want: errcode.InvalidParam},
		{Name: "not an administrator", As: srv.User(t, "bob"), Do: "POST", Path: path, Body: object{"new_password": another}, Want: errcode.Forbidden},
	})
}

// TestRestrict goes through the three endpoints that lock or suspend.
func TestRestrict(t *testing.T) {
	srv := apitest.New(t)
	root, other := srv.Administrator(t, "root"), srv.Administrator(t, "other")
	gone := srv.User(t, "gone")
	root.Do(t, "POST", synapse("deactivate", gone.UserID), nil).OK(t, nil)
	for _, c := range []struct {
		name, member string
		path         func(id.UserID) string
		answer       func(id.UserID, bool) object
		code         *errcode.Code
	}{
		{"lock", "locked", func(u id.UserID) string { return spec("lock", u) },
			func(_ id.UserID, on bool) object { return object{"locked": on} }, errcode.UserLocked},
		{"suspend", "suspended", func(u id.UserID) string { return spec("suspend", u) },
			func(_ id.UserID, on bool) object { return object{"suspended": on} }, errcode.UserSuspended},
		{"synapse suspend", "suspend", func(u id.UserID) string { return synapse("suspend", u) },
			func(u id.UserID, on bool) object { return object{"user_" + string(u) + "_suspended": on} }, errcode.UserSuspended},
	} {
		t.Run(c.name, func(t *testing.T) {
			alice := srv.User(t, "alice-"+strings.ReplaceAll(c.name, " ", "-"))
			act := func() *apitest.Response { return alice.Do(t, "POST", "/_matrix/client/v3/createRoom", object{}) }
			for range 2 { // the second time nothing changes
				wantJSON(t, root.Do(t, "PUT", c.path(alice.UserID), object{c.member: true}), c.answer(alice.UserID, true))
			}
			act().Fails(t, srv, c.code)
			if c.name != "synapse suspend" {
				wantJSON(t, root.Do(t, "GET", c.path(alice.UserID), nil), c.answer(alice.UserID, true))
			}
			wantJSON(t, root.Do(t, "PUT", c.path(alice.UserID), object{c.member: false}), c.answer(alice.UserID, false))
			act().OK(t, nil)
			if lines := audit(t, root, string(alice.UserID)); len(lines) != 2 {
				t.Errorf("got the lines %q, want two", lines)
			}
			put := func(name string, as *apitest.Client, u id.UserID, body any, want *errcode.Code) apitest.Case {
				return apitest.Case{Name: name, As: as, Do: "PUT", Path: c.path(u), Body: body, Want: want}
			}
			apitest.Run(t, []apitest.Case{
				put("oneself", root, root.UserID, object{c.member: true}, errcode.Forbidden),
				put("another administrator", root, other.UserID, object{c.member: true}, errcode.Forbidden),
				put("unknown", root, userID("nobody"), object{c.member: true}, errcode.NotFound),
				put("deactivated", root, gone.UserID, object{c.member: true}, errcode.NotFound),
				put("of another server", root, "@a:other.test", object{c.member: true}, errcode.InvalidParam),
				put("missing", root, alice.UserID, object{}, errcode.MissingParam),
				put("malformed", root, alice.UserID, object{c.member: "yes"}, errcode.BadJSON),
				put("not an administrator", alice, other.UserID, object{c.member: true}, errcode.Forbidden),
			})
		})
	}
	for _, what := range []string{"lock", "suspend"} {
		get := func(name string, as *apitest.Client, u id.UserID, want *errcode.Code) apitest.Case {
			return apitest.Case{Name: "reading " + what + ": " + name, As: as, Do: "GET", Path: spec(what, u), Want: want}
		}
		apitest.Run(t, []apitest.Case{
			get("an account", root, srv.User(t, "bob-"+what).UserID, nil),
			get("another administrator", root, other.UserID, errcode.Forbidden),
			get("unknown", root, userID("nobody"), errcode.NotFound),
			get("deactivated", root, gone.UserID, errcode.NotFound),
			get("of another server", root, "@a:other.test", errcode.InvalidParam),
		})
	}
}

func TestWhoIs(t *testing.T) {
	srv := apitest.New(t)
	root, alice, bob := srv.Administrator(t, "root"), srv.User(t, "alice"), srv.User(t, "bob")
	for _, path := range []string{
		"/_matrix/client/v3/admin/whois/" + apitest.Escape(alice.UserID), "/_matrix/client/r0/admin/whois/" + apitest.Escape(alice.UserID),
		synapse("whois", alice.UserID),
	} {
		for _, as := range []*apitest.Client{root, alice} {
			var got struct {
				UserID  id.UserID `json:"user_id"`
				Devices map[id.DeviceID]struct {
					Sessions []struct {
						Connections []struct {
							IP        string
							LastSeen  int64  `json:"last_seen"`
							UserAgent string `json:"user_agent"`
						}
					}
				}
			}
			as.Do(t, "GET", path, nil).OK(t, &got)
			if got.UserID != alice.UserID || len(got.Devices) != 1 || len(got.Devices[alice.DeviceID].Sessions) != 1 {
				t.Errorf("%s: got %+v", path, got)
			}
		}
		bob.Do(t, "GET", path, nil).Fails(t, srv, errcode.Forbidden)
	}
	t.Run("where a device was last seen", func(t *testing.T) {
		srv.Advance(10 * 60 * 1e9)
		alice.Do(t, "GET", whoami, nil).OK(t, nil)
		apitest.Run(t, []apitest.Case{{Name: "connections", As: root, Do: "GET", Path: synapse("whois", alice.UserID),
			Has: []string{`"ip":"127.0.0.1"`, `"user_agent":"Go-http-client/1.1"`}}})
	})
	apitest.Run(t, []apitest.Case{
		{Name: "unknown", As: root, Do: "GET", Path: synapse("whois", userID("nobody")), Want: errcode.NotFound},
		{Name: "of another server", As: root, Do: "GET", Path: synapse("whois", "@a:other.test"), Want: errcode.InvalidParam},
	})
}

func TestUserDevices(t *testing.T) {
	srv := apitest.New(t)
	root, alice := srv.Administrator(t, "root"), srv.User(t, "alice")
	phone, odd := srv.Device(t, alice.UserID, "PHONE"), srv.Device(t, alice.UserID, "a/b+c")
	devices := user(alice.UserID) + "/devices"
	remove := user(alice.UserID) + "/delete_devices"

	var all struct {
		Devices []map[string]any
		Total   int
	}
	root.Do(t, "GET", devices, nil).OK(t, &all)
	if all.Total != 3 || len(all.Devices) != 3 || all.Devices[0]["device_id"] != "DEVICE1" || all.Devices[0]["user_id"] != string(alice.UserID) {
		t.Errorf("got %+v", all)
	}
	apitest.Run(t, []apitest.Case{
		{Name: "one", As: root, Do: "GET", Path: devices + "/" + apitest.Escape("a/b+c"), Has: []string{`"device_id":"a/b+c"`}},
		{Name: "delete one", As: root, Do: "DELETE", Path: devices + "/" + apitest.Escape("a/b+c"), Body: object{}},
		{Name: "delete it again", As: root, Do: "DELETE", Path: devices + "/" + apitest.Escape("a/b+c")},
		{Name: "its session is over", As: odd, Do: "GET", Path: whoami, Want: errcode.UnknownToken},
		{Name: "it is gone", As: root, Do: "GET", Path: devices + "/" + apitest.Escape("a/b+c"), Want: errcode.NotFound},
		{Name: "delete several", As: root, Do: "POST", Path: remove, Body: object{"devices": []string{"PHONE", "NONE"}}},
		{Name: "their sessions are over", As: phone, Do: "GET", Path: whoami, Want: errcode.UnknownToken},
		{Name: "the others' are not", As: alice, Do: "GET", Path: whoami},
		{Name: "unknown", As: root, Do: "GET", Path: user(userID("nobody")) + "/devices", Want: errcode.NotFound},
		{Name: "of another server", As: root, Do: "GET", Path: user("@a:other.test") + "/devices", Want: errcode.InvalidParam},
		{Name: "a device of an unknown account", As: root, Do: "DELETE", Path: user(userID("nobody")) + "/devices/A", Want: errcode.NotFound},
		{Name: "devices of an unknown account", As: root, Do: "POST", Path: user(userID("nobody")) + "/delete_devices",
			Body: object{"devices": []string{"A"}}, Want: errcode.NotFound},
		{Name: "a device of another server", As: root, Do: "GET", Path: user("@a:other.test") + "/devices/A", Want: errcode.InvalidParam},
		{Name: "deleting on another server", As: root, Do: "DELETE", Path: user("@a:other.test") + "/devices/A", Want: errcode.InvalidParam},
		{Name: "no list", As: root, Do: "POST", Path: remove, Body: object{}, Want: errcode.MissingParam},
		{Name: "a list of other things", As: root, Do: "POST", Path: remove, Body: `{"devices":[1]}`, Want: errcode.BadJSON},
		{Name: "an id that is none", As: root, Do: "POST", Path: remove, Body: `{"devices":[""]}`, Want: errcode.InvalidParam},
		{Name: "not an administrator", As: alice, Do: "GET", Path: devices, Want: errcode.Forbidden},
	})
	want := []string{`@root:narthex.test delete_devices {"devices":["a/b+c"]}`, `@root:narthex.test delete_devices {"devices":["PHONE"]}`}
	if diff := cmp.Diff(want, audit(t, root, string(alice.UserID))); diff != "" {
		t.Error(diff)
	}
}

func TestServerVersion(t *testing.T) {
	srv := apitest.New(t)
	const path = "/_synapse/admin/v1/server_version"
	apitest.Run(t, []apitest.Case{
		{Name: "works", As: srv.Administrator(t, "root"), Do: "GET", Path: path, Has: []string{`"server_version":"Narthex `}},
		{Name: "not an administrator", As: srv.User(t, "alice"), Do: "GET", Path: path, Want: errcode.Forbidden},
		{Name: "without a token", As: srv.Anyone(), Do: "GET", Path: path, Want: errcode.MissingToken},
	})
}
