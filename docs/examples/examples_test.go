// Package examples_test holds that the programs in the documents are those that are
// here, and that they do what the documents say.
package examples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

func TestMain(m *testing.M) { apitest.Main(m) }

// TestDocumentQuotesThePrograms holds that every Go block of the document is a
// program, or a part of one, and that both programs are there whole.
func TestDocumentQuotesThePrograms(t *testing.T) {
	document := read(t, "../sign-in-with-qr.md")
	sources := []string{read(t, "new-device/main.go"), read(t, "existing-device/main.go")}
	blocks := regexp.MustCompile("(?ms)^```go\n(.*?)^```$").FindAllStringSubmatch(document, -1)
	whole := 0
	for _, b := range blocks {
		found := false
		for _, s := range sources {
			found = found || strings.Contains(s, b[1])
			if s == b[1] {
				whole++
			}
		}
		if !found {
			t.Errorf("this is in the document, and in no program under docs/examples:\n%s", b[1])
		}
	}
	if whole != len(sources) {
		t.Errorf("%d of %d programs are in the document", whole, len(sources))
	}
}

// TestDocumentHasEveryReason holds that the table of failures is complete.
func TestDocumentHasEveryReason(t *testing.T) {
	document := read(t, "../sign-in-with-qr.md")
	for _, r := range []qr.Reason{
		qr.AuthorizationExpired, qr.DeviceAlreadyExists, qr.DeviceNotFound, qr.UnexpectedMessage, qr.UnsupportedProtocol, qr.UserCancelled,
		qr.UnableToOpenURI, qr.Declined, qr.SessionOver, qr.Conflict, qr.WrongCheckCode, qr.WrongIntent, qr.Insecure, qr.NotReady, qr.Broken,
	} {
		if !strings.Contains(document, "\n| `"+string(r)+"` |") {
			t.Errorf("the table has no row for %s", r)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// TestProgramsSignIn plays the programs against a server, each of them showing the
// code once.
func TestProgramsSignIn(t *testing.T) {
	dbtest.SQLiteAlone(t, "the programs meet a server, not its database")
	programs := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", programs+string(filepath.Separator), "./new-device", "./existing-device")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for name, newShows := range map[string]bool{"the new device shows": true, "the existing device shows": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := apitest.New(t)
			alice := srv.User(t, "alice")
			folder := t.TempDir()
			keepAccount(t, alice, filepath.Join(folder, "laptop.json"))
			newcomer := program{exec.CommandContext(t.Context(), filepath.Join(programs, "new-device"), "-server", srv.URL), nil, nil}
			existing := program{exec.CommandContext(t.Context(), filepath.Join(programs, "existing-device")), nil, nil}
			newcomer.Dir, existing.Dir = folder, folder
			shows, scans := &existing, &newcomer
			if newShows {
				shows, scans = &newcomer, &existing
			}
			shows.start(t)
			scans.Args = append(scans.Args, "-code", shows.says(t, "as text: "))
			scans.start(t)
			shows.answers(t, scans.says(t, "Type on the other device: "))
			address, err := url.Parse(existing.says(t, "the code of the new device: "))
			if err != nil {
				t.Fatal(err)
			}
			userCode := address.Query().Get("user_code")
			if shown := newcomer.says(t, "It must show this code: "); shown != userCode {
				t.Errorf("the page has the code %s, and the new device %s", userCode, shown)
			}
			srv.Write(t, func(tx *db.Tx) error {
				_, err := srv.App.OAuth.ApproveDevice(tx, alice.UserID, userCode)
				return err
			})
			newcomer.says(t, "Signed in as "+string(alice.UserID))
			newcomer.says(t, "This device is verified.")
			existing.says(t, "The new device is signed in and has the keys.")
			for _, p := range []*program{&newcomer, &existing} {
				rest, _ := io.ReadAll(p.out)
				if err := p.Wait(); err != nil || strings.Contains(string(rest), "not used") {
					t.Errorf("%s: %v\n%s", p.Args, err, rest)
				}
			}
		})
	}
}

// keepAccount makes keys and a key backup for a device, and a file as narthex signin
// password writes it.
func keepAccount(t *testing.T, c *apitest.Client, file string) {
	t.Helper()
	identity, err := crosssigning.NewIdentity(string(c.UserID))
	if err != nil {
		t.Fatal(err)
	}
	upload, err := identity.Upload(nil)
	if err != nil {
		t.Fatal(err)
	}
	c.Do(t, "POST", "/_matrix/client/v3/keys/device_signing/upload", upload).OK(t, nil)
	key, err := secretstorage.NewBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	version, err := key.Version(string(c.UserID), identity.Master)
	if err != nil {
		t.Fatal(err)
	}
	c.Do(t, "POST", "/_matrix/client/v3/room_keys/version", version).OK(t, nil)
	raw, err := json.Marshal(map[string]any{
		"base_url": c.Server.URL, "user_id": c.UserID, "access_token": c.Token, "cross_signing": identity.Secrets(),
		"backup": qr.Backup{Algorithm: secretstorage.BackupAlgorithm, Key: key.Secret(), Version: "1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, raw, 0o600); err != nil {
		t.Fatal(err)
	}
}

// program is one of the programs, running.
type program struct {
	*exec.Cmd
	in  io.Writer
	out *bufio.Reader
}

func (p *program) start(t *testing.T) {
	t.Helper()
	in, err := p.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Stderr = p.Stdout // into the same pipe
	p.in, p.out = in, bufio.NewReader(out)
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
}

// says waits for a line with the words, and gives what follows them.
func (p *program) says(t *testing.T, words string) string {
	t.Helper()
	var before strings.Builder
	for {
		line, err := p.out.ReadString('\n')
		if _, after, ok := strings.Cut(line, words); ok {
			return strings.TrimSpace(after)
		}
		before.WriteString(line)
		if err != nil {
			t.Fatalf("%s ended before %q:\n%s", p.Path, words, before.String())
		}
	}
}

func (p *program) answers(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p.in, text+"\n"); err != nil {
		t.Fatal(err)
	}
}
