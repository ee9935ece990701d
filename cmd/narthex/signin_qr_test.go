package main

import (
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/signin/qr"
)

// meet brings two devices together: one shows a code, the other is given it. It
// ends when both are sure of each other.
func (h home) meet(t *testing.T, newShows bool, flags ...string) (newcomer, existing *player) {
	t.Helper()
	new := []string{"new", "--state", h.file("new.json")}
	host := []string{"existing", "--state", h.file("existing.json")}
	if newShows {
		newcomer = h.play(t, append(append(new, h.url), flags...)...)
		existing = h.play(t, append(append(host, "--code", newcomer.next(t, "qr").Code), flags...)...)
		newcomer.next(t, "ask_check_code")
		newcomer.answer(t, existing.next(t, "check_code").Digits)
		return newcomer, existing
	}
	existing = h.play(t, append(host, flags...)...)
	newcomer = h.play(t, append(append(new, "--code", existing.next(t, "qr").Code), flags...)...)
	existing.next(t, "ask_check_code")
	existing.answer(t, newcomer.next(t, "check_code").Digits)
	return newcomer, existing
}

func TestSignInByCode(t *testing.T) {
	for name, flags := range map[string][]string{
		"2024":           {"--generation", "2024"},
		"2024 seed":      {"--generation", "2024", "--profile", "seed"},
		"2025":           {"--generation", "2025"},
		"2025 vodozemac": {"--generation", "2025", "--profile", "vodozemac"},
	} {
		for who, newShows := range map[string]bool{"the new device shows": true, "the existing device shows": false} {
			t.Run(name+", "+who, func(t *testing.T) {
				t.Parallel()
				h := newHome(t)
				h.signIn(t, "existing.json")
				newcomer, existing := h.meet(t, newShows, flags...)
				h.decide(t, userCode(t, existing.next(t, "verification_uri").URL), true)
				newcomer.next(t, "user_code")
				done := newcomer.next(t, "done")
				if !done.Verified || done.Backup != "1" {
					t.Errorf("got %+v, want a verified device with the backup", done)
				}
				existing.next(t, "done")
				newcomer.ends(t, 0)
				existing.ends(t, 0)
				h.livesOn(t)
			})
		}
	}
}

// livesOn uses the new device: its tokens are replaced, it signs out, and the
// homeserver has it no more.
func (h home) livesOn(t *testing.T) {
	t.Helper()
	state := h.file("new.json")
	if info, err := os.Stat(state); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the state: %v %v, want a file that only its owner reads", info, err)
	}
	for _, step := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"refresh"}, 0, "The access token is new"},
		{[]string{"status"}, 0, "one of 2.\nKey backup: version 1.\nVerified"},
		{[]string{"logout"}, 0, "Signed out @alice:localhost"},
		{[]string{"status"}, 1, "nobody is signed in here"},
	} {
		if code, out := h.run(t, "", append(step.args, "--state", state)...); code != step.code || !contains(out, step.want) {
			t.Errorf("%v: got %d %s, want %q", step.args, code, out, step.want)
		}
	}
	if _, out := h.run(t, "", "status", "--state", h.file("existing.json")); !contains(out, "one of 1.") {
		t.Errorf("the device that signed out is still in the list: %s", out)
	}
}

func TestSignInByPicture(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.signIn(t, "existing.json")
	existing := h.play(t, "existing", "--state", h.file("existing.json"), "--png", h.file("code.png"))
	existing.next(t, "qr")
	newcomer := h.play(t, "new", "--state", h.file("new.json"), "--scan", h.file("code.png"))
	newcomer.next(t, "check_code")
	existing.next(t, "ask_check_code")
	existing.stop()
	existing.ends(t, 1)
	newcomer.ends(t, 1)
	// Before the digits were typed nothing is said: the session is just over.
	if got := newcomer.out.String(); !contains(got, `"reason":"session_over"`) {
		t.Errorf("got %s", got)
	}
}

func TestSignInIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		play          func(t *testing.T, h home, newcomer, existing *player)
		new, existing string // reasons
	}{
		"on the page": {func(t *testing.T, h home, newcomer, existing *player) {
			h.decide(t, userCode(t, existing.next(t, "verification_uri").URL), false)
		}, "declined", "declined"},
		"by Ctrl-C on the new device": {func(t *testing.T, _ home, newcomer, existing *player) {
			newcomer.next(t, "user_code")
			newcomer.stop()
		}, "user_cancelled", "user_cancelled"},
		"by Ctrl-C on the existing device": {func(t *testing.T, _ home, newcomer, existing *player) {
			newcomer.next(t, "user_code")
			existing.stop()
		}, "user_cancelled", "user_cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHome(t)
			h.signIn(t, "existing.json")
			newcomer, existing := h.meet(t, true)
			c.play(t, h, newcomer, existing)
			newcomer.ends(t, 1)
			existing.ends(t, 1)
			for p, reason := range map[*player]string{newcomer: c.new, existing: c.existing} {
				if e := p.last(t); e.Event != "failed" || e.Reason != reason || e.Error == "" || e.Next == "" {
					t.Errorf("%s: got %+v, want the reason %s, and what to do", p.name, e, reason)
				}
			}
			if _, err := os.Stat(h.file("new.json")); err == nil {
				t.Error("a device is kept that was not signed in")
			}
		})
	}
}

