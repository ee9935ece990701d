package push

import (
	"maps"
	"slices"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Read says how far a user has read in a room, in positions of events; 0 is
// nothing. Each is the furthest of the user's public and private receipts.
type Read struct {
	RoomID id.RoomID
	// Unthreaded is the receipt that names no thread: all up to it is read.
	Unthreaded int64
	// Main is the receipt for what is in no thread ("main").
	Main int64
	// Threads are the receipts for threads, by thread root.
	Threads map[id.EventID]int64
}

// Count is what is unread: the numbers of notification_count and highlight_count.
type Count struct {
	Notifications, Highlights int
}

// Unread is what is unread in a room.
type Unread struct {
	// Main counts what is in no thread.
	Main Count
	// Threads counts what is in threads, by thread root; threads without anything
	// unread are not there.
	Threads map[id.EventID]Count
}

// Total counts all of the room, as /sync does without unread_thread_notifications.
func (u Unread) Total() Count {
	total := u.Main
	for _, c := range u.Threads {
		total.Notifications += c.Notifications
		total.Highlights += c.Highlights
	}
	return total
}

// The limits of counting.
const (
	maxScan   = 500  // events of a room that are looked at, the newest ones
	maxUnread = 1000 // notifications of a room that are remembered
	maxHops   = 3    // relations that are followed to find a thread
)

// tallyKey names the tally of a user in a room.
type tallyKey struct {
	userID id.UserID
	roomID id.RoomID
}

// tally is what the push rules of a user say of the events of a room from one
// position to another. It does not change once it is kept.
type tally struct {
	basis
	after, upTo int64 // the events looked at
	unread      []notification
}

// basis is what a tally depends on beside the events.
type basis struct {
	rulesPos int64
	ignored  map[id.UserID]bool
	joined   int64 // when the user joined
}

func (b basis) equal(o basis) bool {
	return b.rulesPos == o.rulesPos && b.joined == o.joined && maps.Equal(b.ignored, o.ignored)
}

// notification is an event that notified the user.
type notification struct {
	pos       int64
	eventID   id.EventID
	thread    id.EventID // its root; empty for none
	highlight bool
}

// drop forgets the notifications that f selects.
func (t *tally) drop(f func(notification) bool) {
	t.unread = slices.DeleteFunc(t.unread, f)
}

// add remembers a notification, at the price of the oldest if there are too many.
func (t *tally) add(n notification) {
	if len(t.unread) == maxUnread {
		t.unread = slices.Delete(t.unread, 0, 1)
	}
	t.unread = append(t.unread, n)
}

// fold takes in what is new, the oldest first.
func (t *tally) fold(userID id.UserID, news []*newEvent) {
	for _, e := range news {
		if e.Redacts != "" {
			t.drop(func(n notification) bool { return n.eventID == e.Redacts })
		}
		switch {
		case e.Sender == userID && e.StateKey == nil: // sending is reading
			t.drop(func(n notification) bool { return n.thread == e.thread })
		case e.verdict.Notify:
			t.add(notification{pos: e.Pos, eventID: e.ID, thread: e.thread, highlight: e.verdict.Highlight})
		}
	}
}

// count counts what the receipts leave unread.
func (t *tally) count(read Read) Unread {
	var u Unread
	for _, n := range t.unread {
		switch {
		case n.pos <= read.Unthreaded:
		case n.thread == "":
			if n.pos > read.Main {
				u.Main.add(n)
			}
		case n.pos > read.Threads[n.thread]:
			if u.Threads == nil {
				u.Threads = map[id.EventID]Count{}
			}
			c := u.Threads[n.thread]
			c.add(n)
			u.Threads[n.thread] = c
		}
	}
	return u
}

func (c *Count) add(n notification) {
	c.Notifications++
	if n.highlight {
		c.Highlights++
	}
}
