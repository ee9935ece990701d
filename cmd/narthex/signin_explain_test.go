package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/crosssigning"
	"github.com/narthex-matrix/narthex/signin/qr"
)

// Whatever fails, the person is told what to do next, and a program has a code.
func TestEveryFailureHasAdvice(t *testing.T) {
	failures := []error{
		errors.New("something"), &interactive{}, &halfway{errRecoveryKey}, &halfway{&signin.MatrixError{Code: "M_UNKNOWN", Status: 500}},
		&signin.AnswerError{}, &signin.MetadataError{}, &signin.OAuthError{Code: "invalid_client"}, &qr.PayloadError{Problem: qr.Short},
		&qr.Failure{Reason: "org.example.reason", By: qr.OtherDevice}, &qr.Failure{Reason: qr.Broken, By: qr.ThisDevice, SignedIn: true, Cause: crosssigning.ErrKeysDiffer},
		&signin.DiscoveryError{Step: "versions", Err: context.DeadlineExceeded},
	}
	for _, k := range known {
		failures = append(failures, fmt.Errorf("doing something: %w", k.is))
	}
	for code := range byCode {
		failures = append(failures, &signin.MatrixError{Code: code, Status: 403})
	}
	for _, r := range []qr.Reason{qr.AuthorizationExpired, qr.DeviceAlreadyExists, qr.DeviceNotFound, qr.UnexpectedMessage, qr.UnsupportedProtocol, qr.UserCancelled,
		qr.UnableToOpenURI, qr.Declined, qr.SessionOver, qr.Conflict, qr.WrongCheckCode, qr.WrongIntent, qr.Insecure, qr.NotReady, qr.Broken} {
		failures = append(failures, &qr.Failure{Reason: r, By: qr.ThisDevice}, &qr.Failure{Reason: r, By: qr.OtherDevice})
	}
	for _, err := range failures {
		std, out := newStreams("")
		if got := (&console{std: std}).fail(err); !errors.Is(got, errFound) || !contains(out.String(), "It did not work: ") || !contains(out.String(), "\nWhat to do: ") {
			t.Errorf("%v: %q", err, out)
		}
		var said struct{ Event, Reason, Error, Next string }
		std, out = newStreams("")
		_ = (&console{std: std, json: true}).fail(err)
		if err := json.Unmarshal([]byte(out.String()), &said); err != nil || said.Event != "failed" || said.Reason == "" || said.Next == "" {
			t.Errorf("%q: %v", out, err)
		}
	}
}

func TestAdviceOfTheCause(t *testing.T) {
	a := explain(&qr.Failure{Reason: qr.Broken, By: qr.ThisDevice, SignedIn: true, Cause: crosssigning.ErrKeysDiffer})
	if a.code != "broken" || !contains(a.next, "Do not trust the device") || !contains(a.next, "signin logout") {
		t.Errorf("got %+v", a)
	}
}

// answering is a homeserver that answers every path alike.
func answering(t *testing.T, status int, body string) *matrixClient {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(srv.Close)
	return &matrixClient{base: srv.URL, http: newHTTP(bearer("secret"))}
}

