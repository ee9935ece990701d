package app_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// caller is somebody who calls a route, in a column of the table.
type caller struct {
	name string
	make func(t *testing.T, srv *apitest.Server, localpart string) *apitest.Client
	// become is what happens to the account after it has signed in.
	become func(tx *db.Tx, srv *apitest.Server, userID id.UserID) error
	// others are the rooms, devices and names in the path: somebody else's.
	others bool
	// token is sent by somebody without an account, and with as the user in whose name
	// it wants to act.
	token string
	as    func(owner *apitest.Client) id.UserID
}

// serviceToken has the form that bridges and bots of other homeservers use. There are no
// application services here yet, so it is nobody's, and ?user_id= adds nothing to it: if
// an answer in their columns changes, a route has begun to believe one of the two.
const serviceToken = "as_0123456789abcdefghijklmnopqrstuvwxyz"

var callers = []caller{
	{name: "nobody"},
	{name: "guest", make: func(t *testing.T, srv *apitest.Server, name string) *apitest.Client { return srv.Guest(t, name) }},
	{name: "unapproved", make: member, become: func(tx *db.Tx, srv *apitest.Server, userID id.UserID) error {
		return srv.App.Accounts.Unapprove(tx, userID, "test", false)
	}},
	{name: "user", make: member},
	{name: "other", make: member, others: true},
	{name: "locked", make: member, become: func(tx *db.Tx, srv *apitest.Server, userID id.UserID) error {
		return srv.App.Accounts.SetLocked(tx, userID, true, "test")
	}},
	{name: "suspended", make: member, become: func(tx *db.Tx, srv *apitest.Server, userID id.UserID) error {
		return srv.App.Accounts.SetSuspended(tx, userID, true, "test")
	}},
	{name: "administrator", others: true, make: func(t *testing.T, srv *apitest.Server, name string) *apitest.Client {
		return srv.Administrator(t, name)
	}},
	{name: "service", token: serviceToken},
	{name: "service-for-user", token: serviceToken, as: func(owner *apitest.Client) id.UserID { return owner.UserID }},
}

func member(t *testing.T, srv *apitest.Server, name string) *apitest.Client { return srv.User(t, name) }

// authorizationTable has a line for each route, and in it what each caller is
// answered: the status, the errcode of a failure, the path that a page leads to.
// Callers name what is theirs in the path, but for "other" and "administrator", who
// name somebody else's; they send "{}", or an empty form, so that whoever is let in
// is mostly told what is missing.
const authorizationTable = "testdata/authorization.txt"

