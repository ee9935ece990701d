package accounts_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/identityserver"
	"github.com/narthex-matrix/narthex/internal/validation"
)

const identityV2 = "/_matrix/identity/v2"

// idServer is an identity server, as the users of a homeserver see it.
type idServer struct {
	*apitest.Server
	name  string
	mails *apitest.Mailbox
}

// withOwnIdentityService is a homeserver with the identity service in its process.
func withOwnIdentityService(t *testing.T, change ...func(*config.Config)) (*apitest.Server, idServer) {
	t.Helper()
	srv, mails := withMail(t, append(change, func(cfg *config.Config) { cfg.Identity.Enabled = true })...)
	return srv, idServer{srv, string(apitest.ServerName), mails}
}

// withForeignIdentityServer is a homeserver, and an identity server at the front. They
// reach each other over TLS and by no other way.
func withForeignIdentityServer(t *testing.T) (*apitest.Server, idServer, *apitest.Front) {
	t.Helper()
	reach, mails := apitest.ReachFronts(t), apitest.NewMailbox(t)
	homeFront, idFront := apitest.NewFront(t), apitest.NewFront(t)
	named := func(f *apitest.Front) func(*config.Config) {
		return func(cfg *config.Config) { cfg.ServerName, cfg.PublicURL = f.Name, f.URL }
	}
	home := apitest.New(t, reach, named(homeFront), func(cfg *config.Config) { cfg.Threepid.TrustedIdentityServers = []string{idFront.Name} })
	ids := apitest.New(t, reach, named(idFront), mails.Configure, func(cfg *config.Config) { cfg.Identity.Enabled = true })
	homeFront.Serve(home.App)
	idFront.Serve(ids.App)
	return home, idServer{ids, idFront.Name, mails}, idFront
}

// register gives a user of a homeserver a client with a token of the identity server.
func (s idServer) register(t *testing.T, user *apitest.Client) *apitest.Client {
	t.Helper()
	var openID object
	user.Do(t, "POST", "/_matrix/client/v3/user/"+string(user.UserID)+"/openid/request_token", object{}).OK(t, &openID)
	var got struct {
		Token string `json:"token"`
	}
	s.Anyone().Do(t, "POST", identityV2+"/account/register", openID).OK(t, &got)
	return &apitest.Client{Server: s.Server, UserID: user.UserID, Token: got.Token}
}

// ask begins a session at the identity server; validate ends it well.
func (s idServer) ask(t *testing.T, as *apitest.Client, address string) (sid string) {
	t.Helper()
	var got requested
	as.Do(t, "POST", identityV2+"/validate/email/requestToken", emailWish(address)).OK(t, &got)
	return got.SID
}

func (s idServer) validate(t *testing.T, as *apitest.Client, address string) (sid string) {
	t.Helper()
	sid = s.ask(t, as, address)
	if r := s.Anyone().Do(t, "GET", s.mails.Last(t, strings.ToLower(address)).Link(t, s.Server), nil); r.Status != http.StatusOK {
		t.Fatalf("following the link: got %d %s", r.Status, r.Body)
	}
	return sid
}

// bind has the homeserver bind an address that the user has validated.
func (s idServer) bind(t *testing.T, alice *apitest.Client, address string) {
	t.Helper()
	as := s.register(t, alice)
	alice.Do(t, "POST", bindPath, s.binding(as, s.validate(t, as, address))).OK(t, nil)
	if got := s.owner(t, as, strings.ToLower(address)); got != string(alice.UserID) {
		t.Fatalf("%s is bound to %q", address, got)
	}
}

// binding is the body of a request to bind.
func (s idServer) binding(as *apitest.Client, sid string) object {
	return with(creds(sid), object{"id_server": s.name, "id_access_token": as.Token})
}

// owner is whom the identity server names for an address, or "".
func (s idServer) owner(t *testing.T, as *apitest.Client, address string) string {
	t.Helper()
	var details struct {
		Pepper string `json:"lookup_pepper"`
	}
	as.Do(t, "GET", identityV2+"/hash_details", nil).OK(t, &details)
	hash := identityserver.LookupHash(validation.Email, address, details.Pepper)
	var found struct {
		Mappings map[string]string `json:"mappings"`
	}
	as.Do(t, "POST", identityV2+"/lookup", object{"algorithm": "sha256", "pepper": details.Pepper, "addresses": []string{hash}}).OK(t, &found)
	return found.Mappings[hash]
}

// bindings counts what a homeserver remembers: all, and those that are leaving.
func bindings(t *testing.T, srv *apitest.Server) [2]int64 {
	t.Helper()
	return [2]int64{count(t, srv, `SELECT COUNT(*) FROM threepid_bindings`), count(t, srv, `SELECT COUNT(*) FROM threepid_bindings WHERE leaving`)}
}

