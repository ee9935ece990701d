package adminpages_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

const newToken = "/admin/tokens/new"

func TestTokens(t *testing.T) {
	srv, root := begin(t)
	root.Get(t, "/admin/tokens").Shows(t, 200, "There are none.")
	root.Get(t, newToken).Shows(t, 200, "Accounts made with it need no approval")
	root.Post(t, newToken, form("token", "friends", "limit", "2", "days", "30", "preapproved", "yes")).Goes(t, "/admin/tokens?done=made&fresh="+marked("friends"))
	link := srv.URL + "/register?token=friends"
	root.Get(t, "/admin/tokens?done=made&fresh="+marked("friends")).Shows(t, 200, "The token is made.", "friends", "0 of 2", "approved at once", link)
	wantAudit(t, srv, mark("friends"), regexp.MustCompile(`root create_registration_token .*`).FindString(auditLine(t, srv, mark("friends"))))
	for _, l := range exported(t, srv) {
		if l.Target == "friends" || strings.Contains(string(l.Details), "friends") {
			t.Errorf("the audit log gives the token away: %+v", l)
		}
	}

	// The link leads to the page, and whoever follows it needs no approval.
	alice := apitest.Surf(t, srv)
	alice.Get(t, "/register?token=friends").Shows(t, 200, "Registration token")
	alice.Post(t, "/register", form("registration_token", "friends", "username", "alice", "password", apitest.Password, "password_again", apitest.Password)).Goes(t, "/account")
	login(t, srv, "alice").OK(t, nil)
	apitest.Surf(t, srv).Get(t, "/register").Shows(t, 200).Without(t, "Registration token")
	root.Get(t, "/admin/tokens").Shows(t, 200, "1 of 2")

	srv.Advance(31 * 24 * time.Hour)
	bob := apitest.Surf(t, srv)
	bob.Get(t, "/register?token=friends")
	bob.Post(t, "/register", form("registration_token", "friends", "username", "bob", "password", apitest.Password, "password_again", apitest.Password)).
		Shows(t, 400, "This registration token is not valid, or has been used up.")
	root = apitest.Surf(t, srv).SignIn(t, "root")
	root.Get(t, "/admin/tokens").Shows(t, 200, "cannot be used any more")

	root.Get(t, newToken)
	v := root.Post(t, newToken, form("token", " "))
	if !regexp.MustCompile(`^/admin/tokens\?done=made&fresh=[A-Za-z0-9]{4}%E2%80%A6[0-9a-f]{8}$`).MatchString(v.Location) {
		t.Fatalf("got %d to %q", v.Status, v.Location)
	}
	if made := root.Get(t, v.Location).Shows(t, 200, "never", "as usual"); strings.Count(made.HTML, `class="fresh"`) != 1 {
		t.Error("the new token is not the one that stands out")
	}
	if strings.Contains(root.Get(t, "/admin/tokens?fresh=friends").HTML, `class="fresh"`) {
		t.Error("a token stands out that is not new")
	}
}

func mark(token string) string { return accounts.RegistrationToken{Token: token}.Mark() }

// marked is mark as an address has it.
func marked(token string) string { return url.QueryEscape(mark(token)) }

func auditLine(t *testing.T, srv *apitest.Server, target string) string {
	t.Helper()
	lines := exported(t, srv)
	for _, l := range lines {
		if l.Target == target {
			return "root " + l.Action + " " + string(l.Details)
		}
	}
	t.Fatalf("no line about %s", target)
	return ""
}

func TestRevokeToken(t *testing.T) {
	_, root := begin(t, func(cfg *config.Config) { cfg.Registration.Enabled = false })
	root.Get(t, newToken)
	root.Post(t, newToken, form("token", "friends")).Goes(t, "/admin/tokens?done=made&fresh="+marked("friends"))
	root.Get(t, "/admin/tokens").Shows(t, 200, "Registration is switched off")
	root.Get(t, "/admin/tokens/revoke?token=friends").Shows(t, 200, "Revoke this token?", "friends")
	root.Post(t, "/admin/tokens/revoke", form("token", "friends")).Goes(t, "/admin/tokens?done=revoked")
	root.Get(t, "/admin/tokens?done=revoked").Shows(t, 200, "The token is revoked.", "There are none.")
	root.Get(t, "/admin/tokens/revoke?token=friends").Shows(t, 404, "There is no such registration token.")
	root.Get(t, "/admin/tokens")
	root.Get(t, newToken)
	root.Post(t, "/admin/tokens/revoke", form("token", "friends")).Shows(t, 404, "There is no such registration token.")
	root.Post(t, "/admin/tokens/revoke", form()).Shows(t, 404, "There is no such registration token.")
}

func TestMalformedTokens(t *testing.T) {
	_, root := begin(t)
	root.Get(t, newToken)
	root.Post(t, newToken, form("token", "friends")).Goes(t, "/admin/tokens?done=made&fresh="+marked("friends"))
	for text, f := range map[string][]string{
		"1 to 64 letters":         {"token", "two words", "limit", "5"},
		"such a registration":     {"token", "friends"},
		"from 1 to 1000000":       {"limit", "0"},
		"whole number from 1":     {"limit", "many"},
		"from 1 to 3650":          {"days", "99999"},
		"Enter a whole number":    {"days", "-1"},
		"given only once":         {"days", "1", "days", "2"},
		"Make a registration tok": {"token", "ä", "preapproved", "yes"},
	} {
		root.Get(t, newToken)
		v := root.Post(t, newToken, form(f...)).Shows(t, 400, text)
		if f[0] == "token" && len(f) == 4 {
			v.Shows(t, 400, "Text")
		}
	}
	root.Get(t, newToken+"?token=chess&limit=5&days=3&preapproved=yes").Shows(t, 200).Without(t, "ZgotmplZ")
}
