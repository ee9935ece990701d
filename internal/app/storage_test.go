package app_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/db/powerloss"
)

// failing is a server whose database can be made to fail.
type failing struct {
	*apitest.Server
	refuse func(t *testing.T) // from now on nothing can be written
	mend   func(t *testing.T)
	words  string // what people are told
}

// onAFullDisk runs over SQLite alone.
func onAFullDisk(t *testing.T) failing {
	t.Helper()
	folder := t.TempDir()
	disk, err := powerloss.Watch(folder)
	if err != nil {
		t.Fatal(err)
	}
	srv, end := durably(t, folder)
	t.Cleanup(func() {
		end()
		disk.Forget()
	})
	return failing{srv,
		func(*testing.T) { disk.Refuse(sqlite3.SQLITE_FULL) },
		func(*testing.T) { disk.Refuse(sqlite3.SQLITE_OK) },
		"disk of this server is full",
	}
}

// onReadOnlyPostgres has the database refuse what writes, as a standby does.
func onReadOnlyPostgres(t *testing.T) failing {
	t.Helper()
	srv := apitest.New(t)
	set := func(value string) func(t *testing.T) {
		return func(t *testing.T) { alterDatabase(t, srv, "SET default_transaction_read_only = "+value) }
	}
	return failing{srv, set("on"), set("off"), "database of this server cannot be used"}
}

