package upstream_test

import (
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// TestClosedAccountsAreForgotten holds that what the provider calls the owner of a closed
// account goes, and that the owner does not come back as somebody new all the same.
func TestClosedAccountsAreForgotten(t *testing.T) {
	p := newProvider(t)
	srv := server(t, []config.Provider{p.entry("example")})
	p.signIn(t, apitest.Surf(t, srv), srv, "/account").Goes(t, "/account")
	refused := func() {
		t.Helper()
		p.signIn(t, apitest.Surf(t, srv), srv, "/account").Shows(t, 403, "Your account on this server is closed, or was refused.")
	}
	links := func() (n int) {
		t.Helper()
		srv.Read(t, func(tx *db.Tx) (err error) {
			n, err = db.Value[int](tx, `SELECT COUNT(*) FROM upstream_links`)
			return err
		})
		return n
	}
	srv.Write(t, func(tx *db.Tx) error { return srv.App.Accounts.Deactivate(tx, "@alice:narthex.test", "test", false) })
	refused()
	if n := links(); n != 1 {
		t.Errorf("there are %d links before the job", n)
	}
	srv.RunJobs(t)
	if n := links(); n != 0 {
		t.Errorf("there are %d links after the job", n)
	}
	refused()
	p.person("8", "bob")
	s := apitest.Surf(t, srv)
	p.signIn(t, s, srv, "/account").Goes(t, "/account")
	s.Get(t, "/account").Shows(t, 200, "@bob:narthex.test")
}
