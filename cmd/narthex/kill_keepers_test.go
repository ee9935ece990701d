package main

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
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
