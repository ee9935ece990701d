package main

import (
	"fmt"
	"net/url"
	"slices"
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
