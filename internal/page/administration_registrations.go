package page

import "time"

// Applicant is an account that waits for approval, or did.
type Applicant struct {
	UserID    string
	Name      string // as it calls itself; may be empty
	Addresses []string
	Reason    string // why the person wants to join; may be empty
	Made      time.Time
	IP        string
	UserAgent string
	Token     string // the registration token; may be empty
	Provider  string // the provider of single sign-on; may be empty
}

// Registrations is the queue of accounts that wait for approval, the oldest first.
// Its forms go to /admin/registrations.
type Registrations struct {
	Applicants []Applicant
	Total      int64
	Search     string
	From       string // where this page of the list begins; empty for the beginning
	Next       string // where the next one does; empty for the last page
	Chosen     map[string]bool
	Note       string
	Unused     bool // whether no account has to wait, as the server is set up
	Done       string
	Problem    Problem
}

func (Registrations) template() string { return "registrations" }
func (Registrations) section() string  { return "/admin/registrations" }

// Title is the heading.
func (Registrations) Title() string { return "Waiting accounts" }

// Refusal asks whether to refuse accounts. Its form goes to /admin/registrations.
type Refusal struct {
	Applicants []Applicant
	Note       string
}

func (Refusal) template() string { return "refusal" }
func (Refusal) section() string  { return "/admin/registrations" }

// Title is the heading.
func (r Refusal) Title() string {
	if len(r.Applicants) == 1 {
		return "Refuse this account?"
	}
	return "Refuse these accounts?"
}

// Token is a registration token.
type Token struct {
	Text        string
	Used        int64
	Pending     int64  // registrations with it that are under way
	Limit       *int64 // nil: any number
	Expires     time.Time
	Preapproved bool
	Valid       bool   // whether one more account can be made with it
	Link        string // the page to register on with it
}

// Tokens lists the registration tokens.
type Tokens struct {
	Tokens []Token
	Closed bool   // whether nobody can register at all
	Fresh  string // the token that was just made
	Done   string
}

func (Tokens) template() string { return "tokens" }
func (Tokens) section() string  { return "/admin/tokens" }

// Title is the heading.
func (Tokens) Title() string { return "Registration tokens" }

// NewToken makes a registration token. Its form goes to /admin/tokens/new.
type NewToken struct {
	Text, Limit, Days string // as they were typed before
	Preapproved       bool
	Approval          bool // whether accounts have to wait without such a token
	Problem           Problem
}

func (NewToken) template() string { return "new_token" }
func (NewToken) section() string  { return "/admin/tokens" }

// Title is the heading.
func (NewToken) Title() string { return "Make a registration token" }

// RevokeToken asks whether to revoke one. Its form goes to /admin/tokens/revoke.
type RevokeToken struct {
	Token string
}

func (RevokeToken) template() string { return "revoke_token" }
func (RevokeToken) section() string  { return "/admin/tokens" }

// Title is the heading.
func (RevokeToken) Title() string { return "Revoke this token?" }
