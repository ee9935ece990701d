package page

import (
	"strings"
	"time"
)

// Person is an account, as lists show it.
type Person struct {
	UserID string
	Name   string // as it calls itself; may be empty
	Made   time.Time
	Seen   time.Time // zero: never
	Admin, Guest, Waiting, Refused,
	Locked, Suspended, Deactivated, Erased bool
}

// State says in words what is special about the account; "active" if nothing is.
func (p Person) State() string {
	var words []string
	for _, mark := range []struct {
		is   bool
		word string
	}{
		{p.Admin, "administrator"}, {p.Guest, "guest"}, {p.Waiting, "waits for approval"}, {p.Refused, "refused"}, {p.Locked, "locked"},
		{p.Suspended, "suspended"}, {p.Deactivated && !p.Refused, "deactivated"}, {p.Erased, "erased"},
	} {
		if mark.is {
			words = append(words, mark.word)
		}
	}
	if len(words) == 0 {
		return "active"
	}
	return strings.Join(words, ", ")
}

// Users lists accounts.
type Users struct {
	People []Person
	Total  int64
	Search string
	Kinds  []Choice // which accounts to show
	Kind   string   // the one that was chosen
	// First is the number of the first of them, from 1; Next and Before are where the
	// pages after and before this one begin, -1 for none.
	First, Next, Before int64
}

func (Users) template() string { return "users" }
func (Users) section() string  { return "/admin/users" }

// Title is the heading.
func (Users) Title() string { return "Users" }

// Last is the number of the last account that is shown.
func (u Users) Last() int64 { return u.First + int64(len(u.People)) - 1 }

// User shows one account, and what can be done with it.
type User struct {
	Person    Person
	Applicant Applicant
	Devices   []Device
	Approved  bool // whether it needed approval, and has it
	Own       bool // whether it is that of the administrator who looks at it
	Entries   []Entry
	Done      string
}

func (User) template() string { return "user" }
func (User) section() string  { return "/admin/users" }

// Title is the heading.
func (u User) Title() string { return u.Person.UserID }

// Act is something that can be done with an account.
type Act struct {
	Act   string // a key of userActs
	Name  string
	Grave bool // whether it cannot be undone, or takes something away
}

// Acts are what can be done with the account as it is.
func (u User) Acts() (acts []Act) {
	p := u.Person
	restrictable := !p.Admin && !p.Deactivated
	for _, a := range []struct {
		offered bool
		act     Act
	}{
		{!p.Deactivated, Act{"password", "Reset the password", false}},
		{restrictable && !p.Locked, Act{"lock", "Lock", false}},
		{p.Locked, Act{"unlock", "Unlock", false}},
		{restrictable && !p.Suspended, Act{"suspend", "Suspend", false}},
		{p.Suspended, Act{"unsuspend", "End the suspension", false}},
		{u.Approved && !p.Deactivated, Act{"unapprove", "Take the approval back", false}},
		{!p.Admin && !p.Deactivated && !p.Guest, Act{"promote", "Make it an administrator", true}},
		{p.Admin, Act{"demote", "Take the administrator’s rights away", true}},
		{!p.Deactivated, Act{"deactivate", "Deactivate", true}},
		{p.Deactivated && !p.Erased, Act{"erase", "Erase", true}},
	} {
		if a.offered {
			acts = append(acts, a.act)
		}
	}
	return acts
}

// UserAct asks whether to do something with an account. Its form goes to
// /admin/user/act.
type UserAct struct {
	UserID    string
	Act       string  // a key of userActs
	Device    *Device // for the one session that is to be signed out
	MinLength int     // of a password, in characters
	Problem   Problem
}

func (UserAct) template() string { return "user_act" }
func (UserAct) section() string  { return "/admin/users" }

// Question is how an act is asked about.
type Question struct {
	Title, Text, Button string
	about               string // what the act is, after "You are about to"
}

var userActs = map[string]Question{
	"lock":         {"Lock this account?", "Nobody can use it until you unlock it. Its sessions are kept, and messages to it wait.", "Lock the account", "lock an account"},
	"unlock":       {"Unlock this account?", "Its sessions work again.", "Unlock the account", "unlock an account"},
	"suspend":      {"Suspend this account?", "It can read and leave rooms, but send nothing and join nothing, until you end it.", "Suspend the account", "suspend an account"},
	"unsuspend":    {"End the suspension?", "The account can be used as before.", "End the suspension", "end a suspension"},
	"deactivate":   {"Deactivate this account?", "This is for good: it loses its password, its addresses and its sessions, and leaves its rooms. Its name stays taken.", "Deactivate the account", "deactivate an account"},
	"erase":        {"Erase this account?", "Its profile and settings go, and whoever joins a room later does not see what it wrote. This is for good.", "Erase the account", "erase an account"},
	"password":     {"Give this account another password?", "All its sessions are signed out. Tell the person the new password in a way that nobody else can overhear or read.", "Set the password", "give an account another password"},
	"promote":      {"Make this account an administrator’s?", "It can then do everything that you can do here, to you as well.", "Make it an administrator", "make an account an administrator’s"},
	"demote":       {"Take the administrator’s rights away?", "The account becomes an ordinary one. Its sessions are kept.", "Take the rights away", "take the rights of an administrator away"},
	"sign_out":     {"Sign this session out?", "It needs the password to come back. If it was the only session with the keys of encrypted messages, and there is no backup of them, those messages cannot be read any more.", "Sign it out", "sign out a session of an account"},
	"sign_out_all": {"Sign out all sessions?", "Every app and browser needs the password to come back. Encrypted messages of which there is no backup of the keys cannot be read any more.", "Sign out all", "sign out all sessions of an account"},
	"unapprove":    {"Take the approval back?", "The account waits again: it cannot be signed in to until somebody approves it. All its sessions are signed out.", "Take it back", "take an approval back"},
}

// IsUserAct reports whether there is a page that asks about the act.
func IsUserAct(act string) bool { return userActs[act].Title != "" }

// Question is how the act is asked about.
func (u UserAct) Question() Question { return userActs[u.Act] }

// Title is the heading.
func (u UserAct) Title() string { return userActs[u.Act].Title }

// PasswordGiven tells an administrator the password that was made for an account. It
// is shown once.
type PasswordGiven struct {
	UserID, Password string
}

func (PasswordGiven) template() string { return "password_given" }
func (PasswordGiven) section() string  { return "/admin/users" }

// Title is the heading.
func (PasswordGiven) Title() string { return "The new password" }
