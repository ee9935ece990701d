package main

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"github.com/narthex-matrix/narthex/internal/accounts"
)

// administrator acts, each time with a line in the audit log (K15).
type administrator struct {
	survivor
	target    string
	suspended bool
	number    int
	tokens    []string // that were acknowledged
	pending   string   // what is being done
	acts      int      // changes of suspended
}

func (a *administrator) step() error {
	if a.pending == "" {
		if a.number++; a.number%2 == 0 {
			a.pending = "suspend"
		} else {
			a.pending = fmt.Sprint("token", a.number)
		}
	}
	return a.settle()
}

func (a *administrator) settle() error {
	switch a.pending {
	case "":
		return nil
	case "suspend":
		if err := a.tell("PUT", "/_matrix/client/v1/admin/suspend/"+url.PathEscape(a.target), map[string]bool{"suspended": !a.suspended}, nil); err != nil {
			return err
		}
		a.suspended, a.acts = !a.suspended, a.acts+1
	default:
		r, err := a.ask("POST", "/_synapse/admin/v1/registration_tokens/new", map[string]any{"token": a.pending})
		if err != nil {
			return err
		}
		if r.status != http.StatusOK && r.code != "M_INVALID_PARAM" { // that it is there already
			return r.unexpected("registration token")
		}
		a.tokens = append(a.tokens, a.pending)
	}
	a.pending = ""
	return nil
}

type auditPage struct {
	Entries []struct {
		Action string `json:"action"`
		Target string `json:"target"`
	} `json:"entries"`
	Next string `json:"next_from"`
}

// check holds acts and lines against each other: as many of the one as of the other.
func (a *administrator) check() error {
	var lines []string
	for from := "0"; from != ""; {
		var page auditPage
		if err := a.tell("GET", "/_narthex/admin/v1/audit?limit=100&from="+from, nil, &page); err != nil {
			return err
		}
		for _, e := range page.Entries {
			if e.Action == "create_registration_token" || e.Target == a.target {
				lines = append(lines, e.Action+" "+e.Target)
			}
		}
		from = page.Next
	}
	var list struct {
		Tokens []struct {
			Token string `json:"token"`
		} `json:"registration_tokens"`
	}
	if err := a.tell("GET", "/_synapse/admin/v1/registration_tokens", nil, &list); err != nil {
		return err
	}
	var acts, tokens []string
	for _, t := range list.Tokens {
		tokens = append(tokens, t.Token)
		acts = append(acts, "create_registration_token "+accounts.RegistrationToken{Token: t.Token}.Mark())
	}
	for _, token := range a.tokens {
		if !slices.Contains(tokens, token) {
			a.w.find("lost: K15: the registration token %s", token)
		}
	}
	for i := range a.acts {
		acts = append(acts, []string{"suspend ", "unsuspend "}[i%2]+a.target)
	}
	slices.Sort(lines)
	slices.Sort(acts)
	if !slices.Equal(lines, acts) {
		a.w.find("K15: the audit log has %d lines, and there were %d acts: %s", len(lines), len(acts), difference(lines, acts))
	}
	return nil
}
