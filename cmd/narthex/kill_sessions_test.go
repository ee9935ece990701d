package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

const killPassword = "a long password"

// register makes an account.
func (p *survivor) register(name string) (reply, error) {
	p.token = ""
	r, err := p.ask("POST", "/_matrix/client/v3/register", map[string]any{
		"username": name, "password": killPassword, "auth": map[string]string{"type": "m.login.dummy"}})
	if err != nil || r.status != http.StatusOK {
		return r, err
	}
	return r, p.session(r)
}

// login signs in on another device, with a refresh token if it is to refresh.
func (p *survivor) login(name string, refreshing bool) (reply, error) {
	p.token = ""
	r, err := p.ask("POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.password", "password": killPassword, "refresh_token": refreshing,
		"identifier": map[string]string{"type": "m.id.user", "user": name}})
	if err != nil || r.status != http.StatusOK {
		return r, err
	}
	return r, p.session(r)
}

// session takes what an answer says of the session. What it does not say stays as it is.
func (p *survivor) session(r reply) error {
	s := struct {
		UserID   string `json:"user_id"`
		DeviceID string `json:"device_id"`
		Token    string `json:"access_token"`
		Refresh  string `json:"refresh_token"`
	}{p.userID, p.deviceID, p.token, p.refresh}
	err := json.Unmarshal(r.raw, &s)
	p.userID, p.deviceID, p.token, p.refresh = s.UserID, s.DeviceID, s.Token, s.Refresh
	return err
}

// registrar makes accounts (K12).
type registrar struct {
	survivor
	number  int
	pending bool
	made    []survivor
}

func (g *registrar) name() string { return fmt.Sprint("newcomer", g.number) }

func (g *registrar) step() error {
	if !g.pending {
		g.number++
		g.pending = true
	}
	return g.settle()
}

// settle makes an account. If it has been made already, it must be whole.
func (g *registrar) settle() error {
	if !g.pending {
		return nil
	}
	p := g.survivor
	r, err := p.register(g.name())
	if err == nil && r.code == "M_USER_IN_USE" {
		r, err = p.login(g.name(), false)
	}
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return r.unexpected("an account that is neither free nor works: " + g.name())
	}
	g.made = append(g.made, p)
	g.pending = false
	return nil
}

// check holds that each account that was made works in all its parts.
func (g *registrar) check() error {
	for len(g.made) > 0 {
		p := g.made[0]
		for _, path := range []string{"/account/whoami", "/profile/" + url.PathEscape(p.userID), "/pushrules/", "/sync", "/devices/" + p.deviceID} {
			r, err := p.ask("GET", "/_matrix/client/v3"+path, nil)
			if err != nil {
				return err
			}
			if r.status != http.StatusOK && !(r.code == "M_NOT_FOUND" && strings.HasPrefix(path, "/profile")) {
				g.w.find("lost: K12: %s was made; %s: %d %s", p.userID, path, r.status, r.raw)
			}
		}
		if r, err := p.login(strings.TrimSuffix(strings.TrimPrefix(p.userID, "@"), ":localhost"), false); err != nil {
			return err
		} else if r.status != http.StatusOK {
			g.w.find("lost: K12: %s was made, and cannot sign in: %d %s", p.userID, r.status, r.raw)
		}
		g.made = g.made[1:]
	}
	return nil
}

// refresher exchanges its refresh token again and again (K10).
type refresher struct {
	survivor
	pending bool
}

// newRefresher signs in on a second device, with a refresh token.
func newRefresher(p survivor, name string) *refresher {
	f := &refresher{survivor: p}
	if r, err := f.login(name, true); err != nil || r.status != http.StatusOK {
		p.w.t.Fatal(cmp.Or(err, r.unexpected("login")))
	}
	return f
}

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
	r, err := p.ask("POST", "/_matrix/client/v3/refresh", map[string]string{"refresh_token": f.refresh})
	if err != nil {
		return err
	}
	if r.status != http.StatusOK {
		return r.unexpected("K10: the refresh token that was given last")
	}
	if err := f.session(r); err != nil {
		return err
	}
	f.pending = false
	return f.check()
}

// check holds that the access token is good. The first use of it ends the refresh token
// that came before.
func (f *refresher) check() error {
	return f.tell("GET", "/_matrix/client/v3/account/whoami", nil, nil)
}
