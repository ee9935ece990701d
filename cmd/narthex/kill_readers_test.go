package main

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

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
