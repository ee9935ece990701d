package demo

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

// laptop is Mia's device that is signed in. It has the keys of her account.
type laptop struct {
	s               *stage
	token, deviceID string
	account         *crosssigning.Identity
	backup          qr.Backup
}

// told hears of each request that has succeeded; nil hears nothing.
type told func(method, path string)

// newLaptop signs in with Mia's password, and makes the keys of her account.
func newLaptop(ctx context.Context, s *stage, heard told) (*laptop, error) {
	l := &laptop{s: s}
	var err error
	post := func(path string, body any) (a answer) {
		if err == nil {
			a, err = s.succeeds(ctx, l.token, http.MethodPost, client+path, body)
		}
		if err == nil && heard != nil {
			heard(http.MethodPost, client+path)
		}
		return a
	}
	in := post("/login", json.RawMessage(login("Mia", password)))
	l.token, _ = in.body["access_token"].(string)
	l.deviceID, _ = in.body["device_id"].(string)
	keys, made := l.makeKeys()
	if err = errors.Join(err, made); err != nil {
		return nil, err
	}
	post("/keys/device_signing/upload", keys.account)
	post("/keys/upload", keys.device)
	l.backup.Version, _ = post("/room_keys/version", keys.backup).body["version"].(string)
	return l, err
}

// newKeys are what a device publishes when it is the first of an account.
type newKeys struct {
	account crosssigning.IdentityUpload
	device  crosssigning.KeysUpload
	backup  secretstorage.BackupVersion
}

func (l *laptop) makeKeys() (up newKeys, err error) {
	if l.account, err = crosssigning.NewIdentity(user("Mia")); err != nil {
		return up, err
	}
	device, err := crosssigning.NewDevice(user("Mia"), l.deviceID)
	if err != nil {
		return up, err
	}
	key, err := secretstorage.NewBackupKey()
	if err != nil {
		return up, err
	}
	l.backup = qr.Backup{Algorithm: secretstorage.BackupAlgorithm, Key: key.Secret()}
	if up.account, err = l.account.Upload(nil); err != nil {
		return up, err
	}
	if up.device, err = device.KeysUpload(l.account, nil, nil); err != nil {
		return up, err
	}
	up.backup, err = key.Version(user("Mia"), l.account.Master, device.Signing)
	return up, err
}

func (l *laptop) driver(m *meeting) *qr.ExistingDevice {
	home := qr.Homeserver{BaseURL: l.s.url}
	looked := false
	return &qr.ExistingDevice{
		Screen: m.screen("laptop", m.plot.newcomer), Homeserver: home, Pace: m.pace(m.newOver),
		Ready: func(ctx context.Context) error {
			published, err := published(ctx, l.s, l.token)
			return errors.Join(err, l.account.Check(published))
		},
		OffersGrant: func(ctx context.Context) (bool, error) {
			_, err := discover(ctx, &signin.Client{HTTP: &l.s.client}, home.BaseURL)
			if errors.Is(err, qr.ErrUnsupported) {
				return false, nil
			}
			return err == nil, err
		},
		CheckDevice: func(ctx context.Context, deviceID string) qr.DeviceAnswer {
			answer := l.check(ctx, deviceID)
			if answer == qr.DeviceAbsent && !looked {
				looked = true
				m.tell("The %s wants to be the device %s. The laptop asks the homeserver for it:\nthere is none yet, as it has to be.", m.plot.newcomer, deviceID)
			}
			return answer
		},
		OpenPage: m.openPage,
		Secrets: func(context.Context) (qr.Secrets, error) {
			m.tell("The laptop asks for that device again: now it is there. Only now does it send the\n%s the keys of the account, in m.login.secrets.", m.plot.newcomer)
			keys := qr.CrossSigning(l.account.Secrets())
			return qr.Secrets{CrossSigning: &keys, Backup: &l.backup}, nil
		},
	}
}

func (l *laptop) check(ctx context.Context, deviceID string) qr.DeviceAnswer {
	a, err := l.s.send(ctx, l.token, http.MethodGet, client+"/devices/"+url.PathEscape(deviceID), "")
	switch {
	case err != nil:
	case a.status == http.StatusOK:
		return qr.DevicePresent
	case a.status == http.StatusNotFound:
		return qr.DeviceAbsent
	}
	return qr.DeviceUnknown
}

// published is what the homeserver says of Mia's keys.
func published(ctx context.Context, s *stage, token string) (crosssigning.Published, error) {
	a, err := s.succeeds(ctx, token, http.MethodPost, client+"/keys/query", map[string]any{"device_keys": map[string][]string{user("Mia"): {}}})
	if err != nil {
		return crosssigning.Published{}, err
	}
	return crosssigning.ParsePublished([]byte(a.raw), user("Mia"))
}

// discover finds a homeserver from which another device can sign in.
func discover(ctx context.Context, library *signin.Client, base string) (*signin.Homeserver, error) {
	found, err := library.Discover(ctx, base)
	switch {
	case errors.Is(err, signin.ErrNoOAuth):
		return nil, errors.Join(qr.ErrUnsupported, err)
	case err != nil:
		return nil, err
	case !found.Metadata.HasDeviceGrant():
		return nil, errors.Join(qr.ErrUnsupported, signin.ErrNoDeviceGrant)
	}
	return found, nil
}
