package page_test

import (
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/page"
)

var (
	applicant = page.Applicant{UserID: alice, Name: "Alice <b>Liddell</b>\u202e", Addresses: []string{"alice@example.net", "+44 20 7946 0018"},
		Reason: "I was told of this server by Bob, at the chess club, and would like to take part in the planning of the next tournament.",
		Made:   now.Add(-3 * time.Hour), IP: "2001:db8::17", UserAgent: firefox, Token: "chess-club", Provider: "University"}
	odd = page.Applicant{UserID: "@" + strings.Repeat("a-very-long-name-", 12) + ":" + longHost, Name: strings.Repeat("Supercalifragilistic", 8),
		Addresses: []string{strings.Repeat("x", 60) + "@" + longHost}, Reason: strings.Repeat("unbroken", 60), Made: now, UserAgent: strings.Repeat("A", 200), IP: "192.0.2.17"}
	person = page.Person{UserID: alice, Name: "Alice", Made: now.AddDate(0, -3, 0), Seen: now.Add(-time.Hour)}
	lines  = []page.Entry{
		{ID: 12, Time: now.Add(-time.Minute), Actor: "@root:example.org", Action: "approved", Target: alice, Details: "“Welcome!”"},
		{ID: 11, Time: now.Add(-time.Hour), Actor: "command line", Action: "made a registration token", Target: "chess-club", Details: `token: chess-club, uses allowed: 5`},
		{ID: 10, Time: now.AddDate(0, 0, -9), Actor: "server", Action: "refused", Target: odd.UserID, Details: strings.Repeat("not approved in time ", 9)},
	}
	five = int64(5)
)

func chartOf(numbers ...int64) (c page.Chart) {
	for i, n := range numbers {
		c.Counts = append(c.Counts, page.Count{Day: now.AddDate(0, 0, i-len(numbers)+1), N: n})
	}
	return c
}

func init() {
	month := chartOf(0, 1, 0, 0, 3, 7, 2, 2, 1, 0, 0, 4, 12, 9, 3, 2, 1, 1, 0, 0, 0, 5, 6, 2, 1, 0, 3, 2, 8, 4)
	for name, p := range map[string]page.Page{
		"administration": page.Administration{Approval: true, Join: page.Join{Open: true, Page: "https://" + longHost + "/register"}, Waiting: 3, Signups: month, SignIns: chartOf(1, 4, 2), Mail: true, Stuck: 2,
			StuckSince: now.Add(-40 * time.Minute), Version: "Narthex v0.5.0", Database: "PostgreSQL 17.2", Findings: []page.Finding{
				{What: "Rate limits are off, so that one client can keep the server busy.", Mend: "Set rate_limits.enabled."},
				{Fault: true, What: "Only 80 MiB are free in /var/lib/narthex: writes are about to fail.", Mend: "Make room."}}},
		"account-new":           page.Account{UserID: alice, Created: now, Homeserver: "https://" + longHost},
		"account-admin":         page.Account{UserID: alice, Created: now, Sessions: 1, Admin: true},
		"administration-quiet":  page.Administration{Signups: chartOf(0, 0), SignIns: page.Chart{}, Version: "Narthex (devel)", Database: "SQLite 3.50"},
		"administration-tokens": page.Administration{Join: page.Join{Open: true, NeedToken: true, Page: "https://matrix.example.org/register"}, Signups: chartOf(0, 0), SignIns: page.Chart{}},
		"not-administrator":     page.NotAdministrator{Account: alice, Here: "/admin"},
		"first-administrator":   page.FirstAdministrator{Link: "nxt_f_x", MinLength: 8},
		"first-administrator-wrong": page.FirstAdministrator{Link: "nxt_f_x", Username: "root", MinLength: 8,
			Problem: page.Problem{Field: "password_again", Text: "The two passwords are not the same. Enter both again."}},
		"registrations": page.Registrations{Applicants: []page.Applicant{applicant, odd, {UserID: "@c:example.org", Made: now}}, Total: 60, Next: "5_@c:example.org",
			Chosen: map[string]bool{alice: true}, Done: "2 accounts are approved."},
		"registrations-wrong": page.Registrations{Applicants: []page.Applicant{applicant}, Total: 1, Search: "ali", From: "1_@a:example.org", Note: strings.Repeat("long ", 20),
			Problem: page.Problem{Field: "note", Text: "The note is too long."}},
		"registrations-none":   page.Registrations{Unused: true},
		"registrations-search": page.Registrations{Search: "nobody <i>", Problem: page.Problem{Text: "Nothing was changed: choose at least one account."}},
		"refusal":              page.Refusal{Applicants: []page.Applicant{applicant, odd}, Note: "We are full."},
		"refusal-one":          page.Refusal{Applicants: []page.Applicant{applicant}},
		"decisions":            page.Decisions{Entries: lines, Search: "ali", Next: 10, Earlier: true},
		"decisions-none":       page.Decisions{},
		"tokens": page.Tokens{Fresh: "chess-club", Done: "The token is made. Send its link to whoever may register.", Tokens: []page.Token{
			{Text: "chess-club", Used: 2, Pending: 1, Limit: &five, Expires: now.AddDate(0, 0, 30), Preapproved: true, Valid: true, Link: "https://matrix.example.org/register?token=chess-club"},
			{Text: strings.Repeat("t", 64), Used: 7, Link: "https://" + longHost + "/register?token=" + strings.Repeat("t", 64)}}},
		"tokens-none":         page.Tokens{Closed: true},
		"new-token":           page.NewToken{Approval: true},
		"new-token-wrong":     page.NewToken{Text: "chess club", Limit: "-1", Days: "30", Problem: page.Problem{Field: "limit", Text: "Enter a whole number from 1 to 1000000, or nothing."}},
		"revoke-token":        page.RevokeToken{Token: "chess-club"},
		"users":               page.Users{People: []page.Person{person, {UserID: odd.UserID, Name: odd.Name, Made: now, Admin: true, Locked: true, Suspended: true}}, Total: 120, First: 51, Before: 0, Next: 100, Kinds: []page.Choice{{Value: "", Name: "people", Chosen: true}, {Value: "guests", Name: "guests"}}},
		"users-none":          page.Users{Search: "nobody", Next: -1, Before: -1},
		"user":                page.User{Person: person, Applicant: applicant, Devices: []page.Device{laptop, phone}, Entries: lines, Done: "The session is signed out.", Approved: true},
		"user-waiting":        page.User{Person: page.Person{UserID: odd.UserID, Waiting: true, Locked: true}, Applicant: odd},
		"user-own":            page.User{Person: page.Person{UserID: alice, Admin: true, Seen: now}, Applicant: page.Applicant{Made: now}, Devices: []page.Device{phone}, Own: true},
		"user-closed":         page.User{Person: page.Person{UserID: alice, Deactivated: true}, Applicant: page.Applicant{Made: now}},
		"user-act-lock":       page.UserAct{UserID: alice, Act: "lock"},
		"user-act-deactivate": page.UserAct{UserID: odd.UserID, Act: "deactivate", Problem: page.Problem{Text: "You cannot do this to your own account. Ask another administrator."}},
		"user-act-password":   page.UserAct{UserID: alice, Act: "password", MinLength: 8, Problem: page.Problem{Field: "password", Text: "The password needs at least 8 characters."}},
		"user-act-session":    page.UserAct{UserID: alice, Act: "sign_out", Device: &laptop},
		"password-given":      page.PasswordGiven{UserID: alice, Password: "abcd2345efgh6789jkmn"},
		"audit": page.Audit{Entries: lines, Actor: "root", Next: 10, Earlier: true, Actions: []page.Choice{{Value: "approve", Name: "approved", Chosen: true}},
			Action: "approve", Parts: []page.Part{{First: 1, Last: 20000}, {First: 20001, Last: 20012}}, Checked: true},
		"audit-broken": page.Audit{Checked: true, Broken: "the audit log was changed at or before line 7"},
	} {
		pages[name] = p
	}
}

