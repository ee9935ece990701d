package factors

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// ErrKey says that the secrets of one-time codes cannot be read or written: the key
// file is missing, broken, or another one than they were encrypted with. Passkeys and
// recovery codes need no key.
var ErrKey = errors.New("factors: the key of one-time codes cannot be used")

const keyBytes = 32

// key reads the key file. If there has never been a key, and one is to be made, it
// makes it. The database remembers a fingerprint, so that a second server with a file
// of its own cannot begin to encrypt what the first one cannot read.
func (s *Service) key(tx *db.Tx, create bool) ([]byte, error) {
	file := s.cfg.SecondFactorKey()
	if create {
		if err := tx.Lock("factor key", ""); err != nil {
			return nil, err
		}
	}
	known, err := db.One(tx, db.Scalar[[]byte], `SELECT fingerprint FROM factor_key`)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return nil, err
	}
	key, err := readKey(file)
	if errors.Is(err, fs.ErrNotExist) && create && known == nil {
		key, err = writeKey(file)
	}
	if err == nil && known != nil && !bytes.Equal(known, fingerprint(key)) {
		err = errors.New("it is another key than the one that is in use")
	}
	if err != nil {
		s.log.Error("the key of one-time codes", "file", file, "err", err)
		return nil, ErrKey
	}
	if known == nil {
		err = tx.Later(`INSERT INTO factor_key (one, fingerprint) VALUES (TRUE, $1)`, fingerprint(key))
	}
	return key, err
}

func fingerprint(key []byte) []byte {
	sum := sha256.Sum256(append([]byte("narthex factor key "), key...))
	return sum[:]
}

func readKey(file string) ([]byte, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, err := hex.DecodeString(string(bytes.TrimSpace(raw)))
	if err != nil || len(key) != keyBytes {
		return nil, fmt.Errorf("the file has to hold %d hexadecimal digits", 2*keyBytes)
	}
	return key, nil
}

// writeKey makes a key file that only this user can read. If another server on the
// same folder was faster, it gives that one's key.
func writeKey(file string) ([]byte, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, err
	}
	f, err := os.CreateTemp(filepath.Dir(file), ".second-factor-*") // which has mode 0600
	if err != nil {
		return nil, err
	}
	defer os.Remove(f.Name())
	key := make([]byte, keyBytes)
	_, _ = rand.Read(key) // never fails: crypto/rand ends the program instead
	_, err = f.WriteString(hex.EncodeToString(key) + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return nil, err
	}
	// A link appears whole or not at all, and never replaces what is there.
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return readKey(file)
}

// seal encrypts a secret of a user, so that it can be read by nobody without the key
// and as nobody else's.
func seal(key []byte, userID id.UserID, plain []byte) ([]byte, error) {
	box, err := boxOf(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, box.NonceSize())
	_, _ = rand.Read(nonce) // never fails, as above
	return box.Seal(nonce, nonce, plain, []byte(userID)), nil
}

func unseal(key []byte, userID id.UserID, sealed []byte) ([]byte, error) {
	box, err := boxOf(key)
	if err != nil {
		return nil, err
	}
	if len(sealed) < box.NonceSize() {
		return nil, ErrKey
	}
	return box.Open(nil, sealed[:box.NonceSize()], sealed[box.NonceSize():], []byte(userID))
}

// boxOf is AES-256-GCM with a key that is derived for this use alone.
func boxOf(key []byte) (cipher.AEAD, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, "narthex: secrets of one-time codes", keyBytes)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(derived)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