func (p *player) last(t *testing.T) (e told) {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(p.out.String()), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWrongDigits(t *testing.T) {
	t.Parallel()
	h := newHome(t)
	h.signIn(t, "existing.json")
	newcomer := h.play(t, "new", "--state", h.file("new.json"), h.url)
	existing := h.play(t, "existing", "--state", h.file("existing.json"), "--code", newcomer.next(t, "qr").Code)
	newcomer.next(t, "ask_check_code")
	digits := existing.next(t, "check_code").Digits
	newcomer.answer(t, digits[1:]+"x")
	newcomer.ends(t, 1)
	existing.ends(t, 1)
	if e := newcomer.last(t); e.Reason != "wrong_check_code" {
		t.Errorf("got %+v", e)
	}
}

// What a command line cannot do is said before anything happens.
func TestSignInSaysWhatIsMissing(t *testing.T) {
	h := newHome(t)
	h.signIn(t, "existing.json")
	if err := os.WriteFile(h.file("open.json"), []byte(`{}`), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(h.file("text.png"), []byte(`not a picture`), 0o600); err != nil {
		t.Fatal(err)
	}
	code, err := qr.Payload{Generation: qr.Gen2024, ShownBy: qr.DeviceExisting, RendezvousURL: h.url + "/x", ServerName: "localhost"}.Encode()
	if err != nil {
		t.Fatal(err)
	}
	own := base64.URLEncoding.EncodeToString(code)
	for name, c := range map[string]struct {
		in   string
		args []string
		want string
	}{
		"no homeserver":          {"", []string{"new", "--state", h.file("n.json")}, "which homeserver?"},
		"occupied":               {"", []string{"new", h.url, "--state", h.file("existing.json")}, "a device is kept there already"},
		"not signed in":          {"", []string{"existing", "--state", h.file("n.json")}, "nobody is signed in here"},
		"readable by others":     {"", []string{"status", "--state", h.file("open.json")}, "chmod 600"},
		"no base64":              {"", []string{"new", "--state", h.file("n.json"), "--code", "!"}, "not base64"},
		"another code":           {"", []string{"new", "--state", h.file("n.json"), "--code", "aGVsbG8gd29ybGQ"}, "not a Matrix sign-in code"},
		"no picture":             {"", []string{"new", "--state", h.file("n.json"), "--scan", h.file("text.png")}, "no PNG or JPEG"},
		"a profile too many":     {"", []string{"new", h.url, "--state", h.file("n.json"), "--profile", "msc4388"}, "not one for codes of this generation"},
		"nobody there":           {"", []string{"new", "http://127.0.0.1:1", "--state", h.file("n.json")}, "could not be reached"},
		"wrong password":         {"wrong\n", []string{"password", h.url, "alice", "--state", h.file("n.json")}, "Check both and try again"},
		"no password":            {"", []string{"password", h.url, "alice", "--state", h.file("n.json")}, "the input has ended"},
		"nothing to refresh":     {"", []string{"refresh", "--state", h.file("existing.json")}, "cannot be replaced"},
		"a code of the own kind": {"", []string{"existing", "--state", h.file("existing.json"), "--code", own}, "shown by another device that is signed in"},
	} {
		code, out := h.run(t, c.in, c.args...)
		if code != 1 || !contains(out, c.want) || !contains(out, "What to do: ") {
			t.Errorf("%s: got %d %s, want %q", name, code, out, c.want)
		}
	}
}

func TestOneCommandAtATime(t *testing.T) {
	h := newHome(t)
	h.signIn(t, "one.json")
	existing := h.play(t, "existing", "--state", h.file("one.json"))
	existing.next(t, "qr")
	if code, out := h.run(t, "", "status", "--state", h.file("one.json")); code != 1 || !contains(out, "another sign-in command is using") {
		t.Errorf("got %d %s", code, out)
	}
	existing.stop()
	existing.ends(t, 1)
	if code, out := h.run(t, "", "status", "--state", h.file("one.json")); code != 0 {
		t.Errorf("afterwards: got %d %s", code, out)
	}
}

// The recovery key brings the account's keys to a device without another one.
func TestSignInWithRecoveryKey(t *testing.T) {
	h := newHome(t)
	code, out := h.run(t, alicesPassword+"\n", "password", h.url, "alice", "--state", h.file("one.json"), "--json")
	if code != 0 {
		t.Fatal(out)
	}
	var key struct {
		Key string `json:"recovery_key"`
	}
	for line := range strings.Lines(out) {
		if err := json.Unmarshal([]byte(line), &key); err != nil {
			t.Fatal(err)
		}
		if key.Key != "" {
			break
		}
	}
	in := alicesPassword + "\n" + key.Key + "\n"
	if code, out := h.run(t, in, "password", h.url, "alice", "--state", h.file("two.json")); code != 0 || !contains(out, "one of 2.\nKey backup: version 1.\nVerified") {
		t.Errorf("got %d %s", code, out)
	}
	in = alicesPassword + "\nEsTc LW2K PGiF wKEA 3As5 g5c4 BXwk qeeJ ZJV8 Q9fu gUMN UE4d\n"
	if code, out := h.run(t, in, "password", h.url, "alice", "--state", h.file("three.json")); code != 1 || !contains(out, "does not open the account's secrets") {
		t.Errorf("another key: got %d %s", code, out)
	}
	in = alicesPassword + "\n"
	if code, out := h.run(t, in, "password", h.url, "alice", "--state", h.file("four.json"), "--reset"); code != 0 || !contains(out, "Verified") {
		t.Errorf("--reset: got %d %s", code, out)
	}
	if code, out := h.run(t, "", "status", "--state", h.file("one.json")); code != 1 || !contains(out, "Not verified: ") {
		t.Errorf("a device with the old keys: got %d %s", code, out)
	}
}
