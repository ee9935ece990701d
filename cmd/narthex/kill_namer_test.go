package main

import (
	"fmt"
	"net/http"
	"net/url"
)

// namer changes its display name. It is in so many rooms that the name comes into them by
// a job, and it does not go on before it has seen the name there: else the job of the next
// name would hide that one was lost. What says so is halves.
type namer struct {
	survivor
	number int
	asked  bool // the name is not known in all rooms yet
	since  string
	shown  map[string]string // by room, the name there
}

// namedRooms is one more than what is written together with the name.
const namedRooms = 21

// namesLate is how many polls may end without a name before it counts as lost.
const namesLate = 6

func newNamer(p survivor) *namer {
	n := &namer{survivor: p, shown: map[string]string{}}
	for range namedRooms {
		var made struct {
			RoomID string `json:"room_id"`
		}
		if err := n.tell("POST", "/_matrix/client/v3/createRoom", map[string]any{}, &made); err != nil {
			p.w.t.Fatal(err)
		}
		n.shown[made.RoomID] = ""
	}
	return n
}

func (n *namer) name() string { return fmt.Sprint("Name ", n.number) }

func (n *namer) step() error {
	n.asked = true
	return n.settle()
}

// settle asks for a name, and waits until all rooms show it. It is another one than before:
// the job for that may be leased to a server that is dead, and come back in two minutes.
func (n *namer) settle() error {
	if !n.asked {
		return nil
	}
	n.number++
	path := "/_matrix/client/v3/profile/" + url.PathEscape(n.userID) + "/displayname"
	if err := n.tell("PUT", path, map[string]string{"displayname": n.name()}, nil); err != nil {
		return err
	}
	for idle := 0; !n.everywhere(); {
		news, err := n.look()
		if err != nil {
			return err
		}
		if news {
			idle = 0
		} else if idle++; idle > namesLate {
			return fmt.Errorf("%q is the name since a while, and does not come into the rooms: %v", n.name(), n.shown)
		}
	}
	n.asked = false
	return nil
}

func (n *namer) everywhere() bool {
	for _, name := range n.shown {
		if name != n.name() {
			return false
		}
	}
	return true
}

// look waits for names in rooms, and reports whether any came.
func (n *namer) look() (news bool, err error) {
	type member struct {
		Type    string `json:"type"`
		Content struct {
			Name string `json:"displayname"`
		} `json:"content"`
	}
	var answer struct {
		Next  string `json:"next_batch"`
		Rooms struct {
			Join map[string]struct {
				State, Timeline struct {
					Events []member `json:"events"`
				}
			} `json:"join"`
		} `json:"rooms"`
	}
	path := "/_matrix/client/v3/sync?timeout=5000&filter=" + url.QueryEscape(`{"room":{"timeline":{"types":["m.room.member"]}}}`)
	if n.since != "" {
		path += "&since=" + n.since
	}
	if err := n.tell(http.MethodGet, path, nil, &answer); err != nil {
		return false, err
	}
	for id, room := range answer.Rooms.Join {
		for _, e := range append(room.State.Events, room.Timeline.Events...) {
			if _, mine := n.shown[id]; mine && e.Type == "m.room.member" {
				n.shown[id], news = e.Content.Name, true
			}
		}
	}
	n.since = answer.Next
	return news, nil
}

// check has nothing to compare: that a name comes into the rooms, now or by a job, is
// one of halves.
func (n *namer) check() error { return nil }
