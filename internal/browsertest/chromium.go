package browsertest

import (
	"context"
	"os"
	"os/exec"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"
)

// chromium is the one of this process.
var chromium struct {
	sync.Mutex
	ctx context.Context // nil: it does not run
	end []context.CancelFunc
}

// Tab opens an empty tab with a profile of its own, in which scripts run, for tests that
// drive it themselves. It closes with the test.
func Tab(t testing.TB) context.Context {
	t.Helper()
	if os.Getenv(Engine) == "postgres" {
		t.Skip("what a browser does with a page does not depend on the database: seen over SQLite")
	}
	browser, err := start(t)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := chromedp.NewContext(browser, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// start starts Chromium, unless it runs.
func start(t testing.TB) (context.Context, error) {
	t.Helper()
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil && chromium.ctx.Err() == nil {
		return chromium.ctx, nil
	}
	program, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("install Chromium (Debian: apt-get install chromium)")
		}
		t.Skip("install Chromium (Debian: apt-get install chromium)")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-features", "BackForwardCache,Translate")) // so that going back asks the server
	// It outlives the test that happens to be the first.
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), options...)
	ctx, leave := chromedp.NewContext(allocator)
	chromium.ctx, chromium.end = ctx, []context.CancelFunc{leave, end}
	return ctx, chromedp.Do(ctx)
}

// End ends Chromium if it runs, and removes what it has stored.
func End() {
	chromium.Lock()
	defer chromium.Unlock()
	for _, end := range chromium.end {
		end()
	}
	chromium.ctx, chromium.end = nil, nil
}
