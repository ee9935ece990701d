package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

// bringUp makes of a device that is signed in one that others trust.
type bringUp struct {
	c    *matrixClient
	s    *signedIn
	file stateFile
	con  *console
}

func newBringUp(s *signedIn, file stateFile, con *console) *bringUp {
	return &bringUp{c: s.client(file), s: s, file: file, con: con}
}

// oneTimeKeys is how many others can claim before more are needed.
const oneTimeKeys = 50

// publish makes the device's keys and uploads them with the signature of the
// identity, in one request: nobody sees the device without it (SX-4, SX-6). The
// keys are kept before they are published. A nil identity leaves the device
// unverified (SX-7).
func (b *bringUp) publish(ctx context.Context, id *crosssigning.Identity) error {
	d, err := b.s.device()
	if err != nil {
		return err
	}
	if d == nil {
		if d, err = b.newDevice(); err != nil {
			return err
		}
	}
	if id != nil {
		secrets := id.Secrets()
		b.s.Identity = &secrets
	}
	if err := b.file.save(b.s); err != nil {
		return err
	}
	up, err := d.KeysUpload(id, b.s.OneTimeKeys, b.s.Fallback)
	if err != nil {
		return err
	}
	if err := b.c.uploadKeys(ctx, up); err != nil {
		return fmt.Errorf("publishing the keys of the device: %w", err)
	}
	b.con.tell("device_keys", fields{"ed25519": d.Signing.Public()}, "Published the keys of the device. Its fingerprint: "+d.Signing.Public())
	return nil
}

func (b *bringUp) newDevice() (*crosssigning.Device, error) {
	d, err := crosssigning.NewDevice(b.s.UserID, b.s.DeviceID)
	if err != nil {
		return nil, err
	}
	keys, err := crosssigning.NewOneTimeKeys(oneTimeKeys+1, 0)
	if err != nil {
		return nil, err
	}
	secrets := d.Secrets()
	b.s.Device, b.s.OneTimeKeys, b.s.Fallback = &secrets, keys[1:], &keys[0]
	return d, nil
}

// adopt takes the account's identity and its backup, which came from another
// device or from secret storage. It holds both against what the server lists
// before they are used (SX-2).
func (b *bringUp) adopt(ctx context.Context, secrets crosssigning.Secrets, backup *backupSecret) error {
	id, err := crosssigning.Import(b.s.UserID, secrets)
	if err != nil {
		return err
	}
	p, err := b.c.published(ctx, b.s.UserID)
	if err != nil {
		return err
	}
	if err := id.Check(p); err != nil {
		return err
	}
	if err := b.publish(ctx, id); err != nil {
		return err
	}
	if backup == nil {
		b.con.tell("no_backup", nil, "There is no key backup, so this device reads no older messages.")
		return nil
	}
	return b.connectBackup(ctx, *backup)
}

// connectBackup keeps the key of the backup if it fits. A backup that cannot be
// used is no reason to fail: the device is signed in and verified without it (SX-3).
func (b *bringUp) connectBackup(ctx context.Context, secret backupSecret) error {
	unused := func(err error) error {
		b.con.tell("no_backup", fields{"error": err.Error()}, "The key backup is not used: "+err.Error()+".")
		return nil
	}
	if secret.Algorithm != secretstorage.BackupAlgorithm {
		return unused(fmt.Errorf("%w: %s", secretstorage.ErrBackupAlgorithm, printable(secret.Algorithm)))
	}
	key, err := secretstorage.ParseBackupKey(secret.Key)
	if err != nil {
		return unused(err)
	}
	v, err := b.c.backup(ctx)
	switch {
	case err != nil:
		return err
	case v == nil:
		return unused(errors.New("the homeserver has none"))
	case secret.Version != "" && secret.Version != v.Version:
		return unused(fmt.Errorf("the key is for version %s, and the newest is %s", printable(secret.Version), printable(v.Version)))
	}
	if err := key.Fits(*v); err != nil {
		return unused(err)
	}
	return b.keepBackup(v.Version, key)
}

func (b *bringUp) keepBackup(version string, key secretstorage.BackupKey) error {
	b.s.Backup = &backupSecret{Algorithm: secretstorage.BackupAlgorithm, Key: key.Secret(), Version: version}
	if err := b.file.save(b.s); err != nil {
		return err
	}
	b.con.tell("backup", fields{"version": version, "public_key": key.Public()}, fmt.Sprintf("Connected to the key backup, version %s.", printable(version)))
	return nil
}

// createBackup begins a key backup that the identity and the device have signed. A
// server that has none is no reason to fail.
func (b *bringUp) createBackup(ctx context.Context, id *crosssigning.Identity) error {
	d, err := b.s.device()
	if err != nil {
		return err
	}
	key, err := secretstorage.NewBackupKey()
	if err != nil {
		return err
	}
	v, err := key.Version(b.s.UserID, id.Master, d.Signing)
	if err != nil {
		return err
	}
	version, err := b.c.createBackup(ctx, v)
	if isUnserved(err) {
		b.con.tell("no_backup", nil, "The homeserver has no key backup.")
		return nil
	}
	if err != nil {
		return fmt.Errorf("beginning the key backup: %w", err)
	}
	return b.keepBackup(version, key)
}

// prove shows what others see of the device: whose it is, that it is in the list,
// and that it is verified. It ends with errFound if it is not.
func (b *bringUp) prove(ctx context.Context) error {
	who, err := b.c.whoami(ctx)
	if err != nil {
		return err
	}
	if who.UserID != b.s.UserID || who.DeviceID != b.s.DeviceID {
		return fmt.Errorf("the homeserver says that this is the device %s of %s", printable(who.DeviceID), printable(who.UserID))
	}
	devices, err := b.c.devices(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(devices, func(d knownDevice) bool { return d.ID == b.s.DeviceID })
	if at < 0 {
		return errors.New("the homeserver's list of devices does not have this one")
	}
	verified := b.verified(ctx)
	more := fields{"user_id": b.s.UserID, "device_id": b.s.DeviceID, "base_url": b.s.BaseURL, "name": devices[at].Name, "devices": len(devices), "verified": verified == nil}
	text := fmt.Sprintf("%s is signed in at %s as device %s, one of %d.", b.s.UserID, b.s.BaseURL, b.s.DeviceID, len(devices))
	if b.s.Backup != nil {
		more["backup_version"] = b.s.Backup.Version
		text += fmt.Sprintf("\nKey backup: version %s.", printable(b.s.Backup.Version))
	}
	if verified == nil {
		b.con.tell("done", more, text+"\nVerified: the account's own keys vouch for this device.")
		return nil
	}
	more["error"] = verified.Error()
	b.con.tell("done", more, text+"\nNot verified: "+verified.Error()+".")
	return errFound
}

func (b *bringUp) verified(ctx context.Context) error {
	d, err := b.s.device()
	if err != nil {
		return err
	}
	id, err := b.s.identity()
	if err != nil {
		return err
	}
	if d == nil || id == nil {
		return errors.New("it has no cross-signing keys")
	}
	p, err := b.c.published(ctx, b.s.UserID)
	if err != nil {
		return err
	}
	return errors.Join(id.Check(p), p.VerifyOwn(d, id.Master.Public()))
}