func expectBindings(t *testing.T, srv *apitest.Server, all, leaving int64) {
	t.Helper()
	if got := bindings(t, srv); got != [2]int64{all, leaving} {
		t.Errorf("the homeserver remembers %d bindings, %d of them leaving; want %d, %d", got[0], got[1], all, leaving)
	}
}

// unbindAs makes a request that unbinds and holds the result against the wanted one.
func unbindAs(t *testing.T, as *apitest.Client, path string, body object, want string) {
	t.Helper()
	var got struct {
		Result string `json:"id_server_unbind_result"`
	}
	if as.Do(t, "POST", path, body).OK(t, &got); got.Result != want {
		t.Errorf("got %q, want %q", got.Result, want)
	}
}

// atEither runs a test with the identity service in the homeserver's process, and with
// one elsewhere.
func atEither(t *testing.T, f func(t *testing.T, home *apitest.Server, ids idServer)) {
	t.Run("own", func(t *testing.T) {
		home, ids := withOwnIdentityService(t)
		f(t, home, ids)
	})
	t.Run("foreign", func(t *testing.T) {
		home, ids, _ := withForeignIdentityServer(t)
		f(t, home, ids)
	})
}

func TestTP72_Bind(t *testing.T) {
	atEither(t, func(t *testing.T, home *apitest.Server, ids idServer) {
		alice, bob := home.User(t, "alice"), home.User(t, "bob")
		ids.bind(t, alice, "Alice@example.org")
		ids.bind(t, alice, "alice@example.org") // once more
		expectBindings(t, home, 1, 0)
		if got := addresses(t, alice); got != `{"threepids":[]}` {
			t.Errorf("binding is not adding: got %s", got)
		}
		asAlice, asBob := ids.register(t, alice), ids.register(t, bob)
		validated := ids.binding(asAlice, ids.validate(t, asAlice, "alice@example.com"))
		bind := func(name string, as *apitest.Client, more object, want *errcode.Code) apitest.Case {
			return apitest.Case{Name: name, As: as, Do: "POST", Path: bindPath, Body: with(validated, more), Want: want}
		}
		apitest.Run(t, []apitest.Case{
			bind("an unknown session", alice, object{"sid": "unknown"}, errcode.NoValidSession),
			bind("a wrong secret", alice, object{"client_secret": "other"}, errcode.NoValidSession),
			bind("not validated", alice, object{"sid": ids.ask(t, asAlice, "new@example.com")}, errcode.SessionNotValidated),
			bind("no token of the identity server", alice, object{"id_access_token": "nxt_i_x"}, errcode.IdentityUnauthorized),
			bind("the token of the homeserver", alice, object{"id_access_token": alice.Token}, errcode.IdentityUnauthorized),
			bind("the token of another user", alice, object{"id_access_token": asBob.Token}, errcode.NotYours),
			bind("for another user", bob, nil, errcode.NotYours),
			bind("an identity server that is not trusted", alice, object{"id_server": "id.example.org"}, errcode.ServerNotTrusted),
			bind("no identity server at all", alice, object{"id_server": "https://" + ids.name}, errcode.ServerNotTrusted),
			bind("malformed", alice, object{"sid": 5}, errcode.BadJSON),
			bind("without an identity server", alice, object{"id_server": nil}, errcode.MissingParam),
			bind("by nobody", home.Anyone(), nil, errcode.MissingToken),
		})
		ids.Advance(25 * time.Hour)
		home.Device(t, alice.UserID, "NEW").Do(t, "POST", bindPath, validated).Fails(t, home, errcode.SessionExpired)
		expectBindings(t, home, 1, 0)
	})
}

// TestTP72_BindBeforeAcceptance holds that the terms of the identity server are asked
// for by the client, not by the homeserver.
func TestTP72_BindBeforeAcceptance(t *testing.T) {
	srv, ids := withOwnIdentityService(t, func(cfg *config.Config) {
		cfg.Identity.Terms = []string{"terms 1 en https://example.org/terms Terms"}
	})
	alice := srv.User(t, "alice")
	as := ids.register(t, alice)
	alice.Do(t, "POST", bindPath, ids.binding(as, "any")).Fails(t, srv, errcode.TermsNotSigned)
	as.Do(t, "POST", identityV2+"/terms", object{"user_accepts": []string{"https://example.org/terms"}}).OK(t, nil)
	ids.bind(t, alice, "alice@example.org")
}

