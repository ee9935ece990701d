package page_test

import (
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/browsertest"
	"github.com/narthex-matrix/narthex/internal/page"
)

func render(t *testing.T, p page.Page) string {
	t.Helper()
	out, err := page.Render(page.Frame{Server: "example.org", Account: alice, Token: "the-token", Now: now}, p)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// element is one element of a page.
type tag struct {
	name string
	attr map[string]string
	in   []string // the elements around it
}

// tags reads a page, and fails the test if its elements do not nest.
func tags(t *testing.T, text string) (out []tag) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		switch token := token.(type) {
		case xml.StartElement:
			e := tag{name: token.Name.Local, attr: map[string]string{}, in: slices.Clone(open)}
			for _, a := range token.Attr {
				e.attr[a.Name.Local] = a.Value
			}
			out, open = append(out, e), append(open, e.name)
		case xml.EndElement:
			open = open[:len(open)-1]
		}
	}
}

// TestPages holds for every page what screen readers, keyboards and the policy of
// its headers need.
func TestPages(t *testing.T) {
	for name, p := range pages {
		t.Run(name, func(t *testing.T) {
			text := render(t, p)
			all := tags(t, text)
			ids, labelled, described := map[string]bool{}, map[string]bool{}, []string{}
			headings := 0
			for _, e := range all {
				if id := e.attr["id"]; id != "" {
					if ids[id] {
						t.Errorf("two elements have the id %q", id)
					}
					ids[id] = true
				}
				if e.name == "label" {
					labelled[e.attr["for"]] = true
				}
				if e.name == "h1" {
					headings++
				}
				described = append(described, strings.Fields(e.attr["aria-describedby"]+" "+e.attr["aria-labelledby"])...)
				checkTag(t, e)
			}
			scripted, _ := p.(page.Scripted)
			if has := strings.Contains(text, "<script"); has != (scripted != nil) {
				t.Errorf("there is a script: %v", has)
			}
			if headings != 1 {
				t.Errorf("%d h1", headings)
			}
			for _, id := range described {
				if !ids[id] {
					t.Errorf("%q is referred to, and not there", id)
				}
			}
			for _, e := range all {
				hidden := e.attr["type"] == "hidden" || e.attr["aria-hidden"] == "true"
				field := slices.Contains([]string{"input", "textarea", "select"}, e.name)
				if field && !hidden && !labelled[e.attr["id"]] && !slices.Contains(e.in, "label") {
					t.Errorf("the field %q has no label", e.attr["name"])
				}
			}
			for _, want := range []string{`<html lang="en">`, `href="#main"`, `id="main"`, "<title>", `name="viewport"`} {
				if !strings.Contains(text, want) {
					t.Errorf("no %s", want)
				}
			}
			if strings.Contains(text, "ZgotmplZ") && name != "consent-hostile" {
				t.Error("an address was refused by the template")
			}
			checkForms(t, text)
		})
	}
}

func checkTag(t *testing.T, e tag) {
	t.Helper()
	if e.name == "script" && (!strings.HasPrefix(e.attr["src"], page.AssetFolder) || e.attr["type"] != "") {
		t.Errorf("there is a script that is no file of this server: %v", e.attr)
	}
	if slices.Contains([]string{"style", "iframe", "object", "embed", "base"}, e.name) {
		t.Errorf("there is a <%s>", e.name)
	}
	for name, value := range e.attr {
		if strings.HasPrefix(name, "on") || name == "style" || name == "srcset" || name == "background" {
			t.Errorf("<%s> has the attribute %s", e.name, name)
		}
		if name == "src" || (name == "href" && e.name == "link") || name == "action" {
			if !strings.HasPrefix(value, "/") || strings.HasPrefix(value, "//") {
				t.Errorf("<%s %s=%q> is not of this server", e.name, name, value)
			}
		}
		if name == "href" && strings.HasPrefix(strings.ToLower(value), "javascript:") {
			t.Errorf("<%s %s=%q>", e.name, name, value)
		}
	}
	if e.attr["target"] == "_blank" && e.attr["rel"] != "noopener noreferrer" {
		t.Errorf("<%s> opens a tab that can reach this one", e.name)
	}
}

