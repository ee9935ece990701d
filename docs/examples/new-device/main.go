// Command new-device signs this device in with a QR code. It is the program of
// docs/sign-in-with-qr.md.
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"time"

	qrimage "rsc.io/qr" // any library that takes bytes will do

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

func main() {
	server := flag.String("server", "http://127.0.0.1:8008", "where to meet, if this device shows the code")
	code := flag.String("code", "", "the code of the other device, in base64; without it this device shows one")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *server, *code); err != nil {
		fmt.Fprintln(os.Stderr, err) // of a *qr.Failure, a sentence for the person
		os.Exit(1)
	}
}

// device is what the callbacks share.
type device struct {
	library  signin.Client
	server   string
	home     *signin.Homeserver
	clientID string
	grant    *signin.DeviceGrant
	tokens   signin.Tokens
	session  *signin.Transport
}

func run(ctx context.Context, server, code string) error {
	d := &device{server: server}
	driver := qr.NewDevice{
		Screen:        qr.Screen{ShowCode: showCode, AskDigits: askDigits, ShowDigits: showDigits},
		Discover:      d.discover,
		StartGrant:    d.start,
		ShowUserCode:  d.showUserCode,
		PollToken:     d.poll,
		KeepSession:   d.keep,
		ImportSecrets: d.adopt,
	}
	if code != "" {
		scanned, err := base64.RawStdEncoding.DecodeString(code)
		if err != nil {
			return err
		}
		where, err := qr.Parse(scanned)
		if err != nil {
			return err
		}
		mailbox, err := qr.Open2024(ctx, where.RendezvousURL, qr.RendezvousOptions{})
		if err != nil {
			return err
		}
		return driver.Scan(ctx, qr.Deployed, where, mailbox)
	}
	found, err := d.library.Find(ctx, server)
	if err != nil {
		return err
	}
	mailbox, err := qr.Create2024(ctx, found.BaseURL, qr.RendezvousOptions{})
	if err != nil {
		return err
	}
	return driver.Show(ctx, qr.Deployed, qr.Payload{Generation: qr.Gen2024, RendezvousURL: mailbox.URL()}, mailbox)
}

// showCode makes a picture of the code. The text is for trying it out.
func showCode(_ context.Context, code []byte) error {
	picture, err := qrimage.Encode(string(code), qrimage.Q)
	if err != nil {
		return err
	}
	fmt.Println("The code is in code.png, and as text:", base64.RawStdEncoding.EncodeToString(code))
	return os.WriteFile("code.png", picture.PNG(), 0o600)
}

