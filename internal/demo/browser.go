package demo

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// browser is Mia's browser with her in front of it: it keeps cookies, follows the
// server's redirects, and fills in the forms of its pages.
type browser struct {
	client http.Client
	page   string // the HTML of the last page
	place  *url.URL
}

func newBrowser() (*browser, error) {
	jar, err := cookiejar.New(nil)
	return &browser{client: http.Client{Jar: jar, Timeout: requestTimeout}}, err
}

// open goes to an address and gives the page's heading.
func (b *browser) open(ctx context.Context, address string) (heading string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return "", err
	}
	return b.load(req)
}

// submit sends the form of the last page with what Mia fills in, and gives the
// heading of the page that comes of it.
func (b *browser) submit(ctx context.Context, path string, filled url.Values) (heading string, err error) {
	for _, hidden := range hiddenField.FindAllStringSubmatch(b.page, -1) {
		filled.Set(hidden[1], html.UnescapeString(hidden[2]))
	}
	if filled.Get("form_token") == "" {
		return "", fmt.Errorf("the form on %s has no token", b.place.Path)
	}
	address := b.place.ResolveReference(&url.URL{Path: path})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address.String(), strings.NewReader(filled.Encode()))
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return b.load(req)
}

var (
	hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)">`)
	headingText = regexp.MustCompile(`<h1>([^<]*)</h1>`)
	codeText    = regexp.MustCompile(`<p class="code"><span class="unseen">Code: </span>([^<]*)</p>`)
)

func (b *browser) load(req *http.Request) (heading string, err error) {
	resp, err := b.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	b.page, b.place = string(raw), resp.Request.URL
	if resp.StatusCode != http.StatusOK {
		return "", fmt.Errorf("%s %s was answered %d", req.Method, req.URL.Path, resp.StatusCode)
	}
	return b.text(headingText)
}

var errNotOnPage = errors.New("a page of the homeserver lacks what it has to show")

func (b *browser) text(what *regexp.Regexp) (string, error) {
	found := what.FindStringSubmatch(b.page)
	if found == nil {
		return "", fmt.Errorf("%w: %s", errNotOnPage, b.place.Path)
	}
	return strings.TrimSpace(html.UnescapeString(found[1])), nil
}
