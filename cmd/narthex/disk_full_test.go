package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// onSmallDisk has every server that the test starts see a disk of its own over the
// folder of its data: a file system in memory that no other process sees.
func onSmallDisk(t *testing.T, folder string) {
	t.Helper()
	unshare := "unshare --mount"
	if os.Geteuid() != 0 {
		unshare += " --user --map-root-user"
	}
	mount := "mount -t tmpfs -o size=16m tmpfs '" + folder + "'"
	if runtime.GOOS != "linux" || exec.Command("sh", "-c", unshare+` sh -c "`+mount+`"`).Run() != nil {
		t.Skip("there can be no small disk here: it takes Linux, and rights to mount in a namespace")
	}
	program, err := exec.LookPath("narthex")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := "#!/bin/sh\nexec " + unshare + ` sh -c "` + mount + ` && exec '` + program + `' \"\$@\"" narthex "$@"` + "\n"
	if err := os.WriteFile(filepath.Join(bin, "narthex"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// ask makes a request with a token.
func (p *process) ask(t *testing.T, token, method, path, body string) (status int, answer string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, p.url+"/_matrix/client/v3"+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(raw)
}

// member of an answer.
func member(t *testing.T, answer, name string) string {
	t.Helper()
	found := regexp.MustCompile(`"` + name + `":"([^"]*)"`).FindStringSubmatch(answer)
	if found == nil {
		t.Fatalf("no %s in %s", name, answer)
	}
	return found[1]
}

// TestK19_AFullDisk fills the disk of a server and makes room again.
func TestK19_AFullDisk(t *testing.T) {
	data := t.TempDir()
	onSmallDisk(t, data)
	p := spawn(t, data)
	_, answer := p.ask(t, "", "POST", "/register", `{"username":"alice","password":"correct horse battery","auth":{"type":"m.login.dummy"}}`)
	token := member(t, answer, "access_token")
	_, answer = p.ask(t, token, "POST", "/createRoom", `{}`)
	room := member(t, answer, "room_id")
	send := func(n int) (status int, answer string) {
		return p.ask(t, token, "PUT", fmt.Sprintf("/rooms/%s/send/m.room.message/%d", room, n), fmt.Sprintf(`{"msgtype":"m.text","body":"%d %s"}`, n, strings.Repeat("x", 50_000)))
	}
	status, first := send(0)
	if status != 200 {
		t.Fatal(status, first)
	}

	filler := filepath.Join(fmt.Sprintf("/proc/%d/root", p.cmd.Process.Pid), data, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	stored := 0 // the log may have room for some
	for status == 200 {
		stored++
		status, answer = send(stored)
	}
	if status != 503 || !strings.Contains(answer, "disk of this server is full") {
		t.Errorf("on a full disk: got %d %s", status, answer)
	}
	for _, path := range []string{"/account/whoami", "/sync", "/rooms/" + room + "/event/" + member(t, first, "event_id")} {
		if status, answer := p.ask(t, token, "GET", path, ""); status != 200 {
			t.Errorf("%s on a full disk: got %d %s", path, status, answer)
		}
	}

	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	if status, answer := send(stored); status != 200 {
		t.Errorf("when there is room: got %d %s", status, answer)
	}
	_, answer = p.ask(t, token, "GET", "/rooms/"+room+"/messages?dir=b&limit=1000", "")
	for n := range stored + 1 {
		if got := strings.Count(answer, fmt.Sprintf(`"body":"%d x`, n)); got != 1 {
			t.Errorf("message %d is there %d times", n, got)
		}
	}
}
