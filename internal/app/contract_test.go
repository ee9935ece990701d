package app_test

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// values are what the tests put in the places of a path.
var values = map[string]string{
	"roomId": "!unknown:narthex.test", "roomIdOrAlias": "!unknown:narthex.test", "roomAlias": "%23unknown:narthex.test",
	"userId": "@nobody:narthex.test", "eventId": "$unknown", "parentId": "$unknown", "threadRootEventId": "$unknown",
	"kind": "override", "$": "",
}

// places lists the parameters in a path.
func places(r httpapi.Route) (names []string) {
	for segment := range strings.SplitSeq(r.Path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok {
			names = append(names, strings.TrimSuffix(name, "}"))
		}
	}
	return names
}

// sample is a path of the route with something valid in each place, but for those
// in other.
func sample(r httpapi.Route, other map[string]string) string {
	path := r.Path
	for _, name := range places(r) {
		value, ok := other[name]
		if !ok {
			if value, ok = values[name]; !ok {
				value = "x"
			}
		}
		path = strings.ReplaceAll(path, "{"+name+"}", value)
	}
	return path
}

func authenticated(r httpapi.Route) bool { return r.Auth == httpapi.User || r.Auth == httpapi.Admin }

// expires gives a user's token that has run out.
func expired(t *testing.T, srv *apitest.Server, c *apitest.Client) *apitest.Client {
	t.Helper()
	old := *c
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
		old.Token, err = srv.App.OAuth.IssueToken(tx, c.UserID, c.DeviceID, time.Second)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Advance(2 * time.Second)
	return &old
}

func change(t *testing.T, srv *apitest.Server, f func(tx *db.Tx) error) {
	t.Helper()
	if err := srv.App.DB.Write(t.Context(), f); err != nil {
		t.Fatal(err)
	}
}

// TestImpliedCodes provokes, on every route, what its kind of caller implies.
func TestImpliedCodes(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	wrong := *alice
	wrong.Token = alice.Token[:len(alice.Token)-1] + "_"
	old := expired(t, srv, alice)

	locked := srv.Administrator(t, "locked")
	suspended := srv.Administrator(t, "suspended")
	guestID, _ := id.NewUserID("12", apitest.ServerName)
	change(t, srv, func(tx *db.Tx) error {
		if err := srv.App.Accounts.Insert(tx, accounts.Account{UserID: guestID, Guest: true}); err != nil {
			return err
		}
		if err := srv.App.Accounts.SetSuspended(tx, suspended.UserID, true, "test"); err != nil {
			return err
		}
		return srv.App.Accounts.SetLocked(tx, locked.UserID, true, "test")
	})
	guest := srv.Device(t, guestID, "GUEST")

	for _, r := range srv.App.Routes() {
		if r.Auth == httpapi.Anyone {
			continue
		}
		path := sample(r, nil)
		if authenticated(r) {
			srv.Anyone().Do(t, r.Method, path, nil).Fails(t, srv, errcode.MissingToken)
		}
		wrong.Do(t, r.Method, path, nil).Fails(t, srv, errcode.UnknownToken)
		old.Do(t, r.Method, path, nil).Fails(t, srv, errcode.ExpiredToken)
		if !r.ForLocked {
			locked.Do(t, r.Method, path, nil).Fails(t, srv, errcode.UserLocked)
		}
		if !r.ForSuspended {
			suspended.Do(t, r.Method, path, nil).Fails(t, srv, errcode.UserSuspended)
		}
		if !r.ForGuests {
			guest.Do(t, r.Method, path, nil).Fails(t, srv, errcode.GuestAccessForbidden)
		}
		if r.Auth == httpapi.Admin {
			alice.Do(t, r.Method, path, nil).Fails(t, srv, errcode.Forbidden)
		}
	}
}

