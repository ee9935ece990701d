package page

import "time"

// section is one part of the pages of administrators, as their navigation has it.
type section struct{ Path, Name string }

// sections are all of them, in order.
var sections = []section{
	{"/admin", "Overview"}, {"/admin/registrations", "Waiting accounts"}, {"/admin/decisions", "Decisions"},
	{"/admin/users", "Users"}, {"/admin/tokens", "Registration tokens"}, {"/admin/audit", "Audit log"},
}

// administration is what all pages of administrators have: the path of the section
// that they belong to.
type administration interface{ section() string }

// Finding is something that is wrong with the setup of the server.
type Finding struct {
	Fault bool // the server is not safe, or about to fail; otherwise it is a warning
	What  string
	Mend  string // what to do
}

// Administration is the overview for administrators.
type Administration struct {
	Approval bool // whether new accounts wait at all
	Waiting  int64
	Join     Join
	Signups  Chart
	SignIns  Chart
	// Mail says whether mails are sent; Stuck are those that nobody took, the oldest
	// of them written at StuckSince.
	Mail       bool
	Stuck      int64
	StuckSince time.Time
	Version    string
	Database   string
	Findings   []Finding
}

// Join is how people get an account.
type Join struct {
	Open      bool // whether people can make one themselves
	NeedToken bool
	Page      string // the address of the page where they do
}

func (Administration) template() string { return "administration" }
func (Administration) section() string  { return "/admin" }

// Title is the heading.
func (Administration) Title() string { return "Administration" }

// NotAdministrator says that the page is for administrators.
type NotAdministrator struct {
	Account string // user ID
	Here    string // the path of the page, for signing in as somebody else
}

func (NotAdministrator) template() string { return "not_administrator" }

// Title is the heading.
func (NotAdministrator) Title() string { return "You are not an administrator" }

// FirstAdministrator makes the account of the first administrator. Its form goes to
// /admin/first.
type FirstAdministrator struct {
	Link      string // the secret of the link
	Username  string // as it was typed before
	MinLength int    // of the password, in characters
	Problem   Problem
}

func (FirstAdministrator) template() string { return "first_administrator" }

// Title is the heading.
func (FirstAdministrator) Title() string { return "Make the first administrator" }

// Entry is a line of the audit log.
type Entry struct {
	ID      int64
	Time    time.Time
	Actor   string
	Action  string // in words
	Target  string
	Details string // in words; may be empty
}

// IsUser reports whether the target is an account.
func (e Entry) IsUser() bool { return len(e.Target) > 0 && e.Target[0] == '@' }

// Decisions is the history of approvals and refusals, the newest first.
type Decisions struct {
	Entries []Entry
	Search  string // part of a user ID
	Next    int64  // the line that the next page is before; 0 for the last page
	Earlier bool   // whether this is not the first page
}

func (Decisions) template() string { return "decisions" }
func (Decisions) section() string  { return "/admin/decisions" }

// Title is the heading.
func (Decisions) Title() string { return "Decisions" }

// Choice is one of a list to choose from.
type Choice struct {
	Value, Name string
	Chosen      bool
}

// Part is a piece of the audit log to download: the lines from First to Last.
type Part struct{ First, Last int64 }

// After is the line before the first.
func (p Part) After() int64 { return p.First - 1 }

// Audit shows the audit log, the newest line first.
type Audit struct {
	Entries       []Entry
	Actor, Target string   // parts of them
	Actions       []Choice // the kinds of acts to look at
	Action        string   // the one that was chosen
	Next          int64    // the line that the next page is before; 0 for the last page
	Earlier       bool     // whether this is not the first page
	Parts         []Part
	// Checked says that the chain of hashes was followed, and Broken where it does
	// not hold: empty if it does.
	Checked bool
	Broken  string
}

func (Audit) template() string { return "audit" }
func (Audit) section() string  { return "/admin/audit" }

// Title is the heading.
func (Audit) Title() string { return "Audit log" }

// What the templates of parts get.
type (
	applicantShown struct {
		Applicant Applicant
		Now       time.Time
	}
	entriesShown struct {
		Caption string
		Entries []Entry
		Now     time.Time
	}
	chartShown struct {
		ID, Name, Note string
		Chart          Chart
	}
)
