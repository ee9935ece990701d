package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/secretstorage"
)

// lockAway stores the device's secrets on the server, encrypted by a new recovery
// key, which is shown once. The key is made the default when everything that it
// opens is there.
func (b *bringUp) lockAway(ctx context.Context) error {
	key := secretstorage.NewKey()
	secrets := []struct{ kind, text string }{
		{secretstorage.MasterKeyType, b.s.Identity.MasterKey},
		{secretstorage.SelfSigningKeyType, b.s.Identity.SelfSigningKey},
		{secretstorage.UserSigningKeyType, b.s.Identity.UserSigningKey},
	}
	if b.s.Backup != nil {
		secrets = append(secrets, struct{ kind, text string }{secretstorage.BackupKeyType, b.s.Backup.Key})
	}
	if err := b.c.putAccountData(ctx, b.s.UserID, key.Type(), key.Describe("")); err != nil {
		return fmt.Errorf("storing the secrets: %w", err)
	}
	for _, secret := range secrets {
		if err := b.c.putAccountData(ctx, b.s.UserID, secret.kind, key.Seal(secret.kind, secret.text)); err != nil {
			return fmt.Errorf("storing the secrets: %w", err)
		}
	}
	if err := b.c.putAccountData(ctx, b.s.UserID, secretstorage.DefaultKeyType, map[string]string{"key": key.ID}); err != nil {
		return fmt.Errorf("storing the secrets: %w", err)
	}
	b.con.tell("recovery_key", fields{"recovery_key": key.RecoveryKey()},
		"Recovery key: "+key.RecoveryKey()+"\nWrite it down and keep it safe. It is shown only now; with it you get at your messages if you lose all devices.")
	return nil
}

// errNoStorage says that the account has keys, but not in secret storage.
var errNoStorage = errors.New("the account has encryption keys, but does not keep them in secret storage")

// unlock reads the account's secrets with a recovery key or a passphrase.
func (b *bringUp) unlock(ctx context.Context, entered string) (secrets crosssigning.Secrets, backup *backupSecret, err error) {
	var named struct {
		Key string `json:"key"`
	}
	if err := b.c.accountData(ctx, b.s.UserID, secretstorage.DefaultKeyType, &named); isNotFound(err) {
		return secrets, nil, errNoStorage
	} else if err != nil {
		return secrets, nil, err
	}
	key := secretstorage.Key{ID: named.Key}
	var d secretstorage.Description
	if err := b.c.accountData(ctx, b.s.UserID, key.Type(), &d); isNotFound(err) {
		return secrets, nil, errNoStorage
	} else if err != nil {
		return secrets, nil, err
	}
	if key, err = opener(named.Key, entered, d); err != nil {
		return secrets, nil, err
	}
	for _, want := range []struct {
		kind string
		into *string
	}{
		{secretstorage.MasterKeyType, &secrets.MasterKey},
		{secretstorage.SelfSigningKeyType, &secrets.SelfSigningKey},
		{secretstorage.UserSigningKeyType, &secrets.UserSigningKey},
	} {
		if *want.into, err = b.open(ctx, key, want.kind); err != nil {
			return secrets, nil, err
		}
	}
	text, err := b.open(ctx, key, secretstorage.BackupKeyType)
	if errors.Is(err, errNoStorage) {
		return secrets, nil, nil
	}
	return secrets, &backupSecret{Algorithm: secretstorage.BackupAlgorithm, Key: text}, err
}

// opener takes what was entered for a recovery key, or for a passphrase if the
// account has one.
func opener(id, entered string, d secretstorage.Description) (secretstorage.Key, error) {
	key, err := secretstorage.FromRecoveryKey(id, entered)
	if err != nil && d.Passphrase != nil {
		key, err = secretstorage.FromPassphrase(id, entered, *d.Passphrase)
	}
	if err != nil {
		return key, fmt.Errorf("%w: %w", errRecoveryKey, err)
	}
	if err := key.Fits(d); err != nil {
		return key, fmt.Errorf("%w: %w", errRecoveryKey, err)
	}
	return key, nil
}

// errRecoveryKey says that the recovery key is not the right one.
var errRecoveryKey = errors.New("the recovery key does not open the account's secrets")

func (b *bringUp) open(ctx context.Context, key secretstorage.Key, kind string) (string, error) {
	var s secretstorage.Secret
	if err := b.c.accountData(ctx, b.s.UserID, kind, &s); isNotFound(err) {
		return "", errNoStorage
	} else if err != nil {
		return "", err
	}
	if len(s.Encrypted) == 0 { // a deleted secret is an empty object
		return "", errNoStorage
	}
	return key.Open(kind, s)
}