// alterDatabase changes the database of a server on PostgreSQL, for all connections: the
// old ones are ended.
func alterDatabase(t *testing.T, srv *apitest.Server, change string) {
	t.Helper()
	at, err := url.Parse(srv.App.Config.Database)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(at.Path, "/")
	at.Path = "/postgres"
	c, err := pgx.Connect(t.Context(), at.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(t.Context())
	for _, st := range []string{
		"ALTER DATABASE " + pgx.Identifier{name}.Sanitize() + " " + change,
		"SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = '" + name + "'",
	} {
		if _, err := c.Exec(t.Context(), st); err != nil {
			t.Fatal(err)
		}
	}
}

// eventually does something again until it works: a connection that was ended fails
// once more.
func eventually(t *testing.T, f func() *apitest.Response) *apitest.Response {
	t.Helper()
	var resp *apitest.Response
	for range 40 {
		if resp = f(); resp.Status != 503 {
			break
		}
	}
	return resp
}

// TestK19_AServerThatCannotStore holds that it says so, goes on answering what it can,
// loses nothing, and needs no restart.
func TestK19_AServerThatCannotStore(t *testing.T) {
	var srv failing
	if apitest.New(t).App.DB.Dialect() == db.SQLite {
		srv = onAFullDisk(t)
	} else {
		srv = onReadOnlyPostgres(t)
	}
	alice := speaker{Client: srv.User(t, "alice")}
	alice.room = alice.createRoom(t, object{})
	if _, err := alice.say(t, 1); err != nil {
		t.Fatal(err)
	}

	srv.refuse(t)
	for _, c := range []struct{ method, path string }{
		{"GET", "/account/whoami"},
		{"GET", "/sync"},
		{"GET", "/rooms/" + alice.room + "/messages?dir=b"},
		{"GET", "/rooms/" + alice.room + "/state"},
	} {
		resp := eventually(t, func() *apitest.Response { return alice.Do(t, c.method, v3+c.path, nil) })
		if resp.Status != 200 {
			t.Errorf("%s: got %d %s, want 200", c.path, resp.Status, resp.Body)
		}
	}
	for _, c := range []struct {
		method, path string
		body         any
	}{
		{"PUT", v3 + "/rooms/" + alice.room + "/send/m.room.message/txn2", object{"msgtype": "m.text", "body": "@alice:narthex.test 2"}},
		{"PUT", v3 + "/rooms/" + alice.room + "/state/m.room.topic/", object{"topic": "x"}},
		{"POST", v3 + "/createRoom", object{}},
		{"PUT", v3 + "/profile/" + string(alice.UserID) + "/displayname", object{"displayname": "Alice"}},
		{"PUT", v3 + "/user/" + string(alice.UserID) + "/account_data/org.example", object{"a": 1}},
		{"POST", v3 + "/keys/upload", object{"one_time_keys": object{}}},
		{"POST", v3 + "/login", byPassword("alice")},
		{"POST", v3 + "/logout", object{}},
	} {
		resp := alice.Do(t, c.method, c.path, c.body)
		if c.path == v3+"/keys/upload" && resp.Status == 200 {
			continue // there was nothing to store
		}
		unavailableAnswer(t, c.path, resp, srv.words)
	}
	unavailableAnswer(t, "the token endpoint", srv.Anyone().Do(t, "POST", "/oauth2/register", object{
		"client_name": "Test", "client_uri": "https://client.example.org/", "redirect_uris": []string{"https://client.example.org/back"},
		"token_endpoint_auth_method": "none", "grant_types": []string{"authorization_code", "refresh_token"}, "response_types": []string{"code"},
	}), "")
	_ = srv.App.RunJobs(t.Context()) // must not end the process

	srv.mend(t)
	resp := eventually(t, func() *apitest.Response {
		return alice.Do(t, "PUT", v3+"/rooms/"+alice.room+"/send/m.room.message/txn2", object{"msgtype": "m.text", "body": "@alice:narthex.test 2"})
	})
	if resp.Status != 200 {
		t.Errorf("after: got %d %s", resp.Status, resp.Body)
	}
	texts := alice.history(t)
	for n := 1; n <= 2; n++ {
		found := 0
		for _, text := range texts {
			if text == fmt.Sprintf("%s %d", alice.UserID, n) {
				found++
			}
		}
		if found != 1 {
			t.Errorf("message %d is there %d times", n, found)
		}
	}
	srv.RunJobs(t)
	if strings.Contains(srv.Log.String(), "panic") {
		t.Error("the server panicked:\n" + srv.Log.String())
	}
}

// unavailableAnswer holds what a client is told: 503, a code, a sentence, when to try again.
func unavailableAnswer(t *testing.T, what string, resp *apitest.Response, words string) {
	t.Helper()
	if resp.Status != 503 || resp.Header.Get("Retry-After") == "" || !strings.Contains(string(resp.Body), words) ||
		!strings.Contains(string(resp.Body), "M_UNKNOWN") && !strings.Contains(string(resp.Body), "temporarily_unavailable") {
		t.Errorf("%s: got %d %v %s", what, resp.Status, resp.Header, resp.Body)
	}
}

// TestK19_PostgresThatIsAway holds that a server whose database accepts nobody says so,
// and comes back with it.
func TestK19_PostgresThatIsAway(t *testing.T) {
	srv := apitest.New(t)
	if srv.App.DB.Dialect() == db.SQLite {
		t.Skip("this is about PostgreSQL")
	}
	alice := speaker{Client: srv.User(t, "alice")}
	alice.room = alice.createRoom(t, object{})
	alterDatabase(t, srv, "WITH ALLOW_CONNECTIONS false")
	for range 3 {
		unavailableAnswer(t, "whoami", alice.Do(t, "GET", v3+"/account/whoami", nil), "cannot be used")
		unavailableAnswer(t, "send", alice.Do(t, "PUT", v3+"/rooms/"+alice.room+"/send/m.room.message/txn1", object{"body": "x"}), "cannot be used")
	}
	if err := srv.App.Ready(t.Context()); err == nil {
		t.Error("it says that it is ready")
	}
	alterDatabase(t, srv, "WITH ALLOW_CONNECTIONS true")
	if resp := eventually(t, func() *apitest.Response { return alice.Do(t, "GET", v3+"/account/whoami", nil) }); resp.Status != 200 {
		t.Errorf("after: got %d %s", resp.Status, resp.Body)
	}
	if _, err := alice.say(t, 1); err != nil {
		t.Error(err)
	}
	srv.RunJobs(t)
}

// TestK19_AClockThatIsWrong sets the clock back an hour and forward a year.
func TestK19_AClockThatIsWrong(t *testing.T) {
	srv := apitest.New(t)
	alice := speaker{Client: srv.User(t, "alice")}
	alice.room = alice.createRoom(t, object{})
	alice.Do(t, "PUT", "/_matrix/client/v3/presence/"+string(alice.UserID)+"/status", object{"presence": "online"})
	since := syncedTo(t, alice.Client, "")
	var login struct {
		AccessToken  string `json:"access_token"`
		RefreshToken string `json:"refresh_token"`
	}
	body := byPassword("alice")
	body["refresh_token"] = true
	srv.Anyone().Do(t, "POST", v3+"/login", body).OK(t, &login)
	short := &apitest.Client{Server: srv, UserID: alice.UserID, Token: login.AccessToken}

	for n, by := range []time.Duration{0, -time.Hour, 366 * 24 * time.Hour, -366 * 24 * time.Hour} {
		srv.Advance(by)
		if _, err := alice.say(t, n); err != nil {
			t.Errorf("%v: %v", by, err)
		}
		before := since
		if since = syncedTo(t, alice.Client, since); since == before {
			t.Errorf("%v: a sync does not go on", by)
		}
		want := 200
		if by > 0 {
			want = 401
		}
		resp := short.Do(t, "GET", v3+"/account/whoami", nil)
		if resp.Status != want || want == 401 && !strings.Contains(string(resp.Body), `"soft_logout":true`) {
			t.Errorf("%v: a token that ends got %d %s, want %d", by, resp.Status, resp.Body, want)
		}
		srv.RunJobs(t)
	}
	texts := alice.history(t)
	if len(texts) != 4 {
		t.Errorf("got %d messages, want 4: %v", len(texts), texts)
	}
}

// syncedTo gives the token of a sync.
func syncedTo(t *testing.T, c *apitest.Client, since string) string {
	t.Helper()
	var answer struct {
		NextBatch string `json:"next_batch"`
	}
	query := ""
	if since != "" {
		query = "?since=" + url.QueryEscape(since)
	}
	c.Do(t, "GET", v3+"/sync"+query, nil).OK(t, &answer)
	return answer.NextBatch
}