// LG-7: only a clear 404 of the homeserver says that a device ID is free.
func TestAnswerAboutDevices(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
		want   qr.DeviceAnswer
	}{
		"it is there":            {200, `{"device_id":"X"}`, qr.DevicePresent},
		"it is not":              {404, `{"errcode":"M_NOT_FOUND","error":"no"}`, qr.DeviceAbsent},
		"no such endpoint":       {404, `{"errcode":"M_UNRECOGNIZED","error":"no"}`, qr.DeviceUnknown},
		"a 404 of a proxy":       {404, `<html>`, qr.DeviceUnknown},
		"signed out":             {401, `{"errcode":"M_UNKNOWN_TOKEN","error":"no"}`, qr.DeviceUnknown},
		"the homeserver is down": {502, ``, qr.DeviceUnknown},
		"a redirect":             {302, ``, qr.DeviceUnknown},
	} {
		if got := answering(t, c.status, c.body).answerAbout(t.Context(), "a/b+c"); got != c.want {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// SX-2: keys that are not the account's are not used, and nothing is published.
func TestAdoptRefusesOtherKeys(t *testing.T) {
	const alice = "@alice:example.org"
	own, err := crosssigning.NewIdentity(alice)
	if err != nil {
		t.Fatal(err)
	}
	other, err := crosssigning.NewIdentity(alice)
	if err != nil {
		t.Fatal(err)
	}
	up, err := own.Upload(nil)
	if err != nil {
		t.Fatal(err)
	}
	body, err := json.Marshal(map[string]any{"master_keys": map[string]any{alice: up.MasterKey}, "self_signing_keys": map[string]any{alice: up.SelfSigningKey},
		"user_signing_keys": map[string]any{alice: up.UserSigningKey}})
	if err != nil {
		t.Fatal(err)
	}
	var asked bytes.Buffer
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(&asked, r.URL.Path)
		_, _ = w.Write(body)
	}))
	defer srv.Close()
	std, _ := newStreams("")
	s := &signedIn{BaseURL: srv.URL, UserID: alice, DeviceID: "ABCDEFGHIJ", AccessToken: "secret"}
	b := newBringUp(s, stateFile(t.TempDir()+"/state.json"), &console{std: std})
	if err := b.adopt(t.Context(), other.Secrets(), nil); !errors.Is(err, crosssigning.ErrKeysDiffer) || s.Identity != nil {
		t.Errorf("got %v", err)
	}
	if got := asked.String(); strings.Contains(got, "upload") {
		t.Errorf("something was published: %s", got)
	}
	if err := b.adopt(t.Context(), own.Secrets(), nil); err != nil || s.Identity == nil {
		t.Errorf("the account's own keys: %v", err)
	}
}

// SX-3: a backup that cannot be used is left aside, and the device is signed in.
func TestBackupThatDoesNotFit(t *testing.T) {
	const version = `{"algorithm":"m.megolm_backup.v1.curve25519-aes-sha2","version":"2","auth_data":{"public_key":"c7h5vcLhaqOrJOXwOtfu8057SGO5gyPFQeUjxolueXs"}}`
	const key = "io5uf9hJaZ7mBG1Z4WOqSg7y2rkKYocTOVnYaXz9FnI" // of that public key
	const algorithm = "m.megolm_backup.v1.curve25519-aes-sha2"
	for name, c := range map[string]struct {
		given  backupSecret
		status int
		body   string
		used   bool
	}{
		"it fits":                {backupSecret{algorithm, key, "2"}, 200, version, true},
		"no version was given":   {backupSecret{algorithm, key, ""}, 200, version, true},
		"another algorithm":      {backupSecret{"org.example.other", key, "2"}, 200, version, false},
		"an older version":       {backupSecret{algorithm, key, "1"}, 200, version, false},
		"another key":            {backupSecret{algorithm, "YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1", "2"}, 200, version, false},
		"no key":                 {backupSecret{algorithm, "", "2"}, 200, version, false},
		"none at the homeserver": {backupSecret{algorithm, key, "2"}, 404, `{"errcode":"M_NOT_FOUND","error":"no"}`, false},
	} {
		std, out := newStreams("")
		b := &bringUp{c: answering(t, c.status, c.body), s: &signedIn{}, file: stateFile(t.TempDir() + "/state.json"), con: &console{std: std}}
		if err := b.connectBackup(t.Context(), c.given); err != nil || (b.s.Backup != nil) != c.used {
			t.Errorf("%s: got %+v %v %s", name, b.s.Backup, err, out)
		}
	}
}

// A redirect must not carry the token to another host.
func TestRedirectsAreNotFollowed(t *testing.T) {
	if _, err := answering(t, 307, "").whoami(t.Context()); err == nil {
		t.Error("a redirect was taken for an answer")
	}
}
