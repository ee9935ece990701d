package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
)

// signedIn is a device that was signed in from this command line: all that it has
// to remember.
type signedIn struct {
	BaseURL  string `json:"base_url"`
	UserID   string `json:"user_id"`
	DeviceID string `json:"device_id"`

	// One of the two is set: the token of a sign-in by password, or a session of
	// OAuth 2.0.
	AccessToken string          `json:"access_token,omitempty"`
	Session     *signin.Session `json:"session,omitempty"`

	Device      *crosssigning.DeviceSecrets `json:"device,omitempty"`
	OneTimeKeys []crosssigning.OneTimeKey   `json:"one_time_keys,omitempty"`
	Fallback    *crosssigning.OneTimeKey    `json:"fallback_key,omitempty"`
	Identity    *crosssigning.Secrets       `json:"cross_signing,omitempty"`
	Backup      *backupSecret               `json:"backup,omitempty"`

	live *signin.Transport // of Session
}

// backupSecret is the key of a version of the key backup. Its form is that of
// m.login.secrets.
type backupSecret struct {
	Algorithm string `json:"algorithm"`
	Key       string `json:"key"`
	Version   string `json:"backup_version"`
}

// errNotSignedIn says that there is no file of a signed-in device.
var errNotSignedIn = errors.New("nobody is signed in here")

// stateFile is where a signed-in device is kept.
type stateFile string

// or is the file, or the one in the user's configuration folder.
func (f stateFile) or() (stateFile, error) {
	if f != "" {
		return f, nil
	}
	folder, err := os.UserConfigDir()
	if err != nil {
		return "", fmt.Errorf("there is no folder to keep the device in: %w; use --state FILE", err)
	}
	return stateFile(filepath.Join(folder, "narthex", "signin.json")), nil
}

// errInUse says that another process works with the file.
var errInUse = errors.New("another sign-in command is using this device")

// alone runs a command while no other process works with the file: two that
// replace the tokens at once would end the session. Where there is no file yet,
// nothing is made by looking.
func (f stateFile) alone(command func() error) error {
	if _, err := os.Stat(string(f)); errors.Is(err, fs.ErrNotExist) {
		return command()
	}
	name := string(f) + ".lock"
	guard, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("the device cannot be kept in %s: %w", f, err)
	}
	defer guard.Close()
	if !lock(guard) {
		return fmt.Errorf("%w: %s", errInUse, f)
	}
	return command()
}

// load reads the file. It fails with errNotSignedIn if there is none, and refuses
// one that others can read.
func (f stateFile) load() (*signedIn, error) {
	info, err := os.Stat(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: there is no %s", errNotSignedIn, f)
	}
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s can be read by others, and holds keys: chmod 600 %s", f, f)
	}
	raw, err := os.ReadFile(string(f))
	if err != nil {
		return nil, err
	}
	var s signedIn
	if err := json.Unmarshal(raw, &s); err != nil || s.BaseURL == "" || s.DeviceID == "" {
		return nil, fmt.Errorf("%s is not a file that this command has written", f)
	}
	return &s, nil
}

// save replaces the file in one step: whoever reads it sees the old or the new
// one, and a crash leaves one of them.
func (f stateFile) save(s *signedIn) error {
	raw, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(string(f)), 0o700); err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(string(f)), ".signin-*") // 0600
	if err != nil {
		return err
	}
	_, err = next.Write(append(raw, '\n'))
	err = errors.Join(err, next.Sync(), next.Close())
	if err == nil {
		err = os.Rename(next.Name(), string(f))
	}
	if err != nil {
		_ = os.Remove(next.Name())
		return fmt.Errorf("the device cannot be kept in %s: %w", f, err)
	}
	return nil
}

// vacant refuses a file in which somebody is signed in already.
func (f stateFile) vacant() error {
	_, err := os.Stat(string(f))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return fmt.Errorf("%w: %s", errOccupied, f)
}

var errOccupied = errors.New("a device is kept there already")

// remove deletes the file.
func (f stateFile) remove() error { return os.Remove(string(f)) }

// device restores the keys of the device, or nil.
func (s *signedIn) device() (*crosssigning.Device, error) {
	if s.Device == nil {
		return nil, nil
	}
	return crosssigning.RestoreDevice(s.UserID, s.DeviceID, *s.Device)
}

// identity restores the cross-signing keys, or nil.
func (s *signedIn) identity() (*crosssigning.Identity, error) {
	if s.Identity == nil {
		return nil, nil
	}
	return crosssigning.Import(s.UserID, *s.Identity)
}
