package app_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const (
	loginPath  = "/_matrix/client/v3/login"
	whoamiPath = "/_matrix/client/v3/account/whoami"
	adminUsers = "/_synapse/admin/v2/users/"
)

// password is the member auth of a user who gives a password.
func password(who id.UserID, session string) object {
	auth := object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": who}, "password": apitest.Password}
	if session != "" {
		auth["session"] = session
	}
	return auth
}

func signIn(who id.UserID, word string) object {
	return object{"type": "m.login.password", "identifier": object{"type": "m.id.user", "user": who}, "password": word}
}

// TestReplicasSignOutTogetherAtOnce holds that what ends or limits a session on one
// replica does so on the other with the next request, and ends a sync that waits there.
func TestReplicasSignOutTogetherAtOnce(t *testing.T) {
	servers := replicas(t, 2, approving)
	here, there := servers[0], servers[1]
	ctx := patience(t)
	root := here.Administrator(t, "root")
	lock := func(c *apitest.Client, locked bool) {
		root.Do(t, "PUT", "/_matrix/client/v1/admin/lock/"+apitest.Escape(c.UserID), object{"locked": locked}).OK(t, nil)
	}
	for i, c := range []struct {
		name string
		// do acts as the device, or as another one of the user.
		do   func(device, other *apitest.Client)
		want *errcode.Code
	}{
		{"the device signs out", func(d, _ *apitest.Client) {
			d.Do(t, "POST", "/_matrix/client/v3/logout", nil).OK(t, nil)
		}, errcode.UnknownToken},
		{"another device signs everything out", func(_, o *apitest.Client) {
			o.Do(t, "POST", "/_matrix/client/v3/logout/all", nil).OK(t, nil)
		}, errcode.UnknownToken},
		{"another device deletes it", func(d, o *apitest.Client) {
			o.Do(t, "POST", "/_matrix/client/v3/delete_devices", object{"devices": []id.DeviceID{d.DeviceID}, "auth": password(o.UserID, "")}).OK(t, nil)
		}, errcode.UnknownToken},
		{"the password is changed", func(_, o *apitest.Client) {
			o.Do(t, "POST", "/_matrix/client/v3/account/password", object{"new_password": "another one", "auth": password(o.UserID, "")}).OK(t, nil)
			there.Anyone().Do(t, "POST", loginPath, signIn(o.UserID, apitest.Password)).Fails(t, there, errcode.Forbidden)
			there.Anyone().Do(t, "POST", loginPath, signIn(o.UserID, "another one")).OK(t, nil)
		}, errcode.UnknownToken},
		{"an administrator deletes the device", func(d, _ *apitest.Client) {
			root.Do(t, "DELETE", adminUsers+apitest.Escape(d.UserID)+"/devices/DEVICE1", nil).OK(t, nil)
		}, errcode.UnknownToken},
		{"an administrator sets the password", func(d, _ *apitest.Client) {
			root.Do(t, "POST", "/_synapse/admin/v1/reset_password/"+apitest.Escape(d.UserID), object{"new_password": "another one"}).OK(t, nil)
		}, errcode.UnknownToken},
		{"the approval is withdrawn", func(d, _ *apitest.Client) {
			root.Do(t, "POST", "/_narthex/admin/v1/registrations/"+apitest.Escape(d.UserID)+"/revoke", object{"revoke_sessions": true}).OK(t, nil)
			there.Anyone().Do(t, "POST", loginPath, signIn(d.UserID, apitest.Password)).Fails(t, there, errcode.UserAwaitingApproval)
		}, errcode.UnknownToken},
		{"the account is deactivated", func(d, _ *apitest.Client) {
			root.Do(t, "POST", "/_synapse/admin/v1/deactivate/"+apitest.Escape(d.UserID), object{"erase": true}).OK(t, nil)
		}, errcode.UnknownToken},
		{"the account is locked", func(d, _ *apitest.Client) { lock(d, true) }, errcode.UserLocked},
	} {
		device := here.User(t, fmt.Sprint("user", i))
		other := here.Device(t, device.UserID, "DEVICE2")
		moved := at(there, device)
		moved.Do(t, "GET", whoamiPath, nil).OK(t, nil)
		poll := polls(ctx, moved, moved.Sync(t, "set_presence=offline").NextBatch)
		there.UntilWaiting(t, device.UserID)
		c.do(device, other)
		moved.Do(t, "GET", whoamiPath, nil).Fails(t, there, c.want)
		got := <-poll
		if got.err != nil {
			t.Fatalf("%s: %v", c.name, got.err)
		}
		if got.Status != c.want.Status || !strings.Contains(string(got.Body), c.want.Name) {
			t.Errorf("%s: the sync that waited got %d %s", c.name, got.Status, got.Body)
		}
		if c.want == errcode.UserLocked {
			lock(device, false)
			moved.Do(t, "GET", whoamiPath, nil).OK(t, nil)
		}
	}
}

