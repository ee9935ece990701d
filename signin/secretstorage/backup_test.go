package secretstorage

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/signin/crosssigning"
)

// recordedBackup is the version of a backup that another client has made.
type recordedBackup struct {
	UserID    string        `json:"user_id"`
	DeviceID  string        `json:"device_id"`
	DeviceKey string        `json:"device_key"`
	MasterKey string        `json:"master_key"`
	Private   string        `json:"private"`
	Version   BackupVersion `json:"version"`
}

func TestAnotherClientsBackup(t *testing.T) {
	var r recordedBackup
	raw, err := os.ReadFile("testdata/backup.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &r); err != nil {
		t.Fatal(err)
	}
	k, err := ParseBackupKey(r.Private)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Fits(r.Version); err != nil {
		t.Error(err)
	}
	if k.Secret() != r.Private {
		t.Errorf("got %s back, want what was parsed", k.Secret())
	}
	if err := r.Version.SignedBy(r.UserID, "ed25519:"+r.DeviceID, r.DeviceKey); err != nil {
		t.Error(err)
	}
	if err := r.Version.SignedBy(r.UserID, "ed25519:"+r.MasterKey, r.MasterKey); err != nil {
		t.Error(err)
	}
	if err := r.Version.SignedBy(r.UserID, "ed25519:"+r.MasterKey, r.DeviceKey); err == nil {
		t.Error("the version is signed by a key that did not sign it")
	}
}

func TestBackupVersion(t *testing.T) {
	const alice = "@alice:example.org"
	id, err := crosssigning.NewIdentity(alice)
	if err != nil {
		t.Fatal(err)
	}
	device, err := crosssigning.NewDevice(alice, "ABCDEFGHIJ")
	if err != nil {
		t.Fatal(err)
	}
	k, err := NewBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	v, err := k.Version(alice, id.Master, device.Signing)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []crosssigning.SigningKey{id.Master, device.Signing} {
		if err := v.SignedBy(alice, key.ID(), key.Public()); err != nil {
			t.Error(err)
		}
	}
	if err := k.Fits(v); err != nil {
		t.Error(err)
	}
	if _, err := k.Version(alice, crosssigning.SigningKey{}); err == nil {
		t.Error("a version was signed without a key")
	}
}

func TestBackupKeyFitsRefuses(t *testing.T) {
	k, err := NewBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := NewBackupKey()
	if err != nil {
		t.Fatal(err)
	}
	v, err := other.Version("@alice:example.org")
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Fits(v); !errors.Is(err, ErrBackupKey) {
		t.Errorf("another key: got %v", err)
	}
	if err := other.Fits(BackupVersion{Algorithm: "org.example.other", AuthData: v.AuthData}); !errors.Is(err, ErrBackupAlgorithm) {
		t.Errorf("another algorithm: got %v", err)
	}
	if err := k.Fits(BackupVersion{Algorithm: BackupAlgorithm, AuthData: json.RawMessage(`[]`)}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("a description that is no object: got %v", err)
	}
	for name, text := range map[string]string{"nothing": "", "a short key": "AAAA", "no base64": strings.Repeat("!", 43)} {
		if _, err := ParseBackupKey(text); err == nil {
			t.Errorf("%s was read as a key", name)
		}
	}
}
