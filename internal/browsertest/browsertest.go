// Package browsertest drives Chromium in tests as a person would: it opens pages,
// types, presses what it finds by its label, and reads what is shown.
//
// Scripts are switched off, so that what works here works without them. Where
// Chromium is not installed a test is skipped, but for CI, where it fails.
//
// To start Chromium takes longer than most tests, so that there is one for all tests of
// a package. Each [Browser] has cookies, storage and a cache of its own in it. The
// package's TestMain ends it with [End].
package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// Browser is one tab, with a profile of its own.
type Browser struct {
	ctx  context.Context
	site string
}

// Engine is the environment variable in which package dbtest says over which database
// the tests run just now.
const Engine = "NARTHEX_TEST_ENGINE"

// patience is how long one step may take before the test fails.
const patience = time.Minute

// New gives a browser for a site, such as http://127.0.0.1:1234.
func New(t testing.TB, site string) *Browser {
	t.Helper()
	ctx := Tab(t)
	b := &Browser{ctx: ctx, site: site}
	err := chromedp.Do(ctx, call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}),
		call(emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true}))
	if err != nil {
		t.Fatal(err)
	}
	b.Screen(t, Desktop, false)
	return b
}

func call[P, R any](command cdp.Command[P, R], params P) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, target, command, params)
		return chromedp.Void{}, err
	}
}

// Size is that of a window, in pixels.
type Size struct{ Width, Height int64 }

// The sizes that pages are looked at in.
var (
	Phone   = Size{390, 844}
	Desktop = Size{1280, 900}
)

// Screen sets the size of the window, and whether the person likes it dark.
func (b *Browser) Screen(t testing.TB, size Size, dark bool) {
	t.Helper()
	scheme := "light"
	if dark {
		scheme = "dark"
	}
	b.do(t, "setting the screen", chromedp.EmulateViewport(size.Width, size.Height),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}))
}

func (b *Browser) do(t testing.TB, what string, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatalf("%s: %v\nthe page:\n%s", what, err, b.text())
	}
}

// leave waits for the page that a step leads to, and gives its status.
func (b *Browser) leave(t testing.TB, what string, step chromedp.Action[chromedp.Void]) int {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	resp, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		t.Fatalf("%s: %v\nthe page:\n%s", what, err, b.text())
	}
	if resp == nil { // out of the cache of the last pages
		return 0
	}
	return int(resp.Status)
}

// Open goes to a path of the site, or to a whole address, and gives the status.
func (b *Browser) Open(t testing.TB, address string) int {
	t.Helper()
	if strings.HasPrefix(address, "/") {
		address = b.site + address
	}
	return b.leave(t, address, chromedp.Navigate(address))
}

// Fill types into the field with this id, after what is there is removed.
func (b *Browser) Fill(t testing.TB, id, text string) {
	t.Helper()
	field := chromedp.CSS("#" + id)
	b.do(t, "filling "+id, chromedp.Clear(field), chromedp.SendKeys(field, text))
}

// Write types into the field with this id, after what is there.
func (b *Browser) Write(t testing.TB, id, text string) {
	t.Helper()
	b.do(t, "writing into "+id, chromedp.SendKeys(chromedp.CSS("#"+id), text))
}

// Tick presses the box in the label with this text.
func (b *Browser) Tick(t testing.TB, label string) {
	t.Helper()
	b.do(t, "ticking "+label, chromedp.Click(chromedp.Search(`//label[contains(., "`+label+`")]//input`)))
}

// Press presses the button or link with this text, waits for the page that it
// leads to, and gives its status.
func (b *Browser) Press(t testing.TB, text string) int {
	t.Helper()
	return b.leave(t, "pressing "+text, chromedp.Click(chromedp.Search(
		`(//button[normalize-space()="`+text+`"] | //a[normalize-space()="`+text+`"] | //a[b[normalize-space()="`+text+`"]])`)))
}

// Appears waits until the element with this id is shown.
func (b *Browser) Appears(t testing.TB, id string) {
	t.Helper()
	b.do(t, "waiting for "+id, chromedp.WaitVisible(chromedp.CSS("#"+id)))
}

// Focused waits until the field with this id has the focus.
func (b *Browser) Focused(t testing.TB, id string) {
	t.Helper()
	b.do(t, "waiting for the focus of "+id, chromedp.WaitReady(chromedp.CSS("#"+id+":focus")))
}

// Type types where the focus is: tabulators go on to the next field, and so on.
func (b *Browser) Type(t testing.TB, keys string) {
	t.Helper()
	b.do(t, "typing", chromedp.KeyEvent(keys))
}

// TypeAndLeave types where the focus is, waits for the page that it leads to, and
// gives its status.
func (b *Browser) TypeAndLeave(t testing.TB, keys string) int {
	t.Helper()
	return b.leave(t, "typing", chromedp.KeyEvent(keys))
}

// Poke presses a button that leads nowhere, because the browser itself refuses.
func (b *Browser) Poke(t testing.TB, text string) {
	t.Helper()
	b.do(t, "poking "+text, chromedp.Click(chromedp.Search(`//button[normalize-space()="`+text+`"]`)))
}

// Back goes back to the page before.
func (b *Browser) Back(t testing.TB) {
	t.Helper()
	b.do(t, "going back", chromedp.NavigateBack())
}

// At is the address of the page.
func (b *Browser) At(t testing.TB) string {
	t.Helper()
	address, err := chromedp.Run(b.ctx, chromedp.Location())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimPrefix(address, b.site)
}

// Heading is the text of the page's h1.
func (b *Browser) Heading(t testing.TB) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("h1")))
	if err != nil {
		t.Fatalf("the heading: %v\nthe page:\n%s", err, b.text())
	}
	return strings.TrimSpace(text)
}

// Shows fails the test unless the page shows all of the texts.
func (b *Browser) Shows(t testing.TB, texts ...string) {
	t.Helper()
	shown := strings.Join(strings.Fields(b.text()), " ")
	for _, text := range texts {
		if !strings.Contains(shown, text) {
			t.Errorf("the page does not show %q:\n%s", text, shown)
		}
	}
}

func (b *Browser) text() string {
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS("body")))
	if err != nil {
		return err.Error()
	}
	return text
}

// Shot takes a picture of the whole page, if NARTHEX_TEST_SCREENSHOTS names a folder
// for it. It fails the test if the page is wider than the window: people would have
// to scroll sideways.
func (b *Browser) Shot(t testing.TB, name string, width int64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	layout, err := chromedp.Run(ctx, func(ctx context.Context, target *chromedp.Target) (page.GetLayoutMetricsResult, error) {
		return cdp.Call(ctx, target, page.GetLayoutMetrics, cdp.Empty{})
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := int64(layout.CSSContentSize.Width); got > width {
		t.Errorf("%s is %d pixels wide on a screen of %d", name, got, width)
	}
	folder := os.Getenv("NARTHEX_TEST_SCREENSHOTS")
	if folder == "" {
		return
	}
	picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, name+".png"), picture, 0o644); err != nil {
		t.Error(err)
	}
}