// TestEC3_EveryLimitedRouteSaysWhenToComeBack uses up the budget of each class and
// then asks every route of it.
func TestEC3_EveryLimitedRouteSaysWhenToComeBack(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) {
		c.Dev = false
		slow := config.Rate{PerSecond: 0.001, Burst: 1}
		c.RateLimits = config.RateLimits{Enabled: true, Cheap: slow, Sending: slow, Login: slow, Registration: slow, Validation: slow, Expensive: slow}
	})
	root := srv.Administrator(t, "root")
	type spent struct {
		class httpapi.Class
		token bool
	}
	seen := map[spent]bool{}
	for _, r := range srv.App.Routes() {
		if r.Class == httpapi.Unlimited || r.OwnLimit {
			continue
		}
		as := root
		if r.Auth == httpapi.Anyone {
			as = srv.Anyone()
		}
		key := spent{r.Class, as == root}
		if !seen[key] {
			seen[key] = true
			as.Do(t, r.Method, sample(r, nil), nil)
		}
		answer := as.Do(t, r.Method, sample(r, nil), nil).Fails(t, srv, errcode.LimitExceeded)
		if after := answer.Header.Get("Retry-After"); after == "" || after == "0" {
			t.Errorf("%s: Retry-After is %q", r, after)
		}
	}
}

// params lists the fields of a request type that come from one place.
func params(r httpapi.Route, in string) (fields []reflect.StructField) {
	if r.Request == nil {
		return nil
	}
	for i := range r.Request.NumField() {
		if f := r.Request.Field(i); f.Tag.Get(in) != "" && f.Tag.Get(in) != "-" {
			fields = append(fields, f)
		}
	}
	return fields
}

func name(f reflect.StructField, in string) string {
	n, _, _ := strings.Cut(f.Tag.Get(in), ",")
	return n
}

func takesBody(r httpapi.Route) bool {
	return r.Method != "GET" && (len(params(r, "json")) > 0 || len(params(r, "body")) > 0)
}

// query is a query with all that is required.
func query(r httpapi.Route, more string) string {
	parts := []string{more}
	for _, f := range params(r, "query") {
		if strings.HasSuffix(f.Tag.Get("query"), ",required") && !strings.HasPrefix(more, name(f, "query")+"=") {
			parts = append(parts, name(f, "query")+"="+map[bool]string{true: "b", false: "1"}[name(f, "query") == "dir"])
		}
	}
	return "?" + strings.Trim(strings.Join(parts, "&"), "&")
}

// TestMalformedRequests sends, to every route, what is wrong in each place of it.
// The answer is a 4xx that names the parameter; never a fault.
func TestMalformedRequests(t *testing.T) {
	srv := apitest.New(t)
	root := srv.Administrator(t, "root")
	for _, r := range srv.App.Routes() {
		t.Run(r.Op, func(t *testing.T) {
			for _, f := range params(r, "path") {
				path := sample(r, map[string]string{name(f, "path"): "%ff"})
				root.Do(t, r.Method, path+query(r, ""), "{}").Fails(t, srv, errcode.InvalidParam)
			}
			path := sample(r, nil)
			for _, f := range params(r, "query") {
				root.Do(t, r.Method, path+query(r, name(f, "query")+"=%ff"), "{}").Fails(t, srv, errcode.InvalidParam)
				if strings.HasSuffix(f.Tag.Get("query"), ",required") && !takesBody(r) {
					root.Do(t, r.Method, path, nil).Fails(t, srv, errcode.MissingParam)
				}
			}
			if r.TakesForm() {
				malformedForms(t, root, r, path+query(r, ""))
			}
			if !takesBody(r) {
				return
			}
			path += query(r, "")
			root.Do(t, r.Method, path, `{"a":`).Fails(t, srv, errcode.NotJSON)
			root.Do(t, r.Method, path, `[]`).Fails(t, srv, errcode.BadJSON)
			root.Do(t, r.Method, path, `{"a":"`+strings.Repeat("a", int(r.MaxBody))+`"}`).Fails(t, srv, errcode.TooLarge)
			for _, f := range params(r, "json") {
				if f.Tag.Get("required") == "true" {
					root.Do(t, r.Method, path, `{}`).Fails(t, srv, errcode.MissingParam)
				}
			}
		})
	}
}

