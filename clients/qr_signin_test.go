package clients_test

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
)

// theirKeys are what a device of js-sdk knows of its account.
type theirKeys struct {
	Available     bool   `json:"available"`
	UserID        string `json:"userId"`
	Master        string `json:"master"`
	BackupKey     string `json:"backupKey"`
	BackupVersion string `json:"backupVersion"`
}

type negotiated struct {
	ServerName string `json:"serverName"`
	CheckCode  string `json:"checkCode"`
}

type asked struct {
	Page     string `json:"verificationUri"`
	UserCode string `json:"userCode"`
}

// TestQRSignInWithMatrixJSSDK signs devices in between js-sdk in Chromium and our
// library: each of them is the new device once and the existing one once, and each
// of them shows the code once and scans it once. The person agrees on the server's
// page, in another browser.
func TestQRSignInWithMatrixJSSDK(t *testing.T) {
	js := hireInBrowser(t, "qr-browser.mjs")
	srv := apitest.New(t)
	t.Run("of ours", func(t *testing.T) { signInOurs(t, js, srv) })
	t.Run("of theirs", func(t *testing.T) { signInTheirs(t, js, srv) })
}

func signInOurs(t *testing.T, js *worker, srv *apitest.Server) {
	alice := srv.User(t, "alice")
	b := browsertest.New(t, srv.URL)
	var theirs theirKeys
	js.must(t, "existing", existingOrder(alice), &theirs)
	if !theirs.Available {
		t.Fatal("js-sdk does not offer to sign in with a QR code")
	}
	for _, weShow := range []bool{false, true} {
		t.Run("the new device "+map[bool]string{true: "shows", false: "scans"}[weShow], func(t *testing.T) {
			n := newNewcomer(t, srv)
			var done <-chan error
			if weShow {
				done = begin(func() error { return shows(t.Context(), srv.URL, n.Show) })
				js.must(t, "scan", order{"name": t.Name(), "client": "alice", "code": n.code(t)}, nil)
			} else {
				var shown struct{ Code string }
				js.must(t, "show", order{"name": t.Name(), "client": "alice"}, &shown)
				done = begin(func() error { return scans(t.Context(), shown.Code, n.Scan) })
			}
			var met negotiated
			js.must(t, "negotiate", order{"name": t.Name()}, &met)
			n.compares(t, weShow, met.CheckCode)
			var page asked
			js.must(t, "grant", order{"name": t.Name()}, &page)
			agree(t, b, page.Page, "alice", n.grant.UserCode)
			js.must(t, "share", order{"name": t.Name()}, nil)
			if err := <-done; err != nil {
				t.Fatal(err)
			}

			if n.as.UserID != alice.UserID {
				t.Errorf("signed in as %s", n.as.UserID)
			}
			verified(t, n.as, string(n.as.DeviceID), theirs.Master)
			js.must(t, "trusts", order{"client": "alice", "deviceId": n.as.DeviceID}, nil)
			backupFits(t, n.as, n.given.Backup)
			if n.given.Backup.Key != theirs.BackupKey || n.given.Backup.Version != theirs.BackupVersion {
				t.Errorf("got the key of the backup %+v, not %+v", n.given.Backup, theirs)
			}
		})
	}
}

func signInTheirs(t *testing.T, js *worker, srv *apitest.Server) {
	bob := srv.User(t, "bob")
	h := newHost(t, bob)
	b := browsertest.New(t, srv.URL)
	for _, weShow := range []bool{false, true} {
		t.Run("the new device "+map[bool]string{true: "scans", false: "shows"}[weShow], func(t *testing.T) {
			h := h.another()
			var done <-chan error
			if weShow {
				done = begin(func() error { return shows(t.Context(), srv.URL, h.Show) })
				js.must(t, "scan", order{"name": t.Name(), "code": h.code(t)}, nil)
			} else {
				var shown struct{ Code string }
				js.must(t, "show", order{"name": t.Name(), "baseUrl": srv.URL}, &shown)
				done = begin(func() error { return scans(t.Context(), shown.Code, h.Scan) })
			}
			var met negotiated
			js.must(t, "negotiate", order{"name": t.Name()}, &met)
			h.compares(t, weShow, met.CheckCode)
			if !weShow {
				var found struct{ State, BaseURL string }
				js.must(t, "discover", order{"serverName": met.ServerName}, &found)
				if found.State != "SUCCESS" || found.BaseURL != srv.URL {
					t.Errorf("js-sdk is told that the homeserver is %q, and finds %+v", met.ServerName, found)
				}
			}
			deviceID := map[bool]string{true: "JSSDKSCANS", false: "JSSDKSHOWS/+"}[weShow]
			var page asked
			js.must(t, "grant", order{"name": t.Name(), "baseUrl": srv.URL, "deviceId": deviceID}, &page)
			opened, err := take(t.Context(), h.asked)
			if err != nil || opened != page.Page {
				t.Fatalf("we open %q, js-sdk asked for %q: %v", opened, page.Page, err)
			}
			agree(t, b, opened, "bob", page.UserCode)
			h.answered <- struct{}{}
			js.must(t, "complete", order{"name": t.Name()}, nil)
			js.must(t, "share", order{"name": t.Name()}, nil)
			if err := <-done; err != nil {
				t.Fatal(err)
			}

			var theirs theirKeys
			js.must(t, "become", order{"name": t.Name()}, &theirs)
			want := theirKeys{UserID: string(bob.UserID), Master: h.identity.Master.Public(), BackupKey: h.backup.Secret(), BackupVersion: h.version}
			if theirs != want {
				t.Errorf("js-sdk has %+v, not %+v", theirs, want)
			}
			verified(t, bob, deviceID, h.identity.Master.Public())
			js.must(t, "trusts", order{"client": t.Name(), "deviceId": bob.DeviceID}, nil)
		})
	}
}

func existingOrder(as *apitest.Client) order {
	name, _, _ := strings.Cut(strings.TrimPrefix(string(as.UserID), "@"), ":")
	return order{"name": name, "baseUrl": as.Server.URL, "userId": as.UserID, "deviceId": as.DeviceID, "accessToken": as.Token}
}

// agree is a person who lets a device in, in the browser; the first time they have
// to sign in there.
func agree(t *testing.T, b *browsertest.Browser, page, localpart, userCode string) {
	t.Helper()
	b.Open(t, page)
	if b.Heading(t) == "Sign in" {
		b.Fill(t, "username", localpart)
		b.Fill(t, "password", apitest.Password)
		b.Press(t, "Sign in")
	}
	b.Shows(t, userCode)
	b.Tick(t, "This is my device.")
	b.Press(t, "Allow")
	if got := b.Heading(t); got != "The other device may sign in" {
		t.Fatalf("after agreeing, the page is %q", got)
	}
}
