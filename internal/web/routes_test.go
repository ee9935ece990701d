package web_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// pagesOf gives the routes of the pages with a method.
func pagesOf(srv *apitest.Server, method string) (routes []httpapi.Route) {
	for _, r := range srv.App.Routes() {
		if r.Errors == httpapi.PageErrors && r.Method == method {
			routes = append(routes, r)
		}
	}
	return routes
}

// TestNoOtherSiteSendsForms holds that for every form, whoever is signed in.
func TestNoOtherSiteSendsForms(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	s.Header.Set("Sec-Fetch-Site", "cross-site")
	forms := pagesOf(srv, http.MethodPost)
	if len(forms) < 10 {
		t.Errorf("there are only %d forms", len(forms))
	}
	for _, r := range forms {
		s.Post(t, r.Path, nil).Shows(t, 403, "This form was sent by another website.")
	}
	s.Get(t, "/account").Shows(t, 200) // links from other sites work
}

var target = regexp.MustCompile(`(?:href|action)="(/[^"?#]*)`)

// TestLinksLeadSomewhere holds that every page there is can be opened, and that
// each link and form on it is served.
func TestLinksLeadSomewhere(t *testing.T) {
	srv := apitest.New(t, apitest.NewMailbox(t).Configure)
	srv.User(t, "alice")
	client := register(t, srv, "Element")
	device := ask(t, srv, client, "NEWDEVICE1")
	s := apitest.Surf(t, srv)
	served := map[string]bool{}
	for _, r := range srv.App.Routes() {
		served[r.Path] = true
	}
	check := func(v apitest.Seen) {
		t.Helper()
		for _, m := range target.FindAllStringSubmatch(v.HTML, -1) {
			if path := m[1]; !served[path] && !strings.HasPrefix(path, "/assets/") {
				t.Errorf("a page leads to %s, which is not served:\n%s", path, v.Text)
			}
		}
	}
	for _, path := range []string{"/login", "/register", "/signed-out"} {
		check(s.Get(t, path).Shows(t, 200))
	}
	s.SignIn(t, "alice")
	for _, r := range pagesOf(srv, http.MethodGet) {
		path := map[string]string{
			"showConsent": authorizePath(client, "NEWDEVICE1"), "showSSO": "/sso?redirect_url=https%3A%2F%2Fchat.example.net%2F",
			"showLink": "/link?user_code=" + device.UserCode, "showSession": "/account/session?device_id=DEVICE1",
		}[r.Op]
		if path == "" {
			path = strings.ReplaceAll(r.Path, "{name}", "none")
		}
		check(s.Get(t, path))
	}
	check(s.Get(t, "/link"))
	check(s.Post(t, "/link", nil))
}

// TestFaultsOfTheServer holds that a fault has a page, too, which tells its number
// and nothing else.
func TestFaultsOfTheServer(t *testing.T) {
	srv := apitest.New(t)
	srv.User(t, "alice")
	s := apitest.Surf(t, srv).SignIn(t, "alice")
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := tx.Exec(`DROP TABLE browser_sessions`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Get(t, "/account").Shows(t, 500, "Something went wrong here", "Number of this request, for an administrator:").Without(t, "browser_sessions", "SQL", "table")
}
