package bus

import "sync"

// Local wakes the waiters of this process.
type Local struct {
	mu      sync.Mutex
	waiters map[string]map[*Waiter]struct{}
	now     Moment
	recent  [remembered]string // the keys that were woken last, by moment
}

// Moment counts the keys that were woken.
type Moment uint64

// remembered is how many keys are known that were woken.
const remembered = 256

// NewLocal makes a bus without waiters.
func NewLocal() *Local {
	return &Local{waiters: map[string]map[*Waiter]struct{}{}}
}

// Waiter waits for any of its keys.
type Waiter struct {
	// C receives when one of the keys was woken. Several wake-ups may be one.
	C    <-chan struct{}
	c    chan struct{}
	bus  *Local
	keys []string
}

// Subscribe starts waiting for the keys. Call Close when done.
func (b *Local) Subscribe(keys ...string) *Waiter {
	c := make(chan struct{}, 1)
	w := &Waiter{C: c, c: c, bus: b}
	b.mu.Lock()
	defer b.mu.Unlock()
	w.add(keys)
	return w
}

// Now is the present moment, to be taken before the read whose end [Local.SubscribeSince]
// follows.
func (b *Local) Now() Moment {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

// SubscribeSince is Subscribe for one who has read already. The waiter is woken at once
// if one of its keys may have been woken since a moment.
func (b *Local) SubscribeSince(since Moment, keys ...string) *Waiter {
	w := b.Subscribe(keys...)
	b.mu.Lock()
	defer b.mu.Unlock()
	missed := b.now-since > remembered
	for m := since; m < b.now && !missed; m++ {
		_, missed = b.waiters[b.recent[m%remembered]][w]
	}
	if missed {
		w.wake()
	}
	return w
}

// Add waits for more keys.
func (w *Waiter) Add(keys ...string) {
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	w.add(keys)
}

func (w *Waiter) add(keys []string) {
	w.keys = append(w.keys, keys...)
	for _, k := range keys {
		set := w.bus.waiters[k]
		if set == nil {
			set = map[*Waiter]struct{}{}
			w.bus.waiters[k] = set
		}
		set[w] = struct{}{}
	}
}

// Close stops waiting.
func (w *Waiter) Close() {
	w.bus.mu.Lock()
	defer w.bus.mu.Unlock()
	for _, k := range w.keys {
		set := w.bus.waiters[k]
		delete(set, w)
		if len(set) == 0 {
			delete(w.bus.waiters, k)
		}
	}
	w.keys = nil
}

// Waiting is how many wait for a key.
func (b *Local) Waiting(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.waiters[key])
}

// Wake wakes every waiter of the keys. It does not block.
func (b *Local) Wake(keys []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, k := range keys {
		b.recent[b.now%remembered] = k
		b.now++
		for w := range b.waiters[k] {
			w.wake()
		}
	}
}

// WakeAll wakes everyone: after a gap in which wake-ups may have been lost.
func (b *Local) WakeAll() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now += remembered + 1
	for _, set := range b.waiters {
		for w := range set {
			w.wake()
		}
	}
}

func (w *Waiter) wake() {
	select {
	case w.c <- struct{}{}:
	default: // one is waiting already
	}
}

// Keys. A user's key is woken for what concerns the user outside rooms and for
// changes of membership; a room's key for what happens in the room.

// User is the key of a user.
func User[S ~string](userID S) string { return "u" + string(userID) }

// Room is the key of a room.
func Room[S ~string](roomID S) string { return "r" + string(roomID) }

// Jobs is the key of the job runner.
const Jobs = "jobs"
