package page

import (
	"bytes"
	"fmt"
	"html/template"
	"strings"
	"time"
)

// Frame is what surrounds a page.
type Frame struct {
	// Server is the name of the server, shown on top.
	Server string
	// Account is the user ID of whoever is signed in in this browser; empty for
	// nobody. Pages of the account show it with a button to sign out.
	Account string
	// Token goes into every form, and comes back with it (see [FormToken]).
	Token string
	// Now is the time of the request, to tell today from yesterday.
	Now time.Time
}

// Page is the content of one page: one of the structs of this package.
type Page interface {
	// template is the name of the file in templates/, without its ending.
	template() string
	// Title is the heading of the page, and its name in the browser's tabs.
	Title() string
}

// Problem is what is wrong with a form that was sent. The zero Problem is none.
type Problem struct {
	// Field is the name of the field at fault; empty if it is the whole form.
	Field string
	Text  string
}

// shell is what the templates get.
type shell struct {
	Frame Frame
	Page  Page
	// Account pages can be left by signing out.
	Account bool
	// Section is the path of the section that a page of administrators belongs to;
	// empty for other pages.
	Section string
	// Script is the asset that the page cannot do without; mostly there is none.
	Script string
}

// Scripted is a page with a script, for which its Content-Security-Policy has to allow
// those of this server.
type Scripted interface{ Script() string }

// Render gives the HTML of a page.
func Render(f Frame, p Page) ([]byte, error) {
	t := templates[p.template()]
	if t == nil {
		return nil, fmt.Errorf("page: no template %q", p.template())
	}
	s := shell{Frame: f, Page: p}
	switch p.(type) {
	case Account, Sessions, Session, Password, Profile, Deactivate, ResetIdentity, Addresses, RemoveAddress, Confirm, Providers, Security, PasskeyDetails:
		s.Account = true
	}
	if a, ok := p.(administration); ok {
		s.Account, s.Section = true, a.section()
	}
	if codes, ok := p.(OneTimeCodes); ok {
		s.Account = !codes.Required
	}
	if scripted, ok := p.(Scripted); ok {
		s.Script = scripted.Script()
	}
	var out bytes.Buffer
	if err := t.ExecuteTemplate(&out, "frame", s); err != nil {
		return nil, fmt.Errorf("page: %w", err)
	}
	return out.Bytes(), nil
}

// note is the data of a template for one sentence beside a field or a form.
type note struct {
	ID   string
	Text string
}

// problemOf gives what is wrong with one field, for its template; Text is empty if
// nothing is.
func problemOf(p Problem, field string) note {
	if p.Text == "" || p.Field != field {
		return note{}
	}
	if field == "" {
		field = "form"
	}
	return note{ID: field + "-problem", Text: p.Text}
}

// about gives the attributes that tie a field to its hint, if there is one, and to
// what is wrong with it. The names are the templates' own.
func about(p Problem, field string, hint ...string) template.HTMLAttr {
	described, attributes := hint, ""
	for i := range described {
		described[i] = field + "-" + described[i]
	}
	if problemOf(p, field).Text != "" {
		described = append(described, field+"-problem")
		attributes = ` aria-invalid="true" autofocus`
	}
	if len(described) > 0 {
		attributes += ` aria-describedby="` + strings.Join(described, " ") + `"`
	}
	return template.HTMLAttr(attributes)
}

var functions = template.FuncMap{
	"asset":    assetPath,
	"clean":    clean,
	"whole":    whole,
	"software": software,
	"when":     when,
	"instant":  func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"problem":  problemOf,
	"about":    about,
	"initial":  initial,
	"sections": func() []section { return sections },
	"day":      func(t time.Time) string { return t.UTC().Format("2 January 2006") },

	// What some parts take that others than the page itself have.
	"applicant": func(a Applicant, now time.Time) applicantShown { return applicantShown{a, now} },
	"entries":   func(caption string, e []Entry, now time.Time) entriesShown { return entriesShown{caption, e, now} },
	"chart":     func(id, name, note string, c Chart) chartShown { return chartShown{id, name, note, c} },
}
