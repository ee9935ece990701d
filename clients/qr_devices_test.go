package clients_test

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

// person is who looks at a device of ours, shows its code to the other device, and
// carries the digits.
type person struct {
	codes  chan []byte
	digits chan string // that the device shows
	typed  chan string // for the device
}

func newPerson() person {
	return person{make(chan []byte, 1), make(chan string, 1), make(chan string, 1)}
}

func (p person) screen() qr.Screen {
	return qr.Screen{
		ShowCode:   func(_ context.Context, code []byte) error { p.codes <- code; return nil },
		ShowDigits: func(_ context.Context, digits string) error { p.digits <- digits; return nil },
		AskDigits:  func(ctx context.Context) (string, error) { return take(ctx, p.typed) },
	}
}

// code waits for the code, in base64.
func (p person) code(t *testing.T) string {
	t.Helper()
	code, err := take(t.Context(), p.codes)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(code)
}

// compares has the digits of both devices compared, as a person would.
func (p person) compares(t *testing.T, weShow bool, theirs string) {
	t.Helper()
	if weShow {
		p.typed <- theirs
	} else if ours, err := take(t.Context(), p.digits); err != nil || ours != theirs {
		t.Fatalf("we show the digits %q, js-sdk %q: %v", ours, theirs, err)
	}
}

func take[T any](ctx context.Context, from <-chan T) (v T, err error) {
	select {
	case v = <-from:
	case <-ctx.Done():
		err = ctx.Err()
	}
	return v, err
}

