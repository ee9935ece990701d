package push

import (
	"slices"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Unread counts what is unread for a user in rooms that the user is joined to, as
// the transaction sees them. A room of which the user is no member has no entry.
//
// What counts: events since the user's last join, which others have sent whom the
// user does not ignore, which are not redacted, for which the user's push rules say
// notify, and which no receipt covers. Sending something reads all before it in the
// same thread. At most the newest 500 events of a room are looked at anew; what was
// counted before is remembered, 1,000 notifications at most, as long as the server
// runs and the rules, the ignored users and the join stay the same.
//
// The cost grows with what is new since the last call, not with what is unread.
func (s *Service) Unread(tx *db.Tx, userID id.UserID, reads []Read) (map[id.RoomID]Unread, error) {
	result := make(map[id.RoomID]Unread, len(reads))
	c := counter{s: s, tx: tx, userID: userID}
	err := c.begin()
	if err != nil {
		return nil, err
	}
	err = db.Chunks(reads, func(chunk []Read) error {
		counted, err := c.run(chunk)
		for _, room := range counted {
			result[room.RoomID] = room.tally.count(room.Read)
		}
		return err
	})
	return result, err
}

// counter is one call of Unread.
type counter struct {
	s        *Service
	tx       *db.Tx
	userID   id.UserID
	pos      int64 // up to which the transaction sees
	rules    *Rules
	rulesPos int64
	ignored  map[id.UserID]bool
}

// countedRoom is a room on its way through a counter.
type countedRoom struct {
	Read
	Room
	tally *tally // a copy of its own
	kept  bool   // the tally was in the cache, and still holds
	news  []newEvent
}

func (c *counter) begin() (err error) {
	if c.pos, err = c.tx.Position(); err != nil {
		return err
	}
	if c.rules, c.rulesPos, err = c.s.Rules(c.tx, c.userID); err != nil {
		return err
	}
	c.ignored, err = c.s.accountData.IgnoredUsers(c.tx, c.userID)
	return err
}

// run counts in at most 512 rooms: a fixed number of statements for all of them.
func (c *counter) run(reads []Read) (map[id.RoomID]*countedRoom, error) {
	rooms, err := c.rooms(reads)
	if err != nil || len(rooms) == 0 {
		return rooms, err
	}
	if err := c.skipOld(rooms); err != nil {
		return nil, err
	}
	if err := readNews(c.tx, rooms); err != nil {
		return nil, err
	}
	views, err := c.views(rooms)
	if err != nil {
		return nil, err
	}
	if err := c.loadLevels(rooms, views); err != nil {
		return nil, err
	}
	judged := c.judge(rooms, views)
	threads, err := c.threads(judged)
	if err != nil {
		return nil, err
	}
	for _, room := range rooms {
		room.fold(c.userID, judged, threads)
		room.tally.upTo = c.pos
		c.keep(room)
	}
	return rooms, nil
}

// rooms reads what the rules ask of the rooms, and finds the tallies that hold.
func (c *counter) rooms(reads []Read) (map[id.RoomID]*countedRoom, error) {
	facts, err := roomFacts(c.tx, c.userID, reads)
	if err != nil {
		return nil, err
	}
	rooms := make(map[id.RoomID]*countedRoom, len(facts))
	for _, read := range reads {
		fact, ok := facts[read.RoomID]
		if !ok {
			continue
		}
		room := &countedRoom{Read: read, Room: Room{UserID: c.userID, DisplayName: fact.displayName, Members: fact.members}}
		b := basis{rulesPos: c.rulesPos, ignored: c.ignored, joined: fact.joined}
		after := max(fact.joined, read.Unthreaded)
		room.tally = &tally{basis: b, after: after, upTo: after}
		old, ok := c.s.tallies.GetIfPresent(tallyKey{c.userID, read.RoomID})
		if ok && old.equal(b) && old.after <= after && old.upTo <= c.pos {
			room.kept = true
			room.tally.upTo = max(old.upTo, after)
			room.tally.unread = slices.DeleteFunc(slices.Clone(old.unread), func(n notification) bool { return n.pos <= after })
		}
		rooms[read.RoomID] = room
	}
	return rooms, nil
}

// keep puts the tally into the cache, unless one that knows more is there.
func (c *counter) keep(room *countedRoom) {
	key := tallyKey{c.userID, room.RoomID}
	if old, ok := c.s.tallies.GetIfPresent(key); ok && old.upTo > c.pos {
		return
	}
	c.s.tallies.Set(key, room.tally)
}

// skipOld moves rooms of which nothing is known to their newest events.
func (c *counter) skipOld(rooms map[id.RoomID]*countedRoom) error {
	var cold []id.RoomID
	for roomID, room := range rooms {
		if !room.kept {
			cold = append(cold, roomID)
		}
	}
	floors, err := floors(c.tx, cold)
	for roomID, floor := range floors {
		t := rooms[roomID].tally
		t.upTo = max(t.upTo, floor)
	}
	return err
}

// mayNotify reports whether an event has to be held against the rules.
func (c *counter) mayNotify(e newEvent) bool {
	return e.sender != c.userID && !e.redacted && !c.ignored[e.sender]
}

// views gives the views of all events that may notify: from the cache, or in one
// statement for those that are not in it.
func (c *counter) views(rooms map[id.RoomID]*countedRoom) (map[int64]*View, error) {
	views := map[int64]*View{}
	var missing []int64
	for _, room := range rooms {
		for _, e := range room.news {
			if !c.mayNotify(e) {
				continue
			}
			if v, ok := c.s.views.GetIfPresent(e.eventID); ok {
				views[e.pos] = v
			} else {
				missing = append(missing, e.pos)
			}
		}
	}
	events, err := eventsAt(c.tx, missing)
	for _, st := range events {
		v := NewView(st.Event)
		views[st.Pos] = v
		c.s.views.Set(st.ID, v)
	}
	return views, err
}

var roomMention = []string{"content", "m.mentions", "room"}

// loadLevels reads the power levels of the rooms where a rule asks for them.
func (c *counter) loadLevels(rooms map[id.RoomID]*countedRoom, views map[int64]*View) error {
	var asking []id.RoomID
	for roomID, room := range rooms {
		if slices.ContainsFunc(room.news, func(e newEvent) bool {
			v := views[e.pos]
			return v != nil && (c.rules.needLevels || string(v.value(roomMention)) == "true")
		}) {
			asking = append(asking, roomID)
		}
	}
	state, err := powerState(c.tx, asking)
	for roomID, events := range state {
		levels := authrules.NewLevels(func(eventType, _ string) *event.Event { return events[eventType] })
		rooms[roomID].Levels = &levels
	}
	return err
}

// judged is what is known of a new event that matters: somebody else's that
// notifies, or the user's own.
type judged struct {
	newEvent
	verdict Verdict
}

// judge holds the events against the rules.
func (c *counter) judge(rooms map[id.RoomID]*countedRoom, views map[int64]*View) map[int64]judged {
	out := map[int64]judged{}
	for _, room := range rooms {
		for _, e := range room.news {
			if e.sender == c.userID && !e.isState {
				out[e.pos] = judged{newEvent: e}
			}
			if v := views[e.pos]; v != nil {
				if verdict := c.rules.Evaluate(v, &room.Room); verdict.Notify {
					out[e.pos] = judged{e, verdict}
				}
			}
		}
	}
	return out
}

// threads finds the thread of each event by following its relations: the root, by
// position. Events in no thread are not in it.
func (c *counter) threads(events map[int64]judged) (map[int64]id.EventID, error) {
	threads := map[int64]id.EventID{}
	open := map[int64]relation{}
	for pos, e := range events {
		open[pos] = e.relation
	}
	for range maxHops {
		var targets []id.EventID
		for pos, r := range open {
			switch {
			case r.eventID == "":
				delete(open, pos)
			case r.relType == "m.thread":
				threads[pos] = r.eventID
				delete(open, pos)
			default:
				targets = append(targets, r.eventID)
			}
		}
		next, err := relationsOf(c.tx, targets)
		if err != nil {
			return nil, err
		}
		for pos, r := range open {
			open[pos] = next[r.eventID]
		}
	}
	return threads, nil
}

// fold takes the news into the tally, the oldest first.
func (room *countedRoom) fold(userID id.UserID, events map[int64]judged, threads map[int64]id.EventID) {
	t := room.tally
	for _, e := range room.news {
		if e.redacts != "" {
			t.drop(func(n notification) bool { return n.eventID == e.redacts })
		}
		found, ok := events[e.pos]
		if !ok {
			continue
		}
		thread := threads[e.pos]
		if e.sender == userID {
			t.drop(func(n notification) bool { return n.thread == thread })
			continue
		}
		t.add(notification{pos: e.pos, eventID: e.eventID, thread: thread, highlight: found.verdict.Highlight})
	}
}

