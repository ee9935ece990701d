package page

import "time"

// Provider is an OpenID Connect provider that can vouch for people.
type Provider struct {
	ID, Name string
	Icon     bool   // whether it has a picture, which is at /sso/icon/ and its ID
	Begin    string // the path and query that lead to it
}

// Welcome makes the account of somebody whom a provider has vouched for. Its form goes
// to /sso/welcome.
type Welcome struct {
	Ticket    string // goes into the form
	Provider  string // its name
	Label     string // what the provider calls the person
	For       *Client
	Username  string // as the provider suggests it, or as it was typed before
	NeedToken bool
	RegToken  string
	Terms     *Terms // what has to be accepted; nil for nothing
	Accepted  bool
	Approval  bool    // whether an administrator has to approve the account
	Reason    *Reason // why the person wants to join; nil if nobody asks
	Problem   Problem
}

func (Welcome) template() string { return "welcome" }

// Title is the heading.
func (Welcome) Title() string { return "Make an account" }

// ProviderLink is a provider by which the owner of an account can sign in.
type ProviderLink struct {
	Provider, Subject string // its ID, and who it is there: they go into the form
	Name              string // of the provider; empty if there is none of that ID any more
	Label             string // what the provider calls the person
	Linked, Used      time.Time
}

// Providers shows by which providers the owner of an account can sign in. Its forms go
// to /account/providers.
type Providers struct {
	Links   []ProviderLink
	Others  []Provider // that can be linked
	Done    string
	Problem Problem
}

func (Providers) template() string { return "providers" }

// Title is the heading.
func (Providers) Title() string { return "Ways to sign in" }

// Onward leads to a provider, for a form cannot: nobody knows where else it sends the
// browser, and the policy of a page names every place to which a form may lead.
type Onward struct {
	Name string // of the provider
	URL  string
}

func (Onward) template() string { return "onward" }

// Title is the heading.
func (o Onward) Title() string { return "Go on to " + clean(o.Name) }
