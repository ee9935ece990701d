package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// sent is a request to add an event to a room.
type sent struct {
	hall         *hall
	method, path string
	body         any
	mark         string
	event        string // the answer, empty until there is one
}

// sender sends messages, sets states and redacts (K1, K2).
type sender struct {
	survivor
	random  *rand.Rand
	number  int
	pending *sent
	acked   []*sent
	judged  int // of those in acked
}

func (s *sender) settle() error {
	if s.pending == nil {
		return nil
	}
	event, err := s.send(s.pending)
	if err != nil {
		return err
	}
	s.pending.event = event
	s.w.mu.Lock() // the rooms are everybody's
	s.pending.hall.promise[s.pending.mark] = event
	s.w.mu.Unlock()
	s.acked = append(s.acked, s.pending)
	s.pending = nil
	return nil
}

func (s *sender) send(r *sent) (event string, err error) {
	var answer struct {
		EventID string `json:"event_id"`
	}
	err = s.tell(r.method, r.path, r.body, &answer)
	return answer.EventID, err
}

func (s *sender) step() error {
	if s.pending != nil {
		return s.settle()
	}
	s.number++
	h := s.w.halls[s.random.IntN(len(s.w.halls))]
	mark := fmt.Sprintf("%s/%d", s.userID, s.number)
	next := &sent{hall: h, method: "PUT", mark: mark, body: map[string]string{"msgtype": "m.text", "body": "Hello", "mark": mark}}
	next.path = h.path(fmt.Sprintf("/send/m.room.message/t%d", s.number))
	switch kind := s.random.IntN(10); {
	case kind < 2:
		next.path = h.path("/state/org.example.state/" + url.PathEscape(s.userID))
	case kind < 3 && len(s.acked) > 0:
		of := s.acked[s.random.IntN(len(s.acked))]
		next.hall = of.hall
		next.path = of.hall.path(fmt.Sprintf("/redact/%s/t%d", url.PathEscape(of.event), s.number))
		next.body = map[string]string{"reason": mark}
	case kind < 4 && len(s.acked) > 0:
		return s.repeat(s.acked[s.random.IntN(len(s.acked))])
	}
	s.pending = next
	return s.settle()
}

// repeat sends again what was answered long ago, under the same transaction id.
func (s *sender) repeat(r *sent) error {
	if strings.Contains(r.path, "/state/") {
		return nil // these have none, and would set an old state again
	}
	event, err := s.send(r)
	if err == nil && event != r.event {
		s.w.find("K2: %s was answered with %s, and again with %s", r.mark, r.event, event)
	}
	return err
}

// check holds that all that was acknowledged is there, in the order in which it was.
func (s *sender) check() error {
	last := map[*hall]int{}
	for i, r := range s.acked {
		at, there := r.hall.index[r.event]
		if !there {
			s.w.find("lost: K1: %s was acknowledged as %s and is not in the history of %s", r.mark, r.event, r.hall.id)
			continue
		}
		if before, ok := last[r.hall]; ok && at < before {
			s.w.find("K1: %s comes before what was sent before it", r.mark)
		}
		last[r.hall] = at
		if i < s.judged || i%4 != 0 {
			continue
		}
		var one shown
		if err := s.tell("GET", r.hall.path("/event/"+url.PathEscape(r.event)), nil, &one); err != nil {
			return err
		}
		if one.ID != r.event {
			s.w.find("K1: asked for %s, got %s", r.event, one.ID)
		}
	}
	s.judged = len(s.acked)
	return nil
}

// guest joins a room and leaves it (K2).
type guest struct {
	survivor
	hall    *hall
	joined  bool
	changes int
	pending bool
}

func (g *guest) settle() error {
	if !g.pending {
		return nil
	}
	what := "/join"
	if g.joined {
		what = "/leave"
	}
	r, err := g.ask("POST", g.hall.path(what), nil)
	if err != nil {
		return err
	}
	// A leave whose answer was lost may be refused when it is asked for again.
	if r.status != http.StatusOK && (!g.joined || r.code != "M_FORBIDDEN" && r.code != "M_NOT_JOINED") {
		return r.unexpected(what)
	}
	g.pending, g.joined, g.changes = false, !g.joined, g.changes+1
	return nil
}

func (g *guest) step() error {
	g.pending = true
	return g.settle()
}

func (g *guest) check() error {
	var in struct {
		Rooms []string `json:"joined_rooms"`
	}
	if err := g.tell("GET", "/_matrix/client/v3/joined_rooms", nil, &in); err != nil {
		return err
	}
	if slices.Contains(in.Rooms, g.hall.id) != g.joined {
		g.w.find("lost: K2: the guest was told that it is in the room: %t; its rooms: %v", g.joined, in.Rooms)
	}
	changes := 0
	for _, e := range g.hall.events {
		if e.Type == "m.room.member" && e.StateKey != nil && *e.StateKey == g.userID {
			changes++
		}
	}
	if changes != g.changes {
		g.w.find("K2: the guest joined and left %d times, and the room has %d events of it", g.changes, changes)
	}
	return nil
}