// hurry is the pace in tests: it makes the second between two questions shorter,
// and leaves the other device the time to read a last message.
func hurry(ctx context.Context, d time.Duration) error {
	if d == time.Second {
		d /= 10
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	_, err := take(ctx, timer.C)
	return err
}

type drive func(context.Context, qr.Profile, qr.Payload, qr.Mailbox) error

// shows lets a device of ours show a code at a homeserver.
func shows(ctx context.Context, server string, show drive) error {
	mailbox, err := qr.Create2024(ctx, server, qr.RendezvousOptions{Wait: hurry})
	if err != nil {
		return err
	}
	return show(ctx, qr.Deployed, qr.Payload{Generation: qr.Gen2024, RendezvousURL: mailbox.URL()}, mailbox)
}

// scans lets a device of ours scan a code, given in base64.
func scans(ctx context.Context, code string, scan drive) error {
	raw, err := base64.StdEncoding.DecodeString(code)
	if err != nil {
		return err
	}
	read, err := qr.Parse(raw)
	if err != nil {
		return err
	}
	mailbox, err := qr.Open2024(ctx, read.RendezvousURL, qr.RendezvousOptions{Wait: hurry})
	if err != nil {
		return err
	}
	return scan(ctx, qr.Deployed, read, mailbox)
}

// begin runs a sign-in beside the test.
func begin(run func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	return done
}

// A newcomer is a device of ours that wants to be signed in.
type newcomer struct {
	qr.NewDevice
	person
	srv      *apitest.Server
	home     *signin.Homeserver
	clientID string
	grant    *signin.DeviceGrant
	tokens   signin.Tokens
	as       *apitest.Client
	device   *crosssigning.Device
	given    qr.Secrets
}

func newNewcomer(t *testing.T, srv *apitest.Server) *newcomer {
	n := &newcomer{srv: srv, person: newPerson()}
	n.NewDevice = qr.NewDevice{
		Screen: n.screen(), Discover: n.discover, StartGrant: n.start, PollToken: n.poll,
		ShowUserCode:  func(context.Context, qr.Grant) error { return nil },
		KeepSession:   n.keep,
		ImportSecrets: func(ctx context.Context, given qr.Secrets) error { return n.adopt(ctx, t, given) },
	}
	return n
}

func (n *newcomer) discover(ctx context.Context, home qr.Homeserver) (err error) {
	address := home.BaseURL
	if home.ServerName == string(apitest.ServerName) {
		address = n.srv.URL // what /.well-known would say if the name were in the DNS
	}
	if n.home, err = new(signin.Client).Discover(ctx, address); err != nil {
		if errors.Is(err, signin.ErrNoOAuth) {
			err = errors.Join(qr.ErrUnsupported, err)
		}
		return err
	}
	registration, err := n.home.Register(ctx, signin.ClientMetadata{ClientName: "Ours", ClientURI: "https://client.example.org/"})
	n.clientID = registration.ClientID
	return err
}

func (n *newcomer) start(ctx context.Context) (_ qr.Grant, err error) {
	deviceID := signin.NewDeviceID()
	if n.grant, err = n.home.StartDevice(ctx, n.clientID, n.home.Scope(deviceID)); err != nil {
		return qr.Grant{}, err
	}
	return qr.GrantOf(deviceID, n.grant, time.Now()), nil
}

func (n *newcomer) poll(ctx context.Context) (_ qr.TokenAnswer, err error) {
	n.tokens, err = n.home.WaitDevice(ctx, n.grant)
	return qr.TokenAnswerOf(ctx, err)
}

func (n *newcomer) keep(ctx context.Context) error {
	session, err := n.home.Begin(ctx, n.clientID, n.tokens, func(context.Context, signin.Session) error { return nil })
	if err != nil {
		return err
	}
	s := session.Session()
	n.as = &apitest.Client{Server: n.srv, UserID: id.UserID(s.UserID), DeviceID: id.DeviceID(s.DeviceID), Token: s.Tokens.AccessToken}
	return nil
}

// adopt takes the account's keys, and publishes those of the device with the
// signature that makes it verified.
func (n *newcomer) adopt(ctx context.Context, t *testing.T, given qr.Secrets) error {
	if given.CrossSigning == nil {
		return errors.New("the keys are missing")
	}
	n.given = given
	identity, err := crosssigning.Import(string(n.as.UserID), crosssigning.Secrets(*given.CrossSigning))
	if err != nil {
		return err
	}
	r, err := n.as.Try(ctx, "POST", "/_matrix/client/v3/keys/query", map[string]any{"device_keys": map[id.UserID][]string{n.as.UserID: {}}})
	if err != nil {
		return err
	}
	listed, err := crosssigning.ParsePublished(r.Body, string(n.as.UserID))
	if err != nil {
		return err
	}
	if err := identity.Check(listed); err != nil {
		return err
	}
	if n.device, err = crosssigning.NewDevice(string(n.as.UserID), string(n.as.DeviceID)); err != nil {
		return err
	}
	return publish(ctx, n.as, n.device, identity)
}

func publish(ctx context.Context, as *apitest.Client, device *crosssigning.Device, identity *crosssigning.Identity) error {
	keys, err := crosssigning.NewOneTimeKeys(2, 0)
	if err != nil {
		return err
	}
	body, err := device.KeysUpload(identity, keys[1:], &keys[0])
	if err != nil {
		return err
	}
	r, err := as.Try(ctx, "POST", "/_matrix/client/v3/keys/upload", body)
	if err == nil && r.Status != http.StatusOK {
		err = errors.New(string(r.Body))
	}
	return err
}

// A host is a device of ours that is signed in, and has the keys of the account.
type host struct {
	qr.ExistingDevice
	person
	as       *apitest.Client
	identity *crosssigning.Identity
	backup   secretstorage.BackupKey
	version  string
	asked    chan string   // the page on which to agree
	answered chan struct{} // it is done
}

func newHost(t *testing.T, as *apitest.Client) *host {
	t.Helper()
	h := &host{as: as}
	h.reset()
	var err error
	if h.identity, err = crosssigning.NewIdentity(string(as.UserID)); err != nil {
		t.Fatal(err)
	}
	device, err := crosssigning.NewDevice(string(as.UserID), string(as.DeviceID))
	if err != nil {
		t.Fatal(err)
	}
	up, err := h.identity.Upload(device)
	if err != nil {
		t.Fatal(err)
	}
	as.Do(t, "POST", "/_matrix/client/v3/keys/device_signing/upload", up).OK(t, nil)
	if err := publish(t.Context(), as, device, h.identity); err != nil {
		t.Fatal(err)
	}
	if h.backup, err = secretstorage.NewBackupKey(); err != nil {
		t.Fatal(err)
	}
	described, err := h.backup.Version(string(as.UserID), h.identity.Master, device.Signing)
	if err != nil {
		t.Fatal(err)
	}
	var made struct {
		Version string `json:"version"`
	}
	as.Do(t, "POST", "/_matrix/client/v3/room_keys/version", described).OK(t, &made)
	h.version = made.Version
	return h
}

// reset makes the device ready for a sign-in.
func (h *host) reset() {
	h.person, h.asked, h.answered = newPerson(), make(chan string, 1), make(chan struct{}, 1)
	h.ExistingDevice = qr.ExistingDevice{
		Screen:      h.screen(),
		Homeserver:  qr.Homeserver{BaseURL: h.as.Server.URL},
		Ready:       func(context.Context) error { return nil },
		CheckDevice: h.checkDevice,
		OpenPage: func(ctx context.Context, page string) error {
			h.asked <- page
			_, err := take(ctx, h.answered)
			return err
		},
		Secrets: func(context.Context) (qr.Secrets, error) {
			keys := qr.CrossSigning(h.identity.Secrets())
			return qr.Secrets{CrossSigning: &keys, Backup: &qr.Backup{Algorithm: secretstorage.BackupAlgorithm, Key: h.backup.Secret(), Version: h.version}}, nil
		},
	}
}

// another is the same device for one more sign-in, beside others.
func (h *host) another() *host {
	other := &host{as: h.as, identity: h.identity, backup: h.backup, version: h.version}
	other.reset()
	return other
}

func (h *host) checkDevice(ctx context.Context, deviceID string) qr.DeviceAnswer {
	r, err := h.as.Try(ctx, "GET", "/_matrix/client/v3/devices/"+url.PathEscape(deviceID), nil)
	switch {
	case err != nil:
		return qr.DeviceUnknown
	case r.Status == http.StatusOK:
		return qr.DevicePresent
	case r.Status == http.StatusNotFound:
		return qr.DeviceAbsent
	}
	return qr.DeviceUnknown
}

// verified fails the test unless the server shows everybody that the device is
// vouched for by the account's keys.
func verified(t *testing.T, as *apitest.Client, deviceID, master string) {
	t.Helper()
	r := as.Do(t, "POST", "/_matrix/client/v3/keys/query", map[string]any{"device_keys": map[id.UserID][]string{as.UserID: {}}}).OK(t, nil)
	listed, err := crosssigning.ParsePublished(r.Body, string(as.UserID))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := listed.Verify(deviceID, master); err != nil {
		t.Errorf("the device %s: %v", deviceID, err)
	}
}

// backupFits fails the test unless the key opens the account's backup.
func backupFits(t *testing.T, as *apitest.Client, given *qr.Backup) {
	t.Helper()
	if given == nil {
		t.Fatal("there is no key of the backup")
	}
	var version secretstorage.BackupVersion
	as.Do(t, "GET", "/_matrix/client/v3/room_keys/version", nil).OK(t, &version)
	key, err := secretstorage.ParseBackupKey(given.Key)
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Fits(version); err != nil || given.Version != version.Version {
		t.Errorf("the key of backup %s does not open backup %s: %v", given.Version, version.Version, err)
	}
}
