package adminpages_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// firstLink is the path of the link that the server prints.
func firstLink(t *testing.T, srv *apitest.Server) (path, token string) {
	t.Helper()
	link, err := srv.App.AdminPages.FirstLink(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	path, ok := strings.CutPrefix(link, srv.URL)
	_, token, _ = strings.Cut(path, "token=")
	if !ok || !strings.HasPrefix(token, "nxt_f_") {
		t.Fatalf("got %q", link)
	}
	return path, token
}

const notGood = "This link is not good any more"

func TestFirstAdministrator(t *testing.T) {
	srv := apitest.New(t, approvalRequired)
	srv.User(t, "alice")
	path, token := firstLink(t, srv)
	again, second := firstLink(t, srv) // another start, or another process
	s := apitest.Surf(t, srv)
	s.Get(t, path).Shows(t, 200, "Make the first administrator", "has no administrator yet")
	filled := func(more ...string) map[string][]string {
		f := form("token", token, "username", "root", "password", apitest.Password, "password_again", apitest.Password)
		for i := 0; i+1 < len(more); i += 2 {
			f.Set(more[i], more[i+1])
		}
		return f
	}
	post := func(more ...string) apitest.Seen { return s.Post(t, "/admin/first", filled(more...)) }
	post("form_token", "x").Shows(t, 403, "This form is out of date")
	post("username", " ").Shows(t, 400, "Choose a username.")
	post("username", "ä").Shows(t, 400)
	post("username", "alice").Shows(t, 400, "This username is taken.").Without(t, apitest.Password)
	post("password", "short").Shows(t, 400, "at least 8 characters")
	post("password_again", "another").Shows(t, 400, "The two passwords are not the same.")
	post("token", "nxt_f_none").Shows(t, 404, notGood)
	post("token", "").Shows(t, 404, notGood)
	s.Get(t, "/admin/first").Shows(t, 404, notGood)
	s.Get(t, "/admin/first?token="+token[:len(token)-1]+"x").Shows(t, 404, notGood)
	if account(t, srv, "alice").Admin {
		t.Error("alice is an administrator")
	}

	s.Get(t, path)
	post().Goes(t, "/admin")
	s.Get(t, "/admin").Shows(t, 200, "Administration")
	if a := account(t, srv, "root"); !a.Admin || a.Pending() {
		t.Errorf("%+v", a)
	}
	login(t, srv, "root").OK(t, nil)
	wantAudit(t, srv, "@root:narthex.test", ` create {"admin":true}`)
	for _, path := range []string{path, again} {
		s.Get(t, path).Shows(t, 404, notGood)
	}
	other := apitest.Surf(t, srv)
	other.Get(t, "/login")
	other.Post(t, "/admin/first", filled("username", "mallory", "token", second)).Shows(t, 404, notGood)
	login(t, srv, "mallory").Fails(t, srv, errcode.Forbidden)
	if link, err := srv.App.AdminPages.FirstLink(t.Context()); link != "" || err != nil {
		t.Errorf("there is another link, %q, %v", link, err)
	}
}

func TestFirstAdministratorTooLate(t *testing.T) {
	srv := apitest.New(t)
	path, token := firstLink(t, srv)
	s := apitest.Surf(t, srv)
	s.Get(t, path).Shows(t, 200)
	srv.Advance(25 * time.Hour)
	s.Get(t, path).Shows(t, 404, notGood)
	s.Post(t, "/admin/first", form("token", token, "username", "root", "password", apitest.Password, "password_again", apitest.Password)).Shows(t, 404, notGood)
	path, _ = firstLink(t, srv)
	s.Get(t, path).Shows(t, 200)
	srv.Administrator(t, "root")
	s.Get(t, path).Shows(t, 404, notGood)
}

// TestTwoFirstAdministratorsAtOnce has two people use the link at the same moment: one
// becomes the administrator, and the other nothing.
func TestTwoFirstAdministratorsAtOnce(t *testing.T) {
	srv := apitest.New(t)
	path, token := firstLink(t, srv)
	try := func(name string) func() (*apitest.Response, error) {
		s := apitest.Surf(t, srv)
		s.Get(t, path).Shows(t, 200)
		return func() (*apitest.Response, error) {
			v := s.Post(t, "/admin/first", form("token", token, "username", name, "password", apitest.Password, "password_again", apitest.Password))
			return &apitest.Response{Status: v.Status, Body: []byte(v.Text)}, nil
		}
	}
	got := srv.InTurn(t, "first administrator", "", nil, try("root"), try("second"))
	if got[0].Status != 303 || got[1].Status != 404 || !account(t, srv, "root").Admin {
		t.Errorf("got %d and %d", got[0].Status, got[1].Status)
	}
	login(t, srv, "second").Fails(t, srv, errcode.Forbidden)
}
