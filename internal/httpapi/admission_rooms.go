package httpapi

import (
	"context"
	"time"
)

// roomStage is how many intervals a wait for a room stays before those who write to it
// are shed.
const roomStage = 1

// enterRoom waits for a place among those who write to a room, and gives the room's line
// and the arrival at the next one. A room whose wait stays is shed for itself, since
// others may have no wait at all; but not while there are places enough for all: then it
// is only a lively room.
func (a *Admission) enterRoom(ctx context.Context, name string, now time.Time) (l *line, at arrival, err error) {
	a.mu.Lock()
	at = arrival{began: now.Add(-a.lag(now)), came: now}
	l = a.room(name)
	age := l.age(now)
	l.note(age, now)
	switch {
	case l.sheds(roomStage, now) && l.long(age) && a.lines[sending].scarce():
		defer a.mu.Unlock()
		l.last(now)
		l.refuse(oldest, now, func() error { return a.refuse(sending, "room") })
		return nil, at, a.refuse(sending, "room")
	case l.take():
		a.mu.Unlock()
		return l, at, nil
	case len(l.waiting) >= a.capacity.RoomQueue:
		defer a.mu.Unlock()
		return nil, at, a.refuse(sending, "room")
	}
	w := newWaiter(at)
	l.waiting = append(l.waiting, w)
	a.mu.Unlock()
	err = a.wait(ctx, sending, l, w, a.capacity.Timeout)
	at.came = a.now()
	return l, at, err
}

// room is the line of those who write to a room.
func (a *Admission) room(name string) *line {
	l := a.rooms[name]
	if l != nil {
		return l
	}
	if n := len(a.spare); n > 0 {
		l, a.spare = a.spare[n-1], a.spare[:n-1]
		l.pressure = pressure{}
	} else {
		l = &line{places: max(1, a.capacity.PerRoom)}
	}
	a.rooms[name] = l
	return l
}

// leaveRoom gives up a place. The line of a room that nobody writes to is forgotten when
// it is calm: a room in which too much happens has pauses, too.
func (a *Admission) leaveRoom(l *line, name string) {
	if l == nil {
		return
	}
	if l.leave(a.now); l.busy > 0 {
		return
	}
	now := a.now()
	switch {
	case l.rests:
	case l.sheds(roomStage, now):
		l.rests = true
		a.resting = append(a.resting, name)
	default:
		a.forgetRoom(name, l)
	}
	for len(a.resting) > 0 {
		name := a.resting[0]
		l := a.rooms[name]
		if l.busy == 0 && l.sheds(roomStage, now) {
			return
		}
		if l.rests = false; l.busy == 0 {
			a.forgetRoom(name, l)
		}
		a.resting = a.resting[1:]
	}
}

func (a *Admission) forgetRoom(name string, l *line) {
	delete(a.rooms, name)
	a.spare = append(a.spare, l)
}
