package secretstorage

import (
	"crypto/ecdh"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/narthex-matrix/narthex/signin/crosssigning"
)

// BackupAlgorithm is the only way of encryption that key backups have.
const BackupAlgorithm = "m.megolm_backup.v1.curve25519-aes-sha2"

// BackupKey is the key that decrypts a backup of message keys.
type BackupKey struct {
	private *ecdh.PrivateKey
}

// NewBackupKey makes a key.
func NewBackupKey() (BackupKey, error) {
	private, err := ecdh.X25519().GenerateKey(rand.Reader)
	return BackupKey{private}, err
}

// ParseBackupKey reads a key of 32 bytes in base64, as it is in secret storage and
// in m.login.secrets.
func ParseBackupKey(text string) (BackupKey, error) {
	raw, err := crosssigning.Decode32(text)
	if err != nil {
		return BackupKey{}, fmt.Errorf("the key of the backup: %w", err)
	}
	private, err := ecdh.X25519().NewPrivateKey(raw)
	if err != nil {
		return BackupKey{}, fmt.Errorf("the key of the backup: %w", err)
	}
	return BackupKey{private}, nil
}

// Secret is the private key in unpadded base64.
func (k BackupKey) Secret() string { return encode(k.private.Bytes()) }

// Public is the public key in unpadded base64.
func (k BackupKey) Public() string { return encode(k.private.PublicKey().Bytes()) }

// String is the public key: printing a key does not show what is secret.
func (k BackupKey) String() string { return "curve25519:" + k.Public() }

// GoString is String.
func (k BackupKey) GoString() string { return k.String() }

// BackupVersion is the body of POST /_matrix/client/v3/room_keys/version, and part
// of what GET answers there.
type BackupVersion struct {
	Algorithm string          `json:"algorithm"`
	AuthData  json.RawMessage `json:"auth_data"`
	Version   string          `json:"version,omitempty"` // the server sets it
}

// Version describes a new backup for the key, signed by a user's keys: the master
// key, so that the user's other devices trust it, and the device's.
func (k BackupKey) Version(userID string, by ...crosssigning.SigningKey) (BackupVersion, error) {
	data, err := json.Marshal(map[string]string{"public_key": k.Public()})
	if err != nil {
		return BackupVersion{}, err
	}
	if data, err = crosssigning.Sign(data, userID, by...); err != nil {
		return BackupVersion{}, err
	}
	return BackupVersion{Algorithm: BackupAlgorithm, AuthData: data}, nil
}

// The errors of [BackupKey.Fits].
var (
	ErrBackupAlgorithm = errors.New("the backup is encrypted in a way that is not known here")
	ErrBackupKey       = errors.New("the key is not the one of this backup")
)

// Fits tells whether the key decrypts a backup: its public key is the one of the
// version. That is reason enough to trust the version, if the key came from a
// trusted place. The error wraps [ErrBackupAlgorithm] or [ErrBackupKey].
func (k BackupKey) Fits(v BackupVersion) error {
	if v.Algorithm != BackupAlgorithm {
		return fmt.Errorf("%w: %s", ErrBackupAlgorithm, v.Algorithm)
	}
	var data struct {
		PublicKey string `json:"public_key"`
	}
	if err := json.Unmarshal(v.AuthData, &data); err != nil {
		return fmt.Errorf("the description of the backup cannot be read: %w", err)
	}
	if strings.TrimRight(data.PublicKey, "=") != k.Public() {
		return ErrBackupKey
	}
	return nil
}

// SignedBy tells whether a user's key has signed the version; keyID is
// "ed25519:…", the public key unpadded base64.
func (v BackupVersion) SignedBy(userID, keyID, public string) error {
	if err := crosssigning.Verify(v.AuthData, userID, keyID, public); err != nil {
		return fmt.Errorf("the backup: %w", err)
	}
	return nil
}
