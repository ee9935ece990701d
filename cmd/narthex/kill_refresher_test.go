package main

import (
	"encoding/json"
	"net/http"
)

// refresher exchanges its refresh token again and again (K10).
type refresher struct {
	survivor
	held    string // the refresh token that it was given last
	pending bool
}

type refreshed struct {
	AccessToken  string `json:"access_token"`
	RefreshToken string `json:"refresh_token"`
}

// newRefresher signs in on a second device, with a refresh token.
func newRefresher(p survivor, name string) *refresher {
	f := &refresher{survivor: p}
	f.token = ""
	var first refreshed
	if err := f.tell("POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.password", "password": "a long password", "refresh_token": true,
		"identifier": map[string]string{"type": "m.id.user", "user": name}}, &first); err != nil {
		p.w.t.Fatal(err)
	}
	f.take(first)
	return f
}

func (f *refresher) take(r refreshed) { f.token, f.held = r.AccessToken, r.RefreshToken }

func (f *refresher) step() error {
	f.pending = true
	return f.settle()
}

// settle refreshes. Whoever lost the answer has the refresh token that it sent, and must
// be able to send it again.
func (f *refresher) settle() error {
	if !f.pending {
		return nil
	}
	p := f.survivor
	p.token = ""
	r, err := p.ask("POST", "/_matrix/client/v3/refresh", map[string]string{"refresh_token": f.held})
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return r.unexpected("K10: the refresh token that was given last")
	}
	var next refreshed
	if err := json.Unmarshal(r.raw, &next); err != nil {
		return err
	}
	f.take(next)
	f.pending = false
	return f.check()
}

// check holds that the access token is good. The first use of it ends the refresh token
// that came before.
func (f *refresher) check() error {
	return f.tell("GET", "/_matrix/client/v3/account/whoami", nil, nil)
}