// TestReplicasLimitTogether suspends an account, and takes an administrator's rights.
func TestReplicasLimitTogether(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	root, second, alice := here.Administrator(t, "root"), here.Administrator(t, "second"), here.User(t, "alice")
	room := at(there, alice).CreateRoom(t)
	suspend := func(yes bool) {
		root.Do(t, "PUT", "/_matrix/client/v1/admin/suspend/"+apitest.Escape(alice.UserID), object{"suspended": yes}).OK(t, nil)
	}
	suspend(true)
	at(there, alice).Do(t, "PUT", room.Path("/send/m.room.message/1"), `{"body":"x"}`).Fails(t, there, errcode.UserSuspended)
	suspend(false)
	at(there, alice).Do(t, "PUT", room.Path("/send/m.room.message/1"), `{"body":"x"}`).OK(t, nil)
	at(there, second).Do(t, "GET", adminUsers+apitest.Escape(alice.UserID), nil).OK(t, nil)
	root.Do(t, "PUT", adminUsers+apitest.Escape(second.UserID), object{"admin": false}).OK(t, nil)
	at(there, second).Do(t, "GET", adminUsers+apitest.Escape(alice.UserID), nil).Fails(t, there, errcode.Forbidden)
}

// TestReplicasKeepNothingStale fills the caches of one replica, changes on the other
// what they hold, and looks again.
func TestReplicasKeepNothingStale(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	alice, bob, carol := here.User(t, "alice"), here.User(t, "bob"), here.User(t, "carol")
	room := alice.CreateRoom(t).Join(t, bob, carol)
	looker := at(there, bob)
	sends := func() *apitest.Response {
		return looker.Do(t, "PUT", room.Path("/send/m.room.message/"+apitest.TxnID()), `{"body":"x"}`)
	}

	t.Run("power", func(t *testing.T) {
		sends().OK(t, nil)
		levels := object{"events_default": 50}
		room.SetState(t, alice, "m.room.power_levels", levels)
		sends().Fails(t, there, errcode.InsufficientPower)
		levels["events_default"] = 0
		room.SetState(t, alice, "m.room.power_levels", levels)
		sends().OK(t, nil)
	})
	t.Run("membership and join rules", func(t *testing.T) {
		alice.Do(t, "POST", room.Path("/kick"), object{"user_id": bob.UserID}).OK(t, nil)
		sends().Fails(t, there, errcode.NotJoined)
		room.SetState(t, alice, "m.room.join_rules", object{"join_rule": "invite"})
		looker.Do(t, "POST", room.Path("/join"), `{}`).Fails(t, there, errcode.Forbidden)
		room.Invite(t, bob)
		looker.Do(t, "POST", room.Path("/join"), `{}`).OK(t, nil)
		sends().OK(t, nil)
	})
	t.Run("what is redacted", func(t *testing.T) {
		topic := room.SetState(t, alice, "m.room.topic", object{"topic": "secret"})
		said := room.Send(t, alice, "secret")
		for _, path := range []string{room.Path("/state/m.room.topic/"), room.Path("/event/" + apitest.Escape(said)), room.Path("/messages?dir=b&limit=5")} {
			if !strings.Contains(string(looker.Do(t, "GET", path, nil).OK(t, nil).Body), "secret") {
				t.Errorf("%s does not show it", path)
			}
		}
		for _, ev := range []id.EventID{topic, said} {
			alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(ev)+"/"+apitest.TxnID()), `{}`).OK(t, nil)
		}
		for _, path := range []string{room.Path("/state/m.room.topic/"), room.Path("/event/" + apitest.Escape(said)), room.Path("/messages?dir=b&limit=5"), syncPath} {
			if body := string(looker.Do(t, "GET", path, nil).OK(t, nil).Body); strings.Contains(body, "secret") {
				t.Errorf("%s still shows it: %s", path, body)
			}
		}
	})
	t.Run("an alias and a filter", func(t *testing.T) {
		alias := "/_matrix/client/v3/directory/room/" + apitest.Escape("#hall:narthex.test")
		alice.Do(t, "PUT", alias, object{"room_id": room.ID}).OK(t, nil)
		looker.Do(t, "GET", alias, nil).OK(t, nil)
		alice.Do(t, "DELETE", alias, nil).OK(t, nil)
		looker.Do(t, "GET", alias, nil).Fails(t, there, errcode.NotFound)
		var made struct {
			ID string `json:"filter_id"`
		}
		bob.Do(t, "POST", "/_matrix/client/v3/user/"+apitest.Escape(bob.UserID)+"/filter", `{"room":{"rooms":[]}}`).OK(t, &made)
		if s := looker.Sync(t, "filter="+made.ID); len(s.Rooms.Join) != 0 {
			t.Errorf("the filter of the other replica does not hold: %s", s.Body)
		}
	})
}

