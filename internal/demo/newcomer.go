package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

// newcomer is Mia's device that wants to be signed in.
type newcomer struct {
	m        *meeting
	server   *signin.Homeserver
	clientID string
	deviceID string
	grant    *signin.DeviceGrant
	tokens   signin.Tokens
	session  *signin.Transport
	waited   bool
}

func (n *newcomer) name() string { return n.m.plot.newcomer }

func (n *newcomer) driver() *qr.NewDevice {
	return &qr.NewDevice{
		Screen: n.m.screen(n.name(), "laptop"), Pace: n.m.pace(n.m.existingOver),
		Discover: n.discover, StartGrant: n.start, ShowUserCode: n.showUserCode, PollToken: n.poll,
		KeepSession: n.keep, ImportSecrets: n.use,
	}
}

func (n *newcomer) discover(ctx context.Context, home qr.Homeserver) (err error) {
	library := &signin.Client{HTTP: &n.m.laptop.s.client, Now: n.m.p.now, Wait: n.wait}
	if n.server, err = discover(ctx, library, home.BaseURL+home.ServerName); err != nil {
		return err
	}
	registered, err := n.server.Register(ctx, signin.ClientMetadata{ClientName: "Mia's " + n.name(), ClientURI: "https://app.example.org/"})
	n.clientID = registered.ClientID
	return err
}

func (n *newcomer) start(ctx context.Context) (_ qr.Grant, err error) {
	if n.deviceID == "" {
		n.deviceID = signin.NewDeviceID()
	}
	if n.grant, err = n.server.StartDevice(ctx, n.clientID, n.server.Scope(n.deviceID)); err != nil {
		return qr.Grant{}, err
	}
	return qr.GrantOf(n.deviceID, n.grant, n.m.p.now()), nil
}

func (n *newcomer) showUserCode(_ context.Context, g qr.Grant) error {
	n.m.tell("The %s shows the code %s, and asks the homeserver for its tokens.", n.name(), g.UserCode)
	return nil
}

func (n *newcomer) poll(ctx context.Context) (_ qr.TokenAnswer, err error) {
	n.tokens, err = n.server.WaitDevice(ctx, n.grant)
	return qr.TokenAnswerOf(ctx, err)
}

// wait is when Mia acts. The time passes on the server's clock alone.
func (n *newcomer) wait(ctx context.Context, d time.Duration) error {
	if !n.waited {
		n.waited = true
		n.m.tell("It is told that nobody has decided yet (authorization_pending), and asks again every %.0f seconds.", n.grant.Interval.Seconds())
		if err := n.m.meanwhile(ctx, n.m); err != nil {
			return err
		}
	}
	n.m.laptop.s.clock.move(d)
	return hurry(ctx, d)
}

func (n *newcomer) keep(ctx context.Context) (err error) {
	n.session, err = n.server.Begin(ctx, n.clientID, n.tokens, func(context.Context, signin.Session) error { return nil })
	if err != nil {
		return err
	}
	who := n.session.Session()
	n.m.tell("The %s has got its tokens. It asks whose they are: it is the device %s of %s.", n.name(), who.DeviceID, who.UserID)
	return nil
}

// use checks the keys of the account, and publishes the device's own with the
// account's signature, in one request: nobody sees it unverified.
func (n *newcomer) use(ctx context.Context, given qr.Secrets) error {
	if given.CrossSigning == nil || given.Backup == nil {
		return errors.New("m.login.secrets is not complete")
	}
	s := n.m.laptop.s
	token, err := n.session.Token(ctx)
	if err != nil {
		return err
	}
	account, err := crosssigning.Import(user("Mia"), crosssigning.Secrets(*given.CrossSigning))
	if err != nil {
		return err
	}
	listed, err := published(ctx, s, token)
	if err != nil {
		return err
	}
	if err := errors.Join(account.Check(listed), fits(ctx, s, token, *given.Backup)); err != nil {
		return err
	}
	n.m.tell("The %s holds the keys against the public ones that the homeserver lists: they fit. So\ndoes the key of the backup. It publishes its own keys, signed by the account's.", n.name())
	device, err := crosssigning.NewDevice(user("Mia"), n.deviceID)
	if err != nil {
		return err
	}
	up, err := device.KeysUpload(account, nil, nil)
	if err != nil {
		return err
	}
	if _, err := s.succeeds(ctx, token, http.MethodPost, client+"/keys/upload", up); err != nil {
		return err
	}
	n.m.done(http.MethodPost, client+"/keys/upload")
	return nil
}

// fits tells whether a key opens the backup that the homeserver has.
func fits(ctx context.Context, s *stage, token string, given qr.Backup) error {
	key, err := secretstorage.ParseBackupKey(given.Key)
	if err != nil {
		return err
	}
	a, err := s.succeeds(ctx, token, http.MethodGet, client+"/room_keys/version", nil)
	if err != nil {
		return err
	}
	var v secretstorage.BackupVersion
	if err := json.Unmarshal([]byte(a.raw), &v); err != nil {
		return err
	}
	return key.Fits(v)
}