// malformedForms sends forms that cannot be read.
func malformedForms(t *testing.T, as *apitest.Client, r httpapi.Route, path string) {
	as.Do(t, r.Method, path, `{}`).Fails(t, as.Server, errcode.InvalidParam)
	as.Do(t, r.Method, path, url.Values{"a": {strings.Repeat("a", int(r.MaxBody))}}).Fails(t, as.Server, errcode.TooLarge)
	for _, f := range params(r, "form") {
		if f.Type.Kind() != reflect.Slice { // a list may come several times
			as.Do(t, r.Method, path, url.Values{name(f, "form"): {"1", "2"}}).Fails(t, as.Server, errcode.InvalidParam)
		}
		as.Do(t, r.Method, path, url.Values{name(f, "form"): {"\xff"}}) // whichever is found first
		if strings.HasSuffix(f.Tag.Get("form"), ",required") {
			as.Do(t, r.Method, path, url.Values{}).Fails(t, as.Server, errcode.MissingParam)
		}
	}
}

// TestOA41_NoOtherSiteCanSendAForm holds that every page refuses what a page of
// another site makes a browser send.
func TestOA41_NoOtherSiteCanSendAForm(t *testing.T) {
	srv := apitest.New(t)
	other := srv.Anyone()
	other.Header = http.Header{"Sec-Fetch-Site": {"cross-site"}}
	for _, r := range srv.App.Routes() {
		if r.Errors == httpapi.PageErrors && r.Method != "GET" {
			answer := other.Do(t, r.Method, sample(r, nil), url.Values{}).Fails(t, srv, errcode.Forbidden)
			if answer.Header.Get("Set-Cookie") != "" || answer.Header.Get("X-Frame-Options") != "DENY" {
				t.Errorf("%s: headers %v", r, answer.Header)
			}
		}
	}
}

// TestWrongMembersAreNeverAFault puts every kind of wrong value into each member of
// each body. Whatever the answer, it is no fault of the server's.
func TestWrongMembersAreNeverAFault(t *testing.T) {
	wrong := []string{`null`, `true`, `-1`, `1.5`, `1e400`, `9007199254740993`, `""`, `"a\u0000b"`, `"\u202e"`, `[]`, `[null]`, `["x",1]`, `{}`, `{"a":{"b":[1]}}`,
		`"` + strings.Repeat("é", 300) + `"`}
	srv := apitest.New(t)
	root := srv.Administrator(t, "root")
	room := root.CreateRoom(t)
	for _, r := range srv.App.Routes() {
		if !takesBody(r) || slices.Contains([]string{"logout", "logout_all", "deactivateAccount"}, r.Op) {
			continue
		}
		path := sample(r, map[string]string{"roomId": apitest.Escape(room.ID), "userId": apitest.Escape(root.UserID)}) + query(r, "")
		fields := params(r, "json")
		for _, f := range fields {
			for _, value := range wrong {
				// The other members are plausible, so that this one is reached.
				body := fmt.Sprintf(`{%q:%s%s}`, name(f, "json"), value, others(fields, f))
				answer := root.Do(t, r.Method, path, body)
				if answer.Status >= 500 {
					t.Errorf("%s with %s: %d %s\n%s", r, body, answer.Status, answer.Body, lastLines(srv.Log.String()))
				}
			}
		}
	}
}

func others(fields []reflect.StructField, but reflect.StructField) string {
	var b strings.Builder
	for _, f := range fields {
		if f.Name != but.Name && f.Tag.Get("required") == "true" && f.Type.Kind() == reflect.String {
			value := "x"
			switch f.Type {
			case reflect.TypeFor[id.UserID]():
				value = "@nobody:narthex.test"
			case reflect.TypeFor[id.RoomID]():
				value = "!unknown:narthex.test"
			}
			fmt.Fprintf(&b, ",%q:%q", name(f, "json"), value)
		}
	}
	return b.String()
}

func lastLines(log string) string {
	return log[max(0, len(log)-2000):]
}