// TestAuthorizationAtOnce holds the table. A route that is not in it fails the test; so
// does an answer that has changed. NARTHEX_TEST_WRITE=true writes the answers into
// the table, to be read before they are committed.
func TestAuthorizationAtOnce(t *testing.T) {
	srv := apitest.New(t, func(cfg *config.Config) {
		cfg.Identity.Enabled = true
		cfg.Approval.Enabled, cfg.Approval.RequiredForNewAccounts = true, true
	})
	if srv.App.DB.Dialect() != db.SQLite {
		return // who may call a route does not depend on the database
	}
	routes := srv.App.Routes()
	answers := map[string][]string{}
	for _, c := range callers {
		answers[c.name] = make([]string, len(routes))
	}
	t.Run("callers", func(t *testing.T) {
		for _, c := range callers {
			t.Run(c.name, func(t *testing.T) {
				t.Parallel() // so that the race detector sees every route beside every other
				for i, r := range routes {
					answers[c.name][i] = c.call(t, srv, r, fmt.Sprintf("%s%d", c.name, i))
				}
			})
		}
	})
	var got strings.Builder
	for i, r := range routes {
		fmt.Fprintf(&got, "%s %s\n", r.Method, r.Path)
		writeAnswers(&got, func(c caller) string { return answers[c.name][i] })
	}
	if os.Getenv("NARTHEX_TEST_WRITE") == "true" {
		if err := os.WriteFile(authorizationTable, []byte(got.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	raw, err := os.ReadFile(authorizationTable)
	if err != nil {
		t.Fatal(err)
	}
	want, route := strings.Split(string(raw), "\n"), ""
	for i, line := range strings.Split(got.String(), "\n") {
		if !strings.HasPrefix(line, "\t") {
			route = line
		}
		if i >= len(want) || want[i] != line {
			t.Fatalf("%s: line %d of %s should be\n%s\nIf the answer is right, write the table anew with NARTHEX_TEST_WRITE=true.", route, i+1, authorizationTable, line)
		}
	}
}

// writeAnswers writes a line for each answer, with those who get it.
func writeAnswers(to *strings.Builder, answer func(caller) string) {
	var answers []string
	who := map[string][]string{}
	for _, c := range callers {
		a := answer(c)
		if who[a] == nil {
			answers = append(answers, a)
		}
		who[a] = append(who[a], c.name)
	}
	for _, a := range answers {
		fmt.Fprintf(to, "\t%s: %s\n", a, strings.Join(who[a], ", "))
	}
}

// call makes the request of a caller whom nothing has happened to before.
func (c caller) call(t *testing.T, srv *apitest.Server, r httpapi.Route, name string) string {
	t.Helper()
	var client *apitest.Client
	if c.make != nil {
		client = c.make(t, srv, name)
	}
	owner := client
	if client == nil || c.others || c.name == "guest" {
		owner = srv.Device(t, srv.User(t, name+"-victim").UserID, "VICTIM")
	}
	path := sample(r, belongings(t, r, owner))
	header := http.Header{}
	if client != nil {
		token := client.Token
		if r.Auth == httpapi.IdentityUser && c.name != "guest" {
			token = identityToken(t, client)
		}
		header.Set("Authorization", "Bearer "+token)
		header.Set("Cookie", "narthex="+browserCookie(t, srv, client.UserID))
		if c.become != nil {
			srv.Write(t, func(tx *db.Tx) error { return c.become(tx, srv, client.UserID) })
		}
	}
	if c.token != "" {
		header.Set("Authorization", "Bearer "+c.token)
	}
	if c.as != nil {
		path += "?" + url.Values{"user_id": {string(c.as(owner))}}.Encode()
	}
	return answerTo(t, srv, r, path, header)
}

// belongings are values for the places in a path: those of the owner, where they are
// of somebody.
func belongings(t *testing.T, r httpapi.Route, owner *apitest.Client) map[string]string {
	t.Helper()
	values := map[string]string{"userId": string(owner.UserID), "deviceId": string(owner.DeviceID)}
	if strings.Contains(r.Path, "{roomId") {
		room := owner.CreateRoom(t)
		values["roomId"], values["roomIdOrAlias"] = string(room.ID), string(room.ID)
		if strings.Contains(r.Path, "vent") {
			event := string(room.Send(t, owner, "hello"))
			values["eventId"], values["parentId"], values["threadRootEventId"] = event, event, event
		}
	}
	return values
}

func identityToken(t *testing.T, c *apitest.Client) string {
	t.Helper()
	var openID map[string]any
	c.Do(t, "POST", "/_matrix/client/v3/user/"+apitest.Escape(c.UserID)+"/openid/request_token", `{}`).OK(t, &openID)
	var account struct {
		Token string `json:"token"`
	}
	c.Server.Anyone().Do(t, "POST", "/_matrix/identity/v2/account/register", openID).OK(t, &account)
	return account.Token
}

// browserCookie signs somebody in to the pages.
func browserCookie(t *testing.T, srv *apitest.Server, userID id.UserID) (cookie string) {
	t.Helper()
	srv.Write(t, func(tx *db.Tx) (err error) {
		var a accounts.Account
		if a, err = srv.App.Accounts.Find(tx, userID); err != nil {
			return err
		}
		cookie, err = srv.App.OAuth.SignInBrowser(tx, a, &httpapi.Call{Addr: netip.MustParseAddr("127.0.0.1")})
		return err
	})
	return cookie
}

// answerTo makes the request, and says in short what is answered.
func answerTo(t *testing.T, srv *apitest.Server, r httpapi.Route, path string, header http.Header) string {
	t.Helper()
	body := ""
	if r.Method != http.MethodGet {
		body = "{}"
	}
	if r.Errors == httpapi.PageErrors || r.Errors == httpapi.OAuthErrors {
		body = ""
		header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	req, err := http.NewRequestWithContext(t.Context(), r.Method, srv.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, values := range header {
		req.Header[name] = values
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(resp.Body); err != nil {
		t.Fatal(err)
	}
	var failure struct {
		Code  string `json:"errcode"`
		OAuth string `json:"error"`
	}
	_ = json.Unmarshal(answer.Bytes(), &failure) // a page is no JSON
	switch {
	case failure.Code != "":
		return fmt.Sprint(resp.StatusCode, " ", failure.Code)
	case failure.OAuth != "":
		return fmt.Sprint(resp.StatusCode, " ", failure.OAuth)
	}
	if to, err := url.Parse(resp.Header.Get("Location")); err == nil && to.Path != "" {
		return fmt.Sprint(resp.StatusCode, " to ", to.Path)
	}
	return fmt.Sprint(resp.StatusCode)
}
