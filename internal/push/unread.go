package push

import (
	"maps"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Unread counts what is unread for a user in rooms that the user is joined to, as
// the transaction sees them. A room of which the user is no member has no entry.
//
// What counts: events since the user's last join, which others have sent whom the
// user does not ignore, which are not redacted, for which the user's push rules say
// notify, and which no receipt covers. Sending something reads all before it in the
// same thread. Of the events that are new since the last call at most the newest 500
// of a room are looked at; what was counted before is remembered, 1,000 notifications
// at most, as long as the server runs and the rules, the ignored users and the join
// stay the same.
//
// The cost grows with what is new since the last call, not with what is unread.
func (s *Service) Unread(tx *db.Tx, reader Reader, reads []Read) (map[id.RoomID]Unread, error) {
	rules, err := s.compiled(tx, reader.UserID, reader.RulesPos)
	if err != nil {
		return nil, err
	}
	c := counter{Reader: reader, s: s, tx: tx, rules: rules}
	result := make(map[id.RoomID]Unread, len(reads))
	return result, db.Chunks(reads, func(chunk []Read) error {
		counted, err := c.count(chunk)
		for roomID, r := range counted {
			result[roomID] = r.tally.count(r.read)
		}
		return err
	})
}

// Reader is for whom is counted, as the transaction sees it.
type Reader struct {
	UserID   id.UserID
	Pos      int64 // the transaction's own
	RulesPos int64 // what [Changed] gives
	Ignored  map[id.UserID]bool
	// Standings are those of [rooms.Standings], as far as they are known.
	Standings map[id.RoomID]rooms.Standing
}

// counter is one call of Unread.
type counter struct {
	Reader
	s     *Service
	tx    *db.Tx
	rules *Rules
}

// countedRoom is a room on its way through a counter.
type countedRoom struct {
	read     Read
	standing rooms.Standing
	room     Room
	tally    *tally // of its own: the one in the cache does not change
	news     []*newEvent
}

// newEvent is an event that no tally has seen, and what is found out of it.
type newEvent struct {
	rooms.Stored
	view    *View // nil for what cannot notify
	verdict Verdict
	thread  id.EventID // empty for none
}

// count counts in at most 512 rooms: a fixed number of statements for all of them.
func (c *counter) count(reads []Read) (map[id.RoomID]*countedRoom, error) {
	counted, err := c.begun(reads)
	if err != nil {
		return nil, err
	}
	news, err := c.news(counted)
	if err != nil {
		return nil, err
	}
	c.addViews(news)
	if err := c.addLevels(counted, news); err != nil {
		return nil, err
	}
	for _, e := range news {
		if e.view != nil {
			e.verdict = c.rules.Evaluate(e.view, &counted[e.RoomID].room)
		}
	}
	if err := c.addThreads(news); err != nil {
		return nil, err
	}
	for _, r := range counted {
		r.tally.fold(c.UserID, r.news)
		r.tally.upTo = c.Pos
		c.keep(r)
	}
	return counted, nil
}

// begun gives the rooms that the user is joined to, with the tallies to go on from.
func (c *counter) begun(reads []Read) (map[id.RoomID]*countedRoom, error) {
	standings, err := c.standings(reads)
	if err != nil {
		return nil, err
	}
	counted := make(map[id.RoomID]*countedRoom, len(standings))
	var far []id.RoomID
	for _, read := range reads {
		standing, ok := standings[read.RoomID]
		if !ok {
			continue
		}
		t, known := c.start(read, basis{rulesPos: c.RulesPos, ignored: c.Ignored, joined: standing.Joined})
		room := Room{UserID: c.UserID, DisplayName: standing.DisplayName, Members: standing.Members}
		counted[read.RoomID] = &countedRoom{read: read, standing: standing, room: room, tally: t}
		if !known || c.Pos-t.upTo > maxScan { // positions are those of all rooms: at least as many as events
			far = append(far, read.RoomID)
		}
	}
	floors, err := rooms.Floors(c.tx, far, maxScan)
	for roomID, floor := range floors {
		t := counted[roomID].tally
		t.upTo = max(t.upTo, floor)
	}
	return counted, err
}

// standings gives the standings in the rooms that the user is joined to.
func (c *counter) standings(reads []Read) (map[id.RoomID]rooms.Standing, error) {
	var unknown []id.RoomID
	known := make(map[id.RoomID]rooms.Standing, len(reads))
	for _, r := range reads {
		if st, ok := c.Standings[r.RoomID]; ok {
			known[r.RoomID] = st
		} else {
			unknown = append(unknown, r.RoomID)
		}
	}
	more, err := rooms.Standings(c.tx, c.UserID, unknown)
	maps.Copy(known, more)
	return known, err
}

// start gives the tally to go on from: the one in the cache if it holds, without
// what is read for good, or an empty one. A tally from after this transaction's
// snapshot does not serve it, nor one that begins after the receipt.
func (c *counter) start(read Read, b basis) (t *tally, known bool) {
	after := max(b.joined, read.Unthreaded)
	t = &tally{basis: b, after: after, upTo: after}
	old, ok := c.s.tallies.Get(tallyKey{c.UserID, read.RoomID})
	if !ok || !old.equal(b) || old.after > after || old.upTo > c.Pos {
		return t, false
	}
	t.upTo = max(old.upTo, after)
	t.unread = slices.DeleteFunc(slices.Clone(old.unread), func(n notification) bool { return n.pos <= after })
	return t, true
}

// keep puts the tally into the cache, unless one that knows more is there.
func (c *counter) keep(r *countedRoom) {
	key := tallyKey{c.UserID, r.read.RoomID}
	if old, ok := c.s.tallies.Get(key); ok && old.upTo > c.Pos {
		return
	}
	c.s.tallies.Set(key, r.tally)
}

// news reads what the tallies have not seen, of each room the oldest first.
func (c *counter) news(counted map[id.RoomID]*countedRoom) ([]*newEvent, error) {
	after, standings := make(map[id.RoomID]int64, len(counted)), make(map[id.RoomID]rooms.Standing, len(counted))
	for roomID, r := range counted {
		if r.tally.upTo < c.Pos {
			after[roomID], standings[roomID] = r.tally.upTo, r.standing
		}
	}
	byRoom, err := c.s.rooms.EventsAfter(c.tx, after, c.Pos, standings)
	var news []*newEvent
	for roomID, events := range byRoom {
		r := counted[roomID]
		for _, st := range events {
			r.news = append(r.news, &newEvent{Stored: st})
		}
		news = append(news, r.news...)
	}
	return news, err
}

// addViews gives a view to each event that may notify.
func (c *counter) addViews(news []*newEvent) {
	for _, e := range news {
		if e.Sender == c.UserID || e.RedactedBy != nil || c.Ignored[e.Sender] {
			continue
		}
		if v, ok := c.s.views.Get(e.ID); ok {
			e.view = v
			continue
		}
		e.view = NewView(e.Event)
		c.s.views.Set(e.ID, e.view)
	}
}

var roomMention = []string{"content", "m.mentions", "room"}

// addLevels reads the power levels of the rooms where a rule asks for them.
func (c *counter) addLevels(counted map[id.RoomID]*countedRoom, news []*newEvent) error {
	asking := map[id.RoomID]bool{}
	for _, e := range news {
		if e.view != nil && (c.rules.needLevels || string(e.view.value(roomMention)) == "true") {
			asking[e.RoomID] = true
		}
	}
	var ids []id.RoomID
	for roomID := range asking {
		ids = append(ids, roomID)
	}
	levels, err := rooms.LevelsOf(c.tx, ids)
	for roomID, l := range levels {
		counted[roomID].room.Levels = &l
	}
	return err
}

// addThreads finds the threads of the events for which they matter, by following
// their relations to one that names the thread's root.
func (c *counter) addThreads(news []*newEvent) error {
	open := map[*newEvent]rooms.Relation{}
	for _, e := range news {
		if e.verdict.Notify || e.Sender == c.UserID && e.StateKey == nil {
			open[e] = e.Relation()
		}
	}
	for range maxHops {
		var targets []id.EventID
		for e, r := range open {
			switch {
			case r.EventID == "":
				delete(open, e)
			case r.RelType == "m.thread":
				e.thread = r.EventID
				delete(open, e)
			default:
				targets = append(targets, r.EventID)
			}
		}
		next, err := rooms.RelationsOf(c.tx, targets)
		if err != nil {
			return err
		}
		for e, r := range open {
			open[e] = next[r.EventID]
		}
	}
	return nil
}
