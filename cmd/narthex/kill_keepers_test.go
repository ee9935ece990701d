package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/accounts"
)

// slot is one thing that the server keeps for a person: it can be written and read.
type slot struct {
	write func(value int) error
	// read gives 0 where nothing is kept.
	read func() (int, error)
}

// keeper writes what the server is to keep (K14).
type keeper struct {
	survivor
	random  *rand.Rand
	names   []string
	slots   map[string]slot
	kept    map[string]int
	number  int
	pending string // the name of a slot that is being written with number
}

func newKeeper(p survivor, random *rand.Rand) *keeper {
	k := &keeper{survivor: p, random: random, slots: map[string]slot{}, kept: map[string]int{}}
	me, room := url.PathEscape(p.userID), url.PathEscape(p.w.halls[1].id)
	const api = "/_matrix/client/v3"
	k.add("account data", api+"/user/"+me+"/account_data/org.example.kept", "n", func(n int) any { return n })
	k.add("account data of a room", api+"/user/"+me+"/rooms/"+room+"/account_data/org.example.kept", "n", func(n int) any { return n })
	k.add("display name", api+"/profile/"+me+"/displayname", "displayname", func(n int) any { return fmt.Sprint(n) })
	k.add("field of the profile", api+"/profile/"+me+"/org.example.kept", "org.example.kept", func(n int) any { return n })
	k.addRule(api + "/pushrules/global/content/kept")
	k.addTag(api + "/user/" + me + "/rooms/" + room + "/tags")
	k.addAlias(api+"/directory/room/"+url.PathEscape("#kept:localhost"), p.w.halls[1].id)
	k.addReceipt("m.read")
	k.addReceipt("m.fully_read")
	return k
}

func (k *keeper) put(name string, s slot) {
	k.names = append(k.names, name)
	k.slots[name] = s
}

// add is for what is written to a path as an object with one member, and read there.
func (k *keeper) add(name, path, member string, value func(int) any) {
	k.put(name, slot{
		func(n int) error { return k.tell("PUT", path, map[string]any{member: value(n)}, nil) },
		func() (int, error) { return k.numberAt(path, member) },
	})
}

