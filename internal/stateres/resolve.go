package stateres

import (
	"errors"
	"maps"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// StateMap is the state of a room: the ID of the event for each type and state key.
type StateMap map[authrules.Key]id.EventID

// MissingEventError says which event could not be loaded.
type MissingEventError struct {
	EventID id.EventID
}

// Error returns a sentence.
func (e *MissingEventError) Error() string {
	return "The room's state cannot be resolved without the event " + string(e.EventID) + "."
}

// ErrCycle says that events authorize each other in a circle, which honest servers
// cannot produce.
var ErrCycle = errors.New("events cite each other in a circle")

// Resolve computes the state that several states of one room resolve to. load
// returns an event by its ID, or nil; it is asked for conflicting events and for
// the auth chains of all the states, and should not return events that were
// rejected because of their auth events. The error is a *MissingEventError or
// ErrCycle. The result is a new map.
func Resolve(v *event.Version, sets []StateMap, load func(id.EventID) *event.Event) (StateMap, error) {
	r := &resolver{version: v, load: load, events: map[id.EventID]*event.Event{}, authStates: map[id.EventID]state{}}
	if v.StateResolution == event.StateResolutionV1 {
		return r.resolveV1(sets)
	}
	unconflicted, conflicted := separate(sets)
	if len(conflicted) == 0 {
		return unconflicted, nil
	}
	return r.resolveV2(sets, unconflicted, conflicted)
}

// idSet is a set of events.
type idSet map[id.EventID]struct{}

func (s idSet) has(event id.EventID) bool {
	_, there := s[event]
	return there
}

// state is a room state under construction.
type state map[authrules.Key]*event.Event

// resolver is one resolution.
type resolver struct {
	version    *event.Version
	load       func(id.EventID) *event.Event
	events     map[id.EventID]*event.Event
	authStates map[id.EventID]state
}

func (r *resolver) event(eventID id.EventID) (*event.Event, error) {
	if e := r.events[eventID]; e != nil {
		return e, nil
	}
	e := r.load(eventID)
	if e == nil || e.ID != eventID {
		return nil, &MissingEventError{EventID: eventID}
	}
	r.events[eventID] = e
	return e, nil
}

// separate splits the states into what they agree on, present in all of them, and
// the set of the other events.
func separate(sets []StateMap) (StateMap, idSet) {
	unconflicted, conflicted := StateMap{}, idSet{}
	for _, set := range sets {
		for key, eventID := range set {
			if agreed(sets, key, eventID) {
				unconflicted[key] = eventID
			} else {
				conflicted[eventID] = struct{}{}
			}
		}
	}
	return unconflicted, conflicted
}

func agreed(sets []StateMap, key authrules.Key, eventID id.EventID) bool {
	for _, set := range sets {
		if set[key] != eventID {
			return false
		}
	}
	return true
}

// resolveV2 is the algorithm of version 2 with the changes of version 12 where the
// room's version has them.
func (r *resolver) resolveV2(sets []StateMap, unconflicted StateMap, conflicted idSet) (StateMap, error) {
	full, err := r.fullConflictedSet(sets, conflicted)
	if err != nil {
		return nil, err
	}
	power, err := r.powerEvents(full)
	if err != nil {
		return nil, err
	}
	ordered, err := r.powerOrder(power)
	if err != nil {
		return nil, err
	}
	resolved := state{}
	if r.version.StateResolution == event.StateResolutionV2 {
		for key, eventID := range unconflicted {
			if resolved[key], err = r.event(eventID); err != nil {
				return nil, err
			}
		}
	}
	if err := r.applyAllowed(resolved, ordered); err != nil {
		return nil, err
	}
	rest := make([]id.EventID, 0, len(full))
	for eventID := range full {
		if !power.has(eventID) {
			rest = append(rest, eventID)
		}
	}
	if ordered, err = r.mainlineOrder(rest, resolved[authrules.Key{Type: event.TypePowerLevels}]); err != nil {
		return nil, err
	}
	if err := r.applyAllowed(resolved, ordered); err != nil {
		return nil, err
	}
	result := make(StateMap, len(resolved)+len(unconflicted))
	for key, e := range resolved {
		result[key] = e.ID
	}
	maps.Copy(result, unconflicted)
	return result, nil
}

// applyAllowed is the specification's "iterative auth checks": it puts each event
// into the state that the rules allow there.
func (r *resolver) applyAllowed(resolved state, events []*event.Event) error {
	for _, e := range events {
		if e.StateKey == nil {
			continue
		}
		auth, err := r.authState(e)
		if err != nil {
			return err
		}
		lookup := func(eventType, stateKey string) *event.Event {
			key := authrules.Key{Type: eventType, StateKey: stateKey}
			if current := resolved[key]; current != nil {
				return current
			}
			return auth[key]
		}
		if authrules.Check(e, lookup) == nil {
			resolved[authrules.Key{Type: e.Type, StateKey: *e.StateKey}] = e
		}
	}
	return nil
}

// authState returns the state that an event cites. In version 12 that includes the
// create event, which the room ID cites.
func (r *resolver) authState(e *event.Event) (state, error) {
	if cited := r.authStates[e.ID]; cited != nil {
		return cited, nil
	}
	cited := make(state, len(e.Auth)+1)
	for _, eventID := range r.citations(e) {
		auth, err := r.event(eventID)
		if err != nil {
			return nil, err
		}
		if auth.StateKey != nil {
			cited[authrules.Key{Type: auth.Type, StateKey: *auth.StateKey}] = auth
		}
	}
	r.authStates[e.ID] = cited
	return cited, nil
}

// citations returns the auth events, and in version 12 the create event with them.
func (r *resolver) citations(e *event.Event) []id.EventID {
	if !r.version.RoomIDIsCreateEvent || e.Type == event.TypeCreate || len(e.RoomID) < 2 {
		return e.Auth
	}
	return append(e.Auth[:len(e.Auth):len(e.Auth)], id.EventID("$"+string(e.RoomID[1:])))
}
