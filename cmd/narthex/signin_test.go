package main

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
)

// home is a server with the account alice, and a folder for her devices.
type home struct {
	*process
	folder   string
	settings settings
}

const alicesPassword = "a long password"

func newHome(t *testing.T) home {
	t.Helper()
	folder := t.TempDir()
	config := filepath.Join(folder, "narthex.yaml")
	if err := os.WriteFile(config, []byte("rate_limits: {enabled: false}\nrendezvous: {mode: open}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := home{folder: folder, settings: settings{Config: config, Data: filepath.Join(folder, "data")}}
	h.process = launch(t, []string{"--config", config, "--data", h.settings.Data, "--listen", "127.0.0.1:0"})
	std, out := newStreams(alicesPassword + "\n")
	if code := run(t.Context(), []string{"user", "create", "alice", "--password-stdin", "--config", config, "--data", h.settings.Data}, std); code != 0 {
		t.Fatal(out)
	}
	return h
}

func (h home) file(name string) string { return filepath.Join(h.folder, name) }

// run plays a command to its end.
func (h home) run(t *testing.T, in string, args ...string) (int, string) {
	t.Helper()
	std, out := newStreams(in)
	return run(t.Context(), append([]string{"signin"}, args...), std), out.String()
}

// signIn makes a signed-in device with keys.
func (h home) signIn(t *testing.T, state string) {
	t.Helper()
	if code, out := h.run(t, alicesPassword+"\n", "password", h.url, "alice", "--state", h.file(state)); code != 0 {
		t.Fatal(out)
	}
}

// decide does what alice does on the homeserver's page.
func (h home) decide(t *testing.T, userCode string, allow bool) {
	t.Helper()
	a, err := h.settings.open(t.Context(), io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	err = a.DB.Write(t.Context(), func(tx *db.Tx) error {
		decide := a.OAuth.DenyDevice
		if allow {
			decide = a.OAuth.ApproveDevice
		}
		_, err := decide(tx, id.UserID("@alice:localhost"), userCode)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// player is a command that runs, speaks JSON and waits for answers.
type player struct {
	name string
	in   *io.PipeWriter
	out  *buffer
	stop context.CancelFunc
	code chan int
	read int // events that were taken
}

func (h home) play(t *testing.T, args ...string) *player {
	t.Helper()
	in, answers := io.Pipe()
	std, out := newStreams("")
	std.in, std.wait = in, hurry
	ctx, cancel := context.WithCancel(t.Context())
	p := &player{name: args[0], in: answers, out: out, stop: cancel, code: make(chan int, 1)}
	go func() {
		p.code <- run(ctx, append([]string{"signin"}, append(args, "--json")...), std)
		out.more <- struct{}{}
	}()
	t.Cleanup(func() { cancel(); answers.Close() })
	return p
}

// hurry waits as people do not want to: a hundred times shorter.
func hurry(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d / 100)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type told struct {
	Event, Code, Digits, URL, Reason, Error, Next, Cause string
	UserCode                                             string `json:"user_code"`
	DeviceID                                             string `json:"device_id"`
	Backup                                               string `json:"backup_version"`
	Verified                                             bool
}

// next gives the next event of the name.
func (p *player) next(t *testing.T, event string) told {
	t.Helper()
	for {
		lines := strings.SplitAfter(p.out.String(), "\n")
		for ; p.read < len(lines)-1; p.read++ {
			var e told
			if err := json.Unmarshal([]byte(lines[p.read]), &e); err != nil {
				t.Fatalf("%s wrote %q: %v", p.name, lines[p.read], err)
			}
			if e.Event == event {
				p.read++
				return e
			}
			if e.Event == "failed" {
				t.Fatalf("%s failed before %q: %s", p.name, event, p.out)
			}
		}
		select {
		case <-p.out.more:
		case code := <-p.code:
			p.code <- code
			if p.read == len(strings.SplitAfter(p.out.String(), "\n"))-1 {
				t.Fatalf("%s ended with %d before %q: %s", p.name, code, event, p.out)
			}
		}
	}
}

func (p *player) answer(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(p.in, text+"\n"); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end.
func (p *player) ends(t *testing.T, want int) {
	t.Helper()
	if code := <-p.code; code != want {
		t.Errorf("%s ended with %d: %s", p.name, code, p.out)
	}
}

// userCode takes the code out of the address of the page.
func userCode(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("user_code") == "" {
		t.Fatalf("the page %q has no code", address)
	}
	return u.Query().Get("user_code")
}