// numberAt reads a number from a member of what is at a path.
func (k *keeper) numberAt(path, member string) (n int, err error) {
	r, err := k.ask("GET", path, nil)
	switch {
	case err != nil:
		return 0, err
	case r.status == http.StatusNotFound:
		return 0, nil
	case r.status != http.StatusOK:
		return 0, r.unexpected("GET " + path)
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(r.raw, &object); err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(strings.Trim(string(object[member]), `"`), &n)
	return n, err
}

func (k *keeper) addRule(path string) {
	k.put("push rule", slot{
		func(n int) error {
			return k.tell("PUT", path, map[string]any{"pattern": fmt.Sprint(n), "actions": []string{"notify"}}, nil)
		},
		func() (int, error) { return k.numberAt(path, "pattern") },
	})
}

func (k *keeper) addTag(path string) {
	k.put("tag", slot{
		func(n int) error {
			return k.tell("PUT", path+"/u.kept", map[string]float64{"order": 1 / float64(n)}, nil)
		},
		func() (int, error) {
			var answer struct {
				Tags map[string]struct {
					Order float64 `json:"order"`
				} `json:"tags"`
			}
			err := k.tell("GET", path, nil, &answer)
			if order := answer.Tags["u.kept"].Order; order > 0 {
				return int(1/order + 0.5), err
			}
			return 0, err
		},
	})
}

// addAlias keeps an alias, whose value is odd while it is there.
func (k *keeper) addAlias(path, room string) {
	there := 0 // the value that the alias was given with
	k.put("alias", slot{
		func(n int) error {
			method, gone := "PUT", http.StatusConflict
			if n%2 == 0 {
				method, gone = "DELETE", http.StatusNotFound
			}
			r, err := k.ask(method, path, map[string]string{"room_id": room})
			if err == nil && r.status != http.StatusOK && r.status != gone {
				err = r.unexpected(method + " " + path)
			}
			if err == nil {
				there = n
			}
			return err
		},
		func() (int, error) {
			r, err := k.ask("GET", path, nil)
			if err == nil && r.status != http.StatusOK && r.status != http.StatusNotFound {
				err = r.unexpected("GET " + path)
			}
			if (r.status == http.StatusOK) == (there%2 == 1) {
				return there, err
			}
			return -1, err
		},
	})
}

// addReceipt keeps how far a room has been read: the number of an event.
func (k *keeper) addReceipt(kind string) {
	h := k.w.halls[2]
	last := 0
	k.put(kind, slot{
		func(n int) error {
			known := len(h.events) // does not grow while clients are at work
			if known == 0 {
				return nil
			}
			at := min(last+1, known-1)
			if err := k.tell("POST", h.path("/receipt/"+kind+"/"+url.PathEscape(h.events[at].ID)), map[string]any{}, nil); err != nil {
				return err
			}
			last = at
			return nil
		},
		func() (int, error) {
			if last == 0 {
				return k.kept[kind], nil
			}
			event, err := k.receipt(h, kind)
			if err == nil && event != h.events[last].ID {
				return -1, nil
			}
			return k.kept[kind], err
		},
	})
}

func (k *keeper) receipt(h *hall, kind string) (event string, err error) {
	if kind == "m.fully_read" {
		var marker struct {
			EventID string `json:"event_id"`
		}
		err := k.tell("GET", fmt.Sprintf("/_matrix/client/v3/user/%s/rooms/%s/account_data/m.fully_read", url.PathEscape(k.userID), url.PathEscape(h.id)), nil, &marker)
		return marker.EventID, err
	}
	var answer struct {
		Rooms struct {
			Join map[string]struct {
				Ephemeral struct {
					Events []struct {
						Type    string                                           `json:"type"`
						Content map[string]map[string]map[string]json.RawMessage `json:"content"`
					} `json:"events"`
				} `json:"ephemeral"`
			} `json:"join"`
		} `json:"rooms"`
	}
	filter := url.QueryEscape(fmt.Sprintf(`{"room":{"rooms":[%q],"timeline":{"limit":1}}}`, h.id))
	if err := k.tell("GET", "/_matrix/client/v3/sync?filter="+filter, nil, &answer); err != nil {
		return "", err
	}
	for _, e := range answer.Rooms.Join[h.id].Ephemeral.Events {
		for event, kinds := range e.Content {
			if _, mine := kinds[kind][k.userID]; e.Type == "m.receipt" && mine {
				return event, nil
			}
		}
	}
	return "", nil
}

func (k *keeper) settle() error {
	if k.pending == "" {
		return nil
	}
	if err := k.slots[k.pending].write(k.number); err != nil {
		return err
	}
	k.kept[k.pending], k.pending = k.number, ""
	return nil
}

func (k *keeper) step() error {
	if k.pending != "" {
		return k.settle()
	}
	k.number++
	k.pending = k.names[k.random.IntN(len(k.names))]
	return k.settle()
}

func (k *keeper) check() error {
	for _, name := range k.names {
		got, err := k.slots[name].read()
		if err != nil {
			return err
		}
		if got != k.kept[name] {
			k.w.find("lost: K14: %s: number %d was acknowledged last, and %d is there", name, k.kept[name], got)
			k.kept[name] = got
		}
	}
	return nil
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
		r, err = p.login(g.name())
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

func (p *survivor) login(name string) (reply, error) {
	p.token = ""
	r, err := p.ask("POST", "/_matrix/client/v3/login", map[string]any{"type": "m.login.password", "password": "a long password",
		"identifier": map[string]string{"type": "m.id.user", "user": name}})
	if err != nil || r.status != http.StatusOK {
		return r, err
	}
	return r, p.session(r)
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
		if r, err := p.login(strings.TrimSuffix(strings.TrimPrefix(p.userID, "@"), ":localhost")); err != nil {
			return err
		} else if r.status != http.StatusOK {
			g.w.find("lost: K12: %s was made, and cannot sign in: %d %s", p.userID, r.status, r.raw)
		}
		g.made = g.made[1:]
	}
	return nil
}

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

// uploader uploads one-time keys (K7).
type uploader struct {
	survivor
	number  int
	pending map[string]any
	keys    int
}

const (
	keysAtOnce = 5
	keysAtMost = 900 // of one device
)

func (u *uploader) step() error {
	if u.pending == nil {
		if u.keys+keysAtOnce > keysAtMost { // another device, then
			fresh := u.survivor
			if r, err := fresh.login("uploader"); err != nil {
				return err
			} else if r.status != http.StatusOK {
				return r.unexpected("login")
			}
			u.survivor, u.keys = fresh, 0
		}
		u.number++
		u.pending = map[string]any{}
		for i := range keysAtOnce {
			u.pending[fmt.Sprintf("curve25519:k%d-%d", u.number, i)] = fmt.Sprintf("key %d %d", u.number, i)
		}
	}
	return u.settle()
}

func (u *uploader) settle() error {
	if u.pending == nil {
		return nil
	}
	count, err := u.upload(u.pending)
	if err != nil {
		return err
	}
	u.keys += keysAtOnce
	u.pending = nil
	u.compare(count)
	return nil
}

func (u *uploader) upload(keys map[string]any) (int, error) {
	var answer struct {
		Counts map[string]int `json:"one_time_key_counts"`
	}
	err := u.tell("POST", "/_matrix/client/v3/keys/upload", map[string]any{"one_time_keys": keys}, &answer)
	return answer.Counts["curve25519"], err
}

func (u *uploader) compare(count int) {
	if count != u.keys {
		u.w.find("lost: K7: %d one-time keys were acknowledged, and %d are counted", u.keys, count)
		u.keys = count
	}
}

func (u *uploader) check() error {
	count, err := u.upload(map[string]any{})
	if err == nil {
		u.compare(count)
	}
	return err
}
