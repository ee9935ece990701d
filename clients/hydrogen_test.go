package clients_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/browsertest"
)

const hydrogenPage = `<!doctype html><title>loading</title><link rel="stylesheet" href="/hydrogen.css"><div id="app" class="hydrogen"></div><script type="module" src="/hydrogen.js"></script>`

// TestHydrogen signs in with Hydrogen in Chromium, reads a message and writes one.
// Hydrogen speaks r0 only.
func TestHydrogen(t *testing.T) {
	needNode(t)
	srv := apitest.New(t)
	ctx := browsertest.Tab(t)
	folder := t.TempDir()
	bundle := exec.CommandContext(t.Context(), "node_modules/.bin/esbuild", "hydrogen.mjs", "--bundle", "--format=esm",
		"--log-level=error", "--external:node:crypto", "--external:path", "--external:fs", "--external:crypto",
		"--outfile="+filepath.Join(folder, "hydrogen.js"))
	if out, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, file := range []string{"@matrix-org/olm/olm.js", "@matrix-org/olm/olm.wasm", "@matrix-org/olm/olm_legacy.js", "hydrogen-view-sdk/lib-build/sw.js"} {
		raw, err := os.ReadFile(filepath.Join("node_modules", file))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, filepath.Base(file)), raw, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := http.FileServer(http.Dir(folder))
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(hydrogenPage)) // the browser may have gone
			return
		}
		files.ServeHTTP(w, r)
	}))
	defer pages.Close()

	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	room := alice.CreateRoom(t, map[string]any{"name": "Hall", "preset": "public_chat"})
	room.Join(t, bob)
	room.Send(t, alice, "Is anybody at the door?")

	query := url.Values{"homeserver": {srv.URL}, "user": {string(bob.UserID)}, "password": {apitest.Password}, "room": {string(room.ID)}}
	wait := func(condition string) chromedp.Action[chromedp.Void] {
		return chromedp.Poll[chromedp.Void](condition, chromedp.WithPollingTimeout(time.Minute))
	}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(900, 700), chromedp.Navigate(pages.URL+"/?"+query.Encode()),
		wait(`document.title !== "loading"`)); err != nil {
		t.Fatalf("Hydrogen: %v\nserver log:\n%s", err, srv.Log)
	}
	if title, err := chromedp.Run(ctx, chromedp.Title()); err != nil || title != "done" {
		t.Fatalf("Hydrogen: %q %v\nserver log:\n%s", title, err, srv.Log)
	}
	for _, text := range []string{"Hello from Hydrogen", "Is anybody at the door?"} {
		if err := chromedp.Do(ctx, wait(`document.body.innerText.includes("`+text+`")`)); err != nil {
			t.Errorf("the page does not show %q: %v", text, err)
		}
	}
	shot, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err != nil {
		t.Error(err)
	}
	if name := os.Getenv("NARTHEX_TEST_SCREENSHOTS"); name != "" {
		if err := os.WriteFile(filepath.Join(name, "hydrogen.png"), shot, 0o644); err != nil {
			t.Error(err)
		}
	}
	if !received(t, alice, room, "Hello from Hydrogen") {
		t.Error("alice does not see what Hydrogen sent")
	}
}

// received reports whether the newest messages of the room have one with the text.
func received(t *testing.T, as *apitest.Client, room *apitest.Room, text string) bool {
	t.Helper()
	var page struct {
		Chunk []struct {
			Content json.RawMessage `json:"content"`
		} `json:"chunk"`
	}
	as.Do(t, "GET", room.Path("/messages?dir=b&limit=20"), nil).OK(t, &page)
	for _, ev := range page.Chunk {
		if strings.Contains(string(ev.Content), text) {
			return true
		}
	}
	return false
}
