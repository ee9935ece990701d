package clients_test

import (
	"context"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/narthex-matrix/narthex/internal/browsertest"
)

const wasmFile = "matrix_sdk_crypto_wasm_bg.wasm"

// serveApp serves an app that is one script, and gives its address. It is one of
// localhost, as apps on a person's own computer are.
func serveApp(t *testing.T, script string) string {
	t.Helper()
	needNode(t)
	folder := t.TempDir()
	bundle := exec.CommandContext(t.Context(), "node_modules/.bin/esbuild", script, "--bundle", "--format=esm", "--log-level=error",
		"--outfile="+filepath.Join(folder, "app.js"))
	if said, err := bundle.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	files := http.FileServer(http.Dir(folder))
	pages := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/app.js":
			files.ServeHTTP(w, r)
		case "/pkg/" + wasmFile:
			http.ServeFile(w, r, filepath.Join("node_modules/@matrix-org/matrix-sdk-crypto-wasm/pkg", wasmFile))
		default:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			_, _ = w.Write([]byte(`<!doctype html><title>App</title><script type="module" src="/app.js"></script>`)) // the browser may have gone
		}
	}))
	t.Cleanup(pages.Close)
	_, port, err := net.SplitHostPort(pages.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "http://localhost:" + port
}

// hireInBrowser is hire for a script in Chromium.
func hireInBrowser(t *testing.T, script string) *worker {
	t.Helper()
	browser := browsertest.Tab(t)
	ready := chromedp.Poll[chromedp.Void]("globalThis.carryOut !== undefined", chromedp.WithPollingTimeout(patience))
	if err := chromedp.Do(browser, chromedp.Navigate(serveApp(t, script)), ready); err != nil {
		t.Fatal(err)
	}
	return &worker{carry: func(ctx context.Context, _ int, line []byte) (got outcome, err error) {
		text, err := json.Marshal(string(line))
		if err != nil {
			return got, err
		}
		ctx, stop := within(browser, ctx)
		defer stop()
		said, err := chromedp.Run(ctx, chromedp.Evaluate[string]("carryOut("+string(text)+")", chromedp.EvalAwaitPromise))
		if err != nil {
			return got, err
		}
		return got, json.Unmarshal([]byte(said), &got)
	}}
}

// within is the browser's context until the other one ends.
func within(browser, until context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(browser)
	detach := context.AfterFunc(until, cancel)
	return ctx, func() {
		detach()
		cancel()
	}
}