// TestSections holds that each page of administrators says where it belongs, and no
// other page has their navigation.
func TestSections(t *testing.T) {
	for name, current := range map[string]string{
		"administration": "/admin", "refusal": "/admin/registrations", "decisions": "/admin/decisions", "new-token": "/admin/tokens",
		"user-act-lock": "/admin/users", "audit": "/admin/audit",
	} {
		text := render(t, pages[name])
		if strings.Count(text, "aria-current") != 1 || !strings.Contains(text, `<a href="`+current+`" aria-current="page">`) {
			t.Errorf("%s does not say that it belongs to %s", name, current)
		}
	}
	for _, name := range []string{"account", "sign-in", "not-administrator", "first-administrator", "failure-ours"} {
		if text := render(t, pages[name]); strings.Contains(text, `href="/admin`) {
			t.Errorf("%s leads to the pages of administrators", name)
		}
	}
}

// TestTables holds that each cell of a table can be told what it is, by a screen
// reader and on a phone.
func TestTables(t *testing.T) {
	for name, p := range pages {
		for _, e := range tags(t, render(t, p)) {
			if e.name == "th" && e.attr["scope"] == "" {
				t.Errorf("%s: a header without a scope", name)
			}
		}
	}
}

func TestChart(t *testing.T) {
	c := chartOf(0, 1, 200)
	if c.Width() != 30 || c.Height() != 60 || c.Total() != 201 {
		t.Errorf("%d × %d, %d in all", c.Width(), c.Height(), c.Total())
	}
	bars := c.Bars()
	if len(bars) != 2 || bars[1].Height != 60 || bars[1].Y != 0 || bars[0].Height != 2 || bars[0].Y != 58 || bars[0].X < 10 || bars[0].X+bars[0].Width > 20 {
		t.Errorf("%+v", bars)
	}
	for want, c := range map[string]page.Chart{
		"201 in the last 3 days; the most on one day were 200, on 22 November.": c,
		"None in the last 2 days.": chartOf(0, 0),
		"None in the last 0 days.": {},
	} {
		if got := c.Summary(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// TestActsOnUsers holds that only what can be done is offered, and that each offer
// has its question.
func TestActsOnUsers(t *testing.T) {
	for want, u := range map[string]page.User{
		"password lock suspend promote deactivate":           {},
		"password unlock unsuspend promote deactivate":       {Person: page.Person{Locked: true, Suspended: true}},
		"password lock suspend unapprove promote deactivate": {Approved: true},
		"password demote deactivate":                         {Person: page.Person{Admin: true}},
		"password lock suspend deactivate":                   {Person: page.Person{Guest: true}},
		"erase":                                              {Person: page.Person{Deactivated: true}, Approved: true},
		"":                                                   {Person: page.Person{Deactivated: true, Erased: true}},
	} {
		var got []string
		for _, a := range u.Acts() {
			got = append(got, a.Act)
			if !page.IsUserAct(a.Act) || a.Name == "" || (page.UserAct{Act: a.Act}).Question().Button == "" {
				t.Errorf("%q has no question", a.Act)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%q, not %q", strings.Join(got, " "), want)
		}
	}
	if page.IsUserAct("nothing") || !page.IsUserAct("sign_out") || !page.IsUserAct("sign_out_all") {
		t.Error("the acts are not what they should be")
	}
}