// checkForms holds that each form that changes something has the token.
func checkForms(t *testing.T, text string) {
	t.Helper()
	for i, form := range strings.Split(text, "<form ")[1:] {
		form, _, _ = strings.Cut(form, "</form>")
		if posts := strings.Contains(form, `method="post"`); posts != strings.Contains(form, `name="form_token" value="the-token"`) {
			t.Errorf("form %d: posts: %v, and has a token: %v", i, posts, !posts)
		}
	}
}

// TestNamesAreShownAsText holds that an application cannot hide what it is called.
func TestNamesAreShownAsText(t *testing.T) {
	for _, name := range []string{"consent-hostile", "link-replaces"} {
		text := render(t, pages[name])
		for _, bad := range []string{"<b>Ele", "\u202e", "\u200b", "javascript:", "\x00"} {
			if strings.Contains(text, bad) {
				t.Errorf("%s has %q", name, bad)
			}
		}
		if !strings.Contains(text, "&lt;b&gt;Elemnet&lt;/b&gt; Super") {
			t.Errorf("%s does not have the name:\n%s", name, text)
		}
	}
	for name, want := range map[string]string{"": "An app without a name", " \u200b\u3164\u2800": "An app without a name", "  Ele \t ment ": "Ele ment"} {
		if got := (page.Client{Name: name}).Shown(); got != want {
			t.Errorf("%q is shown as %q, not %q", name, got, want)
		}
	}
}

func TestFormTokens(t *testing.T) {
	token := page.FormToken("visit", "session")
	if !page.IsFormToken(token, "visit", "session") {
		t.Error("the token is not accepted")
	}
	for _, c := range [][3]string{
		{token, "another", "session"}, {token, "visit", "another"}, {token, "visit", ""}, {token, "", "session"},
		{"", "visit", "session"}, {"", "", ""}, {page.FormToken("", ""), "", ""}, {token[1:], "visit", "session"}, {token + "x", "visit", "session"},
	} {
		if page.IsFormToken(c[0], c[1], c[2]) {
			t.Errorf("%q is accepted", c)
		}
	}
	if token != page.FormToken("visit", "session") || strings.Contains(token, "visit") {
		t.Error("the token is not what it should be")
	}
}

func TestAssets(t *testing.T) {
	for _, e := range tags(t, render(t, page.SignedOut{})) {
		if e.name != "link" {
			continue
		}
		name, inside := strings.CutPrefix(e.attr["href"], page.AssetFolder)
		asset, ok := page.FindAsset(name)
		if !inside || !ok || len(asset.Body) == 0 || asset.ContentType == "" {
			t.Errorf("%q is not there: %+v", name, asset.ContentType)
		}
	}
	for _, name := range []string{"", "narthex.css", "../page.go", "mark.svg"} {
		if _, ok := page.FindAsset(name); ok {
			t.Errorf("there is an asset %q", name)
		}
	}
}

// TestPictures lays every page out in a browser: in a narrow window, where nobody
// should have to scroll sideways (WCAG 2.2, 1.4.10), and, if somebody wants to look
// at them, on a phone and on a desktop, light and dark.
func TestPictures(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc(page.AssetFolder+"{name}", func(w http.ResponseWriter, r *http.Request) {
		asset, _ := page.FindAsset(r.PathValue("name"))
		w.Header().Set("Content-Type", asset.ContentType)
		_, _ = w.Write(asset.Body) // the browser may have gone
	})
	mux.HandleFunc("/page/{name}", func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, render(t, pages[r.PathValue("name")])) // likewise
	})
	site := httptest.NewServer(mux)
	defer site.Close()
	t.Cleanup(browsertest.End)
	b := browsertest.New(t, site.URL)
	narrow := browsertest.Size{Width: 320, Height: 640}
	for name := range pages {
		b.Screen(t, narrow, false)
		b.Open(t, "/page/"+name)
		b.Shot(t, name+"-narrow", narrow.Width)
		if os.Getenv("NARTHEX_TEST_SCREENSHOTS") == "" {
			continue
		}
		for _, screen := range []struct {
			name string
			size browsertest.Size
			dark bool
		}{
			{"phone-light", browsertest.Phone, false}, {"phone-dark", browsertest.Phone, true},
			{"desktop-light", browsertest.Desktop, false}, {"desktop-dark", browsertest.Desktop, true},
		} {
			b.Screen(t, screen.size, screen.dark)
			b.Shot(t, name+"-"+screen.name, screen.size.Width)
		}
	}
}
