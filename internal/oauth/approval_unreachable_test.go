package oauth_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// TestA60_WhoWaitsIsUnknown compares what others are told of somebody who waits with
// what they are told of nobody at all.
func TestA60_WhoWaitsIsUnknown(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	alice := srv.User(t, "alice")
	pend(t, srv, "carol")
	room := alice.CreateRoom(t)
	for _, ask := range []struct {
		name, method, path string
		body               object
	}{
		{"A-60 profile", "GET", "/_matrix/client/v3/profile/WHO", nil},
		{"A-60 one field of the profile", "GET", "/_matrix/client/v3/profile/WHO/displayname", nil},
		{"A-60 invite", "POST", room.Path("/invite"), object{"user_id": "WHO"}},
		{"A-60 invite as state", "PUT", room.Path("/state/m.room.member/WHO"), object{"membership": "invite"}},
		{"A-60 directory", "POST", "/_matrix/client/v3/user_directory/search", object{"search_term": "NAME"}},
		{"A-61 keys", "POST", "/_matrix/client/v3/keys/query", object{"device_keys": object{"WHO": []string{}}}},
		{"A-61 one-time keys", "POST", "/_matrix/client/v3/keys/claim", object{"one_time_keys": object{"WHO": object{"PHONE": "signed_curve25519"}}}},
		{"A-61 messages to devices", "PUT", "/_matrix/client/v3/sendToDevice/m.test/t-NAME", object{"messages": object{"WHO": object{"*": object{"x": 1}}}}},
		{"A-60 a report", "POST", "/_matrix/client/v3/users/WHO/report", object{"reason": "spam"}},
	} {
		t.Run(ask.name, func(t *testing.T) {
			about := func(name string) (int, string) {
				who := "@" + name + ":narthex.test"
				path := strings.NewReplacer("WHO", apitest.Escape(who), "NAME", name).Replace(ask.path)
				var body any
				if ask.body != nil {
					body = filled(ask.body, who, name)
				}
				r := alice.Do(t, ask.method, path, body)
				return r.Status, strings.ReplaceAll(string(r.Body), name, "NAME")
			}
			status, body := about("carol")
			nobodyStatus, nobody := about("dorah")
			if status != nobodyStatus || body != nobody {
				t.Errorf("who waits: %d %s\nnobody: %d %s", status, body, nobodyStatus, nobody)
			}
		})
	}
}

// filled writes a user ID and a name into an object.
func filled(o object, who, name string) object {
	out := object{}
	for key, value := range o {
		key = strings.ReplaceAll(key, "WHO", who)
		switch v := value.(type) {
		case object:
			out[key] = filled(v, who, name)
		case string:
			out[key] = strings.NewReplacer("WHO", who, "NAME", name).Replace(v)
		default:
			out[key] = v
		}
	}
	return out
}

// TestA61_NothingIsKeptForWhoWaits holds that no queue and no key exists for somebody
// who waits, whatever others send.
func TestA61_NothingIsKeptForWhoWaits(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	alice := srv.User(t, "alice")
	carol := pend(t, srv, "carol")
	alice.Do(t, "PUT", "/_matrix/client/v3/sendToDevice/m.test/t1", object{"messages": object{string(carol): object{"*": object{"x": 1}, "PHONE": object{"x": 1}}}}).OK(t, nil)
	alice.CreateRoom(t, object{"invite": []string{string(carol)}})
	login(t, srv, with(passwordLogin("carol", apitest.Password), object{"device_id": "PHONE"})).Fails(t, srv, errcode.UserAwaitingApproval)
	for _, table := range []string{"devices", "device_list_changes", "device_keys", "one_time_keys", "fallback_keys", "to_device",
		"cross_signing_keys", "key_backups", "push_rules", "presence", "receipts", "typing", "room_members", "access_tokens", "refresh_tokens"} {
		if n := rows(t, srv, `SELECT COUNT(*) FROM `+table+` WHERE user_id = $1`, carol); n != 0 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
	approve(t, srv, carol)
	s := decode[session](t, login(t, srv, passwordLogin("carol", apitest.Password)).OK(t, nil))
	sync := as(srv, s.AccessToken).Do(t, "GET", "/_matrix/client/v3/sync", nil).OK(t, nil)
	for _, word := range []string{`"to_device":{"events":[{`, `"invite":{"!`} {
		if strings.Contains(string(sync.Body), word) {
			t.Errorf("what came before the approval was kept: %s", sync.Body)
		}
	}
}

// TestA17_GuestWaitsUnseen holds that a guest who makes an account goes out of sight
// until it is approved.
func TestA17_GuestWaitsUnseen(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.Registration.AllowGuests = true })
	alice := srv.User(t, "alice")
	g := decode[session](t, srv.Anyone().Do(t, "POST", registerPath+"?kind=guest", object{}).OK(t, nil))
	body := with(registration(g.UserID.Localpart()), object{"guest_access_token": g.AccessToken})
	srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
	profile := "/_matrix/client/v3/profile/" + apitest.Escape(g.UserID)
	alice.Do(t, "GET", profile, nil).Fails(t, srv, errcode.NotFound)
	if a := account(t, srv, g.UserID); a.Guest || !a.Pending() {
		t.Errorf("got %+v", a)
	}
	approve(t, srv, g.UserID)
	alice.Do(t, "GET", profile, nil).OK(t, nil)
}