// TestReplicasCountUnreadAlike asks both replicas, which remember what they counted.
func TestReplicasCountUnreadAlike(t *testing.T) {
	servers := replicas(t, 2)
	here, there := servers[0], servers[1]
	alice, bob, carol := here.User(t, "alice"), here.User(t, "bob"), here.User(t, "carol")
	room := alice.CreateRoom(t).Join(t, bob, carol)
	unread := func(what string, want int) {
		t.Helper()
		for i, srv := range servers {
			if s := at(srv, bob).Sync(t, ""); s.Rooms.Join[room.ID].Unread == nil || s.Rooms.Join[room.ID].Unread.Notifications != want {
				t.Errorf("%s: replica %d counts %+v, want %d", what, i, s.Rooms.Join[room.ID].Unread, want)
			}
		}
	}
	unread("nothing was said", 0)
	one := room.Send(t, alice, "one")
	unread("a message", 1)
	room.Send(t, at(there, carol), "two")
	unread("another, on the other replica", 2)
	alice.Do(t, "PUT", room.Path("/redact/"+apitest.Escape(one)+"/1"), `{}`).OK(t, nil)
	unread("one was redacted", 1)
	at(there, bob).Do(t, "PUT", "/_matrix/client/v3/user/"+apitest.Escape(bob.UserID)+"/account_data/m.ignored_user_list",
		object{"ignored_users": object{string(carol.UserID): object{}}}).OK(t, nil)
	unread("carol is ignored", 0)
	three := room.Send(t, alice, "three")
	unread("and alice is not", 1)
	bob.Do(t, "POST", room.Path("/receipt/m.read/"+apitest.Escape(three)), `{}`).OK(t, nil)
	unread("bob has read", 0)
	at(there, bob).Do(t, "PUT", "/_matrix/client/v3/pushrules/global/room/"+apitest.Escape(room.ID), `{"actions":[]}`).OK(t, nil)
	room.Send(t, alice, "four")
	unread("the room is muted", 0)
}

// TestReplicasCountGuessesTogetherAtOnce tries passwords and codes on two replicas: the
// budget is one.
func TestReplicasCountGuessesTogetherAtOnce(t *testing.T) {
	servers := replicas(t, 2, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	here, there := servers[0], servers[1]
	alice, bob := here.User(t, "alice"), here.User(t, "bob")
	outcomes := map[int]int{}
	for _, r := range together(t, 24, func(i int) (*apitest.Response, error) {
		return servers[i%2].Anyone().Try(t.Context(), "POST", loginPath, signIn(alice.UserID, fmt.Sprint("guess ", i)))
	}) {
		outcomes[r.Status]++
	}
	if outcomes[403] != 10 || outcomes[429] != 14 {
		t.Errorf("24 wrong passwords: got %v, want 10 times 403 and 14 times 429", outcomes)
	}
	for _, srv := range servers {
		srv.Anyone().Do(t, "POST", loginPath, signIn(alice.UserID, apitest.Password)).Fails(t, srv, errcode.LimitExceeded)
		srv.Anyone().Do(t, "POST", loginPath, signIn(bob.UserID, apitest.Password)).OK(t, nil)
	}

	call := &httpapi.Call{Addr: netip.MustParseAddr("192.0.2.9")}
	for i := range 5 {
		if _, err := servers[i%2].App.OAuth.FindDeviceRequest(t.Context(), call, bob.UserID, "BBBB-BBBB"); !errors.Is(err, errcode.NotFound) {
			t.Errorf("code %d: got %v", i, err)
		}
	}
	for _, srv := range []*apitest.Server{here, there} {
		if _, err := srv.App.OAuth.FindDeviceRequest(t.Context(), call, bob.UserID, "BBBB-BBBB"); !errors.Is(err, errcode.LimitExceeded) {
			t.Errorf("one code too many: got %v", err)
		}
	}
}
