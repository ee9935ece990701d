package stateres

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// ranked is an event with what it is ordered by first.
type ranked struct {
	*event.Event
	rank int64
}

// compare orders by descending rank, then by time, then by ID. Ranks are power
// levels or mainline positions; in both orders the greater one comes first.
func compare(a, b ranked) int {
	return cmp.Or(
		cmp.Compare(b.rank, a.rank),
		cmp.Compare(a.OriginServerTS, b.OriginServerTS),
		cmp.Compare(a.ID, b.ID),
	)
}

// queue is a heap of events, the first in the order on top.
type queue []ranked

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return compare(q[i], q[j]) < 0 }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(ranked)) }
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// powerOrder is the specification's "reverse topological power ordering": each
// event after those that it cites, and among those that could come next the one
// whose sender has the most power.
func (r *resolver) powerOrder(events idSet) ([]*event.Event, error) {
	waiting := make(map[id.EventID]int, len(events)) // citations not yet placed
	citedBy := map[id.EventID][]*event.Event{}
	var ready queue
	for eventID := range events {
		e, err := r.event(eventID)
		if err != nil {
			return nil, err
		}
		for _, cited := range slices.Compact(slices.Sorted(slices.Values(e.Auth))) {
			if events.has(cited) {
				waiting[eventID]++
				citedBy[cited] = append(citedBy[cited], e)
			}
		}
		if waiting[eventID] == 0 {
			if err := r.pushByPower(&ready, e); err != nil {
				return nil, err
			}
		}
	}
	ordered := make([]*event.Event, 0, len(events))
	for ready.Len() > 0 {
		next := heap.Pop(&ready).(ranked).Event
		ordered = append(ordered, next)
		for _, e := range citedBy[next.ID] {
			if waiting[e.ID]--; waiting[e.ID] > 0 {
				continue
			}
			if err := r.pushByPower(&ready, e); err != nil {
				return nil, err
			}
		}
	}
	if len(ordered) < len(events) {
		return nil, ErrCycle
	}
	return ordered, nil
}

// pushByPower queues an event under its sender's power level in the state that the
// event cites.
func (r *resolver) pushByPower(q *queue, e *event.Event) error {
	auth, err := r.authState(e)
	if err != nil {
		return err
	}
	level := authrules.UserLevel(func(eventType, stateKey string) *event.Event {
		return auth[authrules.Key{Type: eventType, StateKey: stateKey}]
	}, e.Sender)
	heap.Push(q, ranked{e, int64(level)})
	return nil
}

// mainlineOrder is the specification's "mainline ordering" based on a power-levels
// event, which may be nil.
func (r *resolver) mainlineOrder(events []id.EventID, levels *event.Event) ([]*event.Event, error) {
	positions := map[id.EventID]int64{} // of the mainline, and of what was walked over
	for position := int64(0); levels != nil; position++ {
		if _, again := positions[levels.ID]; again {
			return nil, ErrCycle
		}
		positions[levels.ID] = position
		var err error
		if levels, err = r.citedLevels(levels); err != nil {
			return nil, err
		}
	}
	list := make([]ranked, 0, len(events))
	for _, eventID := range events {
		e, err := r.event(eventID)
		if err != nil {
			return nil, err
		}
		position, err := r.mainlinePosition(e, positions)
		if err != nil {
			return nil, err
		}
		list = append(list, ranked{e, position})
	}
	slices.SortFunc(list, compare)
	ordered := make([]*event.Event, len(list))
	for i, entry := range list {
		ordered[i] = entry.Event
	}
	return ordered, nil
}

// mainlinePosition walks from the power levels that an event cites to the ones that
// those cite, until it meets the mainline. It notes the result for all that it
// passed, so that the next walk is short.
func (r *resolver) mainlinePosition(e *event.Event, positions map[id.EventID]int64) (int64, error) {
	var passed []id.EventID
	position, walked := int64(math.MaxInt64), idSet{}
	for {
		levels, err := r.citedLevels(e)
		if err != nil {
			return 0, err
		}
		if levels == nil {
			break
		}
		if known, ok := positions[levels.ID]; ok {
			position = known
			break
		}
		if walked.has(levels.ID) {
			return 0, ErrCycle
		}
		walked[levels.ID] = struct{}{}
		passed = append(passed, levels.ID)
		e = levels
	}
	for _, eventID := range passed {
		positions[eventID] = position
	}
	return position, nil
}

// citedLevels returns the power-levels event that an event cites, or nil.
func (r *resolver) citedLevels(e *event.Event) (*event.Event, error) {
	auth, err := r.authState(e)
	return auth[authrules.Key{Type: event.TypePowerLevels}], err
}