// TestA15_A26_A29_WaysToSignInThatThereAreNot holds that what these decide on cannot
// come up: there are no application services and no sign-in by JWT.
func TestA15_A26_A29_WaysToSignInThatThereAreNot(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	for _, way := range []string{"m.login.application_service", "org.matrix.login.jwt", "m.login.jwt"} {
		login(t, srv, object{"type": way, "token": "x", "identifier": object{"type": "m.id.user", "user": "alice"}}).Fails(t, srv, errcode.UnrecognizedValue)
	}
	r := srv.Anyone().Do(t, "POST", registerPath, object{"type": "m.login.application_service", "username": "_bridge", "password": apitest.Password,
		"auth": object{"type": "m.login.dummy"}})
	r.Fails(t, srv, errcode.InvalidUsername)
}

// TestA20_NothingRunsBeforeTheApproval holds that registering has no effect on others.
func TestA20_NothingRunsBeforeTheApproval(t *testing.T) {
	mails := apitest.NewMailbox(t)
	srv := apitest.New(t, mails.Configure, needs("email"), approvalRequired)
	body := object{"username": "carol", "password": apitest.Password, "auth": showMail(t, srv, mails, "carol@example.org")}
	before := len(mails.Mails("carol@example.org"))
	srv.Anyone().Do(t, "POST", registerPath, body).Fails(t, srv, errcode.UserAwaitingApproval)
	work := func() {
		for range 3 {
			srv.Advance(time.Minute)
			srv.RunJobs(t)
		}
	}
	work()
	if n := len(mails.Mails("carol@example.org")) - before; n != 0 {
		t.Errorf("%d mails before the approval", n)
	}
	if n := rows(t, srv, `SELECT COUNT(*) FROM room_members WHERE user_id = $1`, userID("carol")); n != 0 {
		t.Errorf("in %d rooms", n)
	}
	approve(t, srv, userID("carol"))
	work()
	if n := len(mails.Mails("carol@example.org")) - before; n != 1 {
		t.Errorf("%d mails after it, want 1", n)
	}
}

// TestA64_NoAdvanceNotice holds that clients are told nothing of approval before they
// register.
func TestA64_NoAdvanceNotice(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	alice := srv.User(t, "alice")
	for _, path := range []string{"/_matrix/client/versions", "/_matrix/client/v3/capabilities", "/_matrix/client/v3/login"} {
		body := strings.ToLower(string(alice.Do(t, "GET", path, nil).OK(t, nil).Body))
		if strings.Contains(body, "approv") || strings.Contains(body, "3866") {
			t.Errorf("%s: %s", path, body)
		}
	}
}

// TestA59_NothingTellsWhoWaits holds that a stranger's guesses are counted alike for
// everybody, and that a name in use is no more than that.
func TestA59_NothingTellsWhoWaits(t *testing.T) {
	srv := apitest.New(t, approvalRequired, func(cfg *config.Config) { cfg.RateLimits.Enabled = true })
	srv.User(t, "alice")
	pend(t, srv, "carol")
	tries := map[string]int{}
	for _, name := range []string{"carol", "alice", "nobody"} {
		for tries[name] < 100 && login(t, srv, passwordLogin(name, "wrong")).Status != 429 {
			tries[name]++
		}
	}
	if tries["carol"] != tries["alice"] || tries["carol"] != tries["nobody"] || tries["carol"] == 100 {
		t.Errorf("wrong passwords until they are refused: %v", tries)
	}
	available := func(name string) string {
		return string(srv.Anyone().Do(t, "GET", registerPath+"/available?username="+name, nil).Fails(t, srv, errcode.UserInUse).Body)
	}
	if waits, is := available("carol"), available("alice"); waits != is {
		t.Errorf("who waits: %s; somebody else: %s", waits, is)
	}
}