// TestTP72_NamesOfTheOwnService holds that the identity service in the same process is
// known by the names that clients have for it, while it is switched on.
func TestTP72_NamesOfTheOwnService(t *testing.T) {
	srv, ids := withOwnIdentityService(t)
	alice := srv.User(t, "alice")
	ids.name = strings.TrimPrefix(srv.URL, "http://")
	ids.bind(t, alice, "alice@example.org")
	expectBindings(t, srv, 1, 0)
	off := apitest.New(t)
	bob := off.User(t, "bob")
	bob.Do(t, "POST", bindPath, with(creds("x"), object{"id_server": apitest.ServerName, "id_access_token": "x"})).Fails(t, off, errcode.ServerNotTrusted)
}

func TestTP73_DeleteUnbinds(t *testing.T) {
	atEither(t, func(t *testing.T, home *apitest.Server, ids idServer) {
		alice, bob := home.User(t, "alice"), home.User(t, "bob")
		ids.bind(t, alice, "alice@example.org")
		ids.bind(t, bob, "bob@example.org")
		own(t, home, alice.UserID, "email", "alice@example.org")
		as := ids.register(t, alice)
		unbindAs(t, alice, deletePath, object{"medium": "email", "address": "bob@example.org"}, "no-support")
		unbindAs(t, alice, deletePath, object{"medium": "email", "address": "ALICE@example.org"}, "success")
		if got := addresses(t, alice); got != `{"threepids":[]}` {
			t.Errorf("the account has %s", got)
		}
		if got := ids.owner(t, as, "alice@example.org"); got != "" {
			t.Errorf("still bound to %s", got)
		}
		if got := ids.owner(t, as, "bob@example.org"); got != string(bob.UserID) {
			t.Errorf("bob's address is bound to %q", got)
		}
		expectBindings(t, home, 1, 0)
		unbindAs(t, alice, deletePath, object{"medium": "email", "address": "alice@example.org"}, "no-support")
		home.Advance(time.Hour)
		home.RunJobs(t) // of what is done already
		expectBindings(t, home, 1, 0)
	})
}

func TestTP74_UnbindKeepsTheAddress(t *testing.T) {
	atEither(t, func(t *testing.T, home *apitest.Server, ids idServer) {
		alice := home.User(t, "alice")
		ids.bind(t, alice, "alice@example.org")
		own(t, home, alice.UserID, "email", "alice@example.org")
		body := object{"medium": "email", "address": "alice@example.org"}
		unbindAs(t, alice, unbindPath, body, "success")
		if got := addresses(t, alice); !strings.Contains(got, "alice@example.org") {
			t.Errorf("the account has %s", got)
		}
		as := ids.register(t, alice)
		if got := ids.owner(t, as, "alice@example.org"); got != "" {
			t.Errorf("still bound to %s", got)
		}
		expectBindings(t, home, 0, 0)

		// What a client has bound by itself the homeserver unbinds where it is told.
		as.Do(t, "POST", identityV2+"/3pid/bind", with(creds(ids.validate(t, as, "alice@example.org")), object{"mxid": alice.UserID})).OK(t, nil)
		unbindAs(t, alice, unbindPath, body, "no-support")
		unbindAs(t, alice, unbindPath, with(body, object{"id_server": ids.name}), "success")
		if got := ids.owner(t, as, "alice@example.org"); got != "" {
			t.Errorf("still bound to %s", got)
		}
		expectBindings(t, home, 0, 0)
	})
}

// TestTP74_DeactivationUnbinds holds that nothing is published of a closed account,
// whoever has closed it.
func TestTP74_DeactivationUnbinds(t *testing.T) {
	atEither(t, func(t *testing.T, home *apitest.Server, ids idServer) {
		alice, bob, carol := home.User(t, "alice"), home.User(t, "bob"), home.User(t, "carol")
		as := ids.register(t, carol)
		const path = "/_matrix/client/v3/account/deactivate"
		ids.bind(t, alice, "alice@example.org")
		ids.bind(t, alice, "alice@example.com")
		ids.bind(t, bob, "bob@example.org")
		unbindAs(t, alice, path, object{"auth": byPassword("alice", apitest.Password, "")}, "success")
		unbindAs(t, carol, path, object{"auth": byPassword("carol", apitest.Password, "")}, "success") // nothing to unbind
		expectBindings(t, home, 1, 0)
		write(t, home, func(tx *db.Tx) error { return home.App.Accounts.Deactivate(tx, bob.UserID, admin, true) })
		expectBindings(t, home, 1, 1)
		home.Advance(2 * time.Minute)
		home.RunJobs(t)
		expectBindings(t, home, 0, 0)
		for _, address := range []string{"alice@example.org", "alice@example.com", "bob@example.org"} {
			if got := ids.owner(t, as, address); got != "" {
				t.Errorf("%s is still bound to %s", address, got)
			}
		}
	})
}