// askDigits returns when the context ends, too: then the other device has stopped.
func askDigits(ctx context.Context) (string, error) {
	fmt.Println("Type the two digits that the other device shows:")
	typed := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(os.Stdin).ReadString('\n')
		typed <- strings.TrimSpace(line)
	}()
	select {
	case digits := <-typed:
		if digits == "" {
			return "", qr.ErrCancelled
		}
		return digits, nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func showDigits(_ context.Context, digits string) error {
	fmt.Println("The connection is secure. Type on the other device:", digits)
	return nil
}

// discover finds the account's homeserver, of which the other device has told.
func (d *device) discover(ctx context.Context, home qr.Homeserver) (err error) {
	d.home, err = d.library.Discover(ctx, cmp.Or(home.BaseURL, home.ServerName, d.server))
	var lacking *signin.MetadataError
	if errors.Is(err, signin.ErrNoOAuth) || errors.As(err, &lacking) || (err == nil && !d.home.Metadata.HasDeviceGrant()) {
		return errors.Join(qr.ErrUnsupported, err)
	}
	if err != nil {
		return err
	}
	app, err := d.home.Register(ctx, signin.ClientMetadata{ClientName: "New device", ClientURI: "https://app.example.org/"})
	d.clientID = app.ClientID
	return err
}

func (d *device) start(ctx context.Context) (_ qr.Grant, err error) {
	id := signin.NewDeviceID()
	if d.grant, err = d.home.StartDevice(ctx, d.clientID, d.home.Scope(id)); err != nil {
		return qr.Grant{}, err
	}
	return qr.GrantOf(id, d.grant, time.Now()), nil
}

func (d *device) showUserCode(_ context.Context, grant qr.Grant) error {
	fmt.Println("The other device opens a page. It must show this code:", grant.UserCode)
	return nil
}

// poll waits for the outcome.
func (d *device) poll(ctx context.Context) (answer qr.TokenAnswer, err error) {
	d.tokens, err = d.home.WaitDevice(ctx, d.grant)
	return qr.TokenAnswerOf(ctx, err)
}

// keep stores the tokens, which Begin sees to before they are used.
func (d *device) keep(ctx context.Context) (err error) {
	save := func(_ context.Context, s signin.Session) error { return store("session.json", s) }
	if d.session, err = d.home.Begin(ctx, d.clientID, d.tokens, save); err == nil {
		fmt.Println("Signed in as", d.session.Session().UserID)
	}
	return err
}

// adopt checks the keys of the account, and makes those of this device.
func (d *device) adopt(ctx context.Context, given qr.Secrets) error {
	s := d.session.Session()
	if given.CrossSigning == nil {
		return errors.New("the other device has no keys to give")
	}
	identity, err := crosssigning.Import(s.UserID, crosssigning.Secrets(*given.CrossSigning))
	if err != nil {
		return err
	}
	published, err := d.published(ctx)
	if err != nil {
		return err
	}
	if err := identity.Check(published); err != nil {
		return err // not the account's keys: whoever sent them may have made them up
	}
	own, err := crosssigning.NewDevice(s.UserID, s.DeviceID)
	if err != nil {
		return err
	}
	oneTime, err := crosssigning.NewOneTimeKeys(50, 0)
	if err != nil {
		return err
	}
	if err := store("keys.json", map[string]any{"device": own.Secrets(), "one_time": oneTime, "account": given}); err != nil {
		return err
	}
	upload, err := own.KeysUpload(identity, oneTime, nil)
	if err != nil {
		return err
	}
	if _, err := d.call(ctx, http.MethodPost, "/_matrix/client/v3/keys/upload", upload); err != nil {
		return err
	}
	if published, err = d.published(ctx); err != nil {
		return err
	}
	if err := published.VerifyOwn(own, identity.Master.Public()); err != nil {
		return err
	}
	fmt.Println("This device is verified.")
	if err := d.openBackup(ctx, given.Backup); err != nil {
		fmt.Println("The key backup is not used:", err) // no reason to fail
	}
	return nil
}

// openBackup holds the key of the backup against the backup.
func (d *device) openBackup(ctx context.Context, b *qr.Backup) error {
	if b == nil {
		return errors.New("there is none")
	}
	key, err := secretstorage.ParseBackupKey(b.Key)
	if err != nil {
		return err
	}
	answer, err := d.call(ctx, http.MethodGet, "/_matrix/client/v3/room_keys/version", nil)
	if err != nil {
		return err
	}
	var version secretstorage.BackupVersion
	if err := json.Unmarshal(answer, &version); err != nil {
		return err
	}
	return key.Fits(version)
}

func (d *device) published(ctx context.Context) (crosssigning.Published, error) {
	user := d.session.Session().UserID
	answer, err := d.call(ctx, http.MethodPost, "/_matrix/client/v3/keys/query", map[string]any{"device_keys": map[string]any{user: []string{}}})
	if err != nil {
		return crosssigning.Published{}, err
	}
	return crosssigning.ParsePublished(answer, user)
}

// call asks the homeserver. The session adds the access token, and renews it.
func (d *device) call(ctx context.Context, method, path string, body any) ([]byte, error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return nil, err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, d.home.BaseURL+path, payload)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	api := &http.Client{Transport: d.session, Timeout: 30 * time.Second}
	resp, err := api.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 8<<20))
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", path, resp.Status, answer)
	}
	return answer, err
}

// store replaces a file in one step, so that a crash leaves the old or the new one.
func store(name string, value any) error {
	raw, err := json.Marshal(value)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(".", ".new-*") // for the owner only
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}
