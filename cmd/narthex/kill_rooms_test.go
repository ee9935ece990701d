package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// shown is an event as a client is told of it.
type shown struct {
	ID       string  `json:"event_id"`
	Type     string  `json:"type"`
	StateKey *string `json:"state_key"`
	Content  struct {
		Mark       string `json:"mark"`
		Membership string `json:"membership"`
		Reason     string `json:"reason"` // of a redaction, and its mark
	} `json:"content"`
}

// mark is what a sender knows an event by, whatever its id is.
func (e shown) mark() string {
	if e.Type == "m.room.redaction" {
		return e.Content.Reason
	}
	return e.Content.Mark
}

// hall is a room, with what it has been seen to hold when nothing was under way.
type hall struct {
	id      string
	events  []shown
	index   map[string]int    // of an event's id
	marked  map[string]string // the event's id by mark
	promise map[string]string // what senders were told, likewise
}

func newHall(roomID string) *hall {
	return &hall{id: roomID, index: map[string]int{}, marked: map[string]string{}, promise: map[string]string{}}
}

func (h *hall) path(rest string) string {
	return "/_matrix/client/v3/rooms/" + url.PathEscape(h.id) + rest
}

type historyPage struct {
	Chunk []shown `json:"chunk"`
	End   string  `json:"end"`
}

// read reads back to what is known, and compares (K1, K2).
func (h *hall) read(w *world) error {
	var fresh []shown
	for from, known := "", false; !known; {
		var page historyPage
		path := h.path(fmt.Sprintf("/messages?dir=b&limit=%d", 5+w.random.IntN(60)))
		if from != "" {
			path += "&from=" + from
		}
		if err := w.observer.tell("GET", path, nil, &page); err != nil {
			return err
		}
		for _, e := range page.Chunk {
			if len(h.events) > 0 && e.ID == h.events[len(h.events)-1].ID {
				known = true
				break
			}
			fresh = append(fresh, e)
		}
		if from = page.End; from == "" {
			break
		}
	}
	slices.Reverse(fresh)
	for _, e := range fresh {
		if _, twice := h.index[e.ID]; twice {
			w.find("K1: %s is in the history of %s twice, or has moved", e.ID, h.id)
		}
		h.index[e.ID] = len(h.events)
		h.events = append(h.events, e)
		mark := e.mark()
		if mark == "" {
			continue
		}
		if other := h.marked[mark]; other != "" {
			w.find("K2: %s was sent once, and is there as %s and %s", mark, other, e.ID)
		}
		h.marked[mark] = e.ID
		if h.promise[mark] != e.ID {
			w.find("K2: %s is there as %s, and was answered with %q", mark, e.ID, h.promise[mark])
		}
	}
	return nil
}

// whole reads the history from its beginning and compares it with what was seen.
func (h *hall) whole(w *world) error {
	var events []string
	for from := ""; ; {
		var page historyPage
		path := h.path(fmt.Sprintf("/messages?dir=f&limit=%d", 20+w.random.IntN(80)))
		if from != "" {
			path += "&from=" + from
		}
		if err := w.observer.tell("GET", path, nil, &page); err != nil {
			return err
		}
		for _, e := range page.Chunk {
			events = append(events, e.ID)
		}
		if from = page.End; from == "" || len(page.Chunk) == 0 {
			break
		}
	}
	if want := ids(h.events); !slices.Equal(events, want) {
		w.find("K1: read from its beginning, %s has %d events, and %d had been seen: %s", h.id, len(events), len(want), difference(events, want))
	}
	return nil
}

func ids(events []shown) []string {
	out := make([]string, len(events))
	for i, e := range events {
		out[i] = e.ID
	}
	return out
}

// difference says where two lists part.
func difference(got, want []string) string {
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			return fmt.Sprintf("number %d is %s, and should be %s", i, got[i], want[i])
		}
	}
	return fmt.Sprintf("they part at number %d", min(len(got), len(want)))
}

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

// reader syncs, and keeps a token when it has processed what came with it (K3).
type reader struct {
	survivor
	random *rand.Rand
	since  string
	seen   map[string][]string // the events by room
}

type synced struct {
	Next  string `json:"next_batch"`
	Rooms struct {
		Join map[string]struct {
			Timeline struct {
				Events  []shown `json:"events"`
				Limited bool    `json:"limited"`
				Prev    string  `json:"prev_batch"`
			} `json:"timeline"`
		} `json:"join"`
	} `json:"rooms"`
}

func (r *reader) settle() error { return nil }

func (r *reader) step() error { _, err := r.sync(400); return err }

// sync reports whether there was anything new in a room.
func (r *reader) sync(timeout int) (news bool, err error) {
	var answer synced
	limit := 1 + r.random.IntN(60)
	if r.since == "" {
		limit = 100
	}
	path := fmt.Sprintf(`/_matrix/client/v3/sync?timeout=%d&filter={"room":{"timeline":{"limit":%d}}}`, timeout, limit)
	if r.since != "" {
		path += "&since=" + r.since
	}
	if err := r.tell("GET", strings.ReplaceAll(path, `"`, "%22"), nil, &answer); err != nil {
		return false, err
	}
	if position(answer.Next) < position(r.since) {
		r.w.find("K3: the token went back from %s to %s", r.since, answer.Next)
	}
	fresh := map[string][]string{}
	for room, joined := range answer.Rooms.Join {
		news = news || len(joined.Timeline.Events) > 0
		events := ids(joined.Timeline.Events)
		if joined.Timeline.Limited && r.since != "" {
			gap, err := r.gap(room, joined.Timeline.Prev)
			if err != nil {
				return false, err
			}
			events = append(gap, events...)
		}
		fresh[room] = events
	}
	if r.seen == nil {
		r.seen = map[string][]string{}
	}
	for room, events := range fresh { // it is processed, and so is the token kept
		r.seen[room] = append(r.seen[room], events...)
	}
	r.since = answer.Next
	return news, nil
}

// gap reads what came between the token that the reader has and a timeline.
func (r *reader) gap(room, from string) (events []string, err error) {
	for {
		var page historyPage
		path := fmt.Sprintf("/_matrix/client/v3/rooms/%s/messages?dir=b&limit=50&from=%s&to=%s", url.PathEscape(room), from, r.since)
		if err := r.tell("GET", path, nil, &page); err != nil {
			return nil, err
		}
		events = append(events, ids(page.Chunk)...)
		if from = page.End; from == "" || len(page.Chunk) == 0 {
			slices.Reverse(events)
			return events, nil
		}
	}
}

func position(token string) int64 {
	n, _ := strconv.ParseInt(strings.TrimPrefix(token, "s"), 10, 64) // 0 before the first
	return n
}

func (r *reader) check() error {
	for news := true; news; {
		var err error
		if news, err = r.sync(0); err != nil {
			return err
		}
	}
	for _, h := range r.w.halls {
		seen := r.seen[h.id]
		want := ids(h.events)
		if len(seen) > 0 {
			if begin := slices.Index(want, seen[0]); begin > 0 {
				want = want[begin:]
			}
		}
		if !slices.Equal(seen, want) {
			r.w.find("K3: %s has seen %d events of %s, and %d are there: %s", r.userID, len(seen), h.id, len(want), difference(seen, want))
			r.seen[h.id] = slices.Clone(want) // so that each fault is told of once
		}
	}
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
