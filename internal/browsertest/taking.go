package browsertest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/browser"
	"github.com/chromedp/chromedp"
)

// Read is the text of the first element that a CSS selector finds, with white space
// folded: for what people copy off a page.
func (b *Browser) Read(t testing.TB, selector string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Text(chromedp.CSS(selector)))
	if err != nil {
		t.Fatalf("reading %s: %v\nthe page:\n%s", selector, err, b.text())
	}
	return strings.Join(strings.Fields(text), " ")
}

// Download presses the link with this text, and gives the name and the content of
// the file that it leads to.
func (b *Browser) Download(t testing.TB, link string) (name string, content []byte) {
	t.Helper()
	folder, events := t.TempDir(), true
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	begun, progress := chromedp.Events(ctx, browser.DownloadWillBegin), chromedp.Events(ctx, browser.DownloadProgress)
	b.do(t, "downloading "+link, call(browser.SetDownloadBehavior, browser.SetDownloadBehaviorParams{
		Behavior: browser.SetDownloadBehaviorBehaviorAllowAndName, DownloadPath: folder, EventsEnabled: &events,
		BrowserContextID: chromedp.FromContext(b.ctx).BrowserContextID,
	}), chromedp.Click(chromedp.Search(`//a[normalize-space()="`+link+`"]`)))
	for e, err := range begun {
		if err != nil {
			t.Fatalf("downloading %s: %v", link, err)
		}
		name = e.SuggestedFilename
		break
	}
	for e, err := range progress {
		if err != nil || e.State == browser.DownloadProgressStateCanceled {
			t.Fatalf("downloading %s: %s %v", link, e.State, err)
		}
		if e.State == browser.DownloadProgressStateCompleted {
			content, err = os.ReadFile(filepath.Join(folder, e.GUID))
			if err != nil {
				t.Fatal(err)
			}
			break
		}
	}
	return name, content
}
