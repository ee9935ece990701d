package stateres

import (
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// fullConflictedSet adds to the conflicted events those that some but not all of
// the states rest on, and in version 12 those between conflicted events.
func (r *resolver) fullConflictedSet(sets []StateMap, conflicted idSet) (idSet, error) {
	full := idSet{}
	chains := map[id.EventID]int{} // in how many of the states' chains an event is
	for _, set := range sets {
		start := make([]id.EventID, 0, len(set))
		for _, eventID := range set {
			start = append(start, eventID)
		}
		chain, err := r.chain(start)
		if err != nil {
			return nil, err
		}
		for _, eventID := range chain {
			chains[eventID]++
		}
	}
	for eventID, count := range chains {
		if count < len(sets) || conflicted.has(eventID) {
			full[eventID] = struct{}{}
		}
	}
	if r.version.StateResolution == event.StateResolutionV21 {
		return full, r.addSubgraph(full, conflicted)
	}
	return full, nil
}

// addSubgraph adds the events on the paths of citations that lead from one
// conflicted event to another.
func (r *resolver) addSubgraph(full, conflicted idSet) error {
	start := make([]id.EventID, 0, len(conflicted))
	for eventID := range conflicted {
		start = append(start, eventID)
	}
	chain, err := r.chain(start)
	if err != nil {
		return err
	}
	// All of the chain is below some conflicted event; what is above one as well
	// lies between two. Citations come first in the chain, so one pass suffices.
	above := idSet{}
	for _, eventID := range chain {
		between := conflicted.has(eventID)
		for _, cited := range r.events[eventID].Auth {
			between = between || above.has(cited)
		}
		if between {
			above[eventID] = struct{}{}
			full[eventID] = struct{}{}
		}
	}
	return nil
}

// chain returns the events from which one starts and all that they cite, directly
// or not, each after those that it cites. An event counts as part of its own chain,
// so that one which all states have is never a difference between them. The create
// event of version 12, which no event lists, is left out: all states rest on it.
func (r *resolver) chain(start []id.EventID) ([]id.EventID, error) {
	type step struct {
		eventID id.EventID
		next    int // the citation to follow next
	}
	var order []id.EventID
	seen := idSet{}
	for _, eventID := range start {
		stack := []step{{eventID: eventID}}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if top.next == 0 {
				if seen.has(top.eventID) {
					stack = stack[:len(stack)-1]
					continue
				}
				seen[top.eventID] = struct{}{}
			}
			e, err := r.event(top.eventID)
			if err != nil {
				return nil, err
			}
			if top.next < len(e.Auth) {
				top.next++
				stack = append(stack, step{eventID: e.Auth[top.next-1]})
				continue
			}
			order = append(order, e.ID)
			stack = stack[:len(stack)-1]
		}
	}
	return order, nil
}

// powerEvents returns the power events of the full conflicted set and, of what they
// rest on, what also belongs to that set.
func (r *resolver) powerEvents(full idSet) (idSet, error) {
	var start []id.EventID
	for eventID := range full {
		e, err := r.event(eventID)
		if err != nil {
			return nil, err
		}
		if isPowerEvent(e) {
			start = append(start, eventID)
		}
	}
	chain, err := r.chain(start)
	if err != nil {
		return nil, err
	}
	power := idSet{}
	for _, eventID := range chain {
		if full.has(eventID) {
			power[eventID] = struct{}{}
		}
	}
	return power, nil
}

// isPowerEvent reports whether an event might take from someone the ability to do
// something.
func isPowerEvent(e *event.Event) bool {
	switch {
	case e.StateKey == nil:
		return false
	case e.Type == event.TypePowerLevels, e.Type == event.TypeJoinRules:
		return true
	case e.Type == event.TypeMember:
		membership := e.Membership()
		return (membership == event.Leave || membership == event.Ban) && *e.StateKey != string(e.Sender)
	}
	return false
}
