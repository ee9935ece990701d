package stateres

import (
	"bytes"
	"cmp"
	"crypto/sha1"
	"slices"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// resolveV1 is the algorithm of room version 1. States conflict where they have
// different events for a key; a key that a state lacks is no conflict.
func (r *resolver) resolveV1(sets []StateMap) (StateMap, error) {
	resolved, conflicts, err := r.separateV1(sets)
	if err != nil {
		return nil, err
	}
	for _, eventType := range []string{event.TypePowerLevels, event.TypeJoinRules, event.TypeMember} {
		// The winners of one type enter the state together, so that the order of
		// keys does not matter.
		winners := state{}
		for key, events := range conflicts {
			if key.Type == eventType {
				winners[key] = lastOfAllowed(key, events, resolved)
				delete(conflicts, key)
			}
		}
		for key, winner := range winners {
			resolved[key] = winner
		}
	}
	result := StateMap{}
	for key, e := range resolved {
		result[key] = e.ID
	}
	for key, events := range conflicts {
		for _, e := range slices.Backward(events) {
			if authrules.Check(e, resolved.lookup) == nil {
				result[key] = e.ID
				break
			}
		}
	}
	return result, nil
}

func (s state) lookup(eventType, stateKey string) *event.Event {
	return s[authrules.Key{Type: eventType, StateKey: stateKey}]
}

// separateV1 returns the state without conflicts, and for each key in conflict its
// events by ascending depth and descending SHA-1 of their IDs.
func (r *resolver) separateV1(sets []StateMap) (state, map[authrules.Key][]*event.Event, error) {
	ids := map[authrules.Key]idSet{}
	for _, set := range sets {
		for key, eventID := range set {
			if ids[key] == nil {
				ids[key] = idSet{}
			}
			ids[key][eventID] = struct{}{}
		}
	}
	resolved, conflicts := state{}, map[authrules.Key][]*event.Event{}
	for key, candidates := range ids {
		for eventID := range candidates {
			e, err := r.event(eventID)
			if err != nil {
				return nil, nil, err
			}
			if len(candidates) == 1 {
				resolved[key] = e
			} else {
				conflicts[key] = append(conflicts[key], e)
			}
		}
		slices.SortFunc(conflicts[key], func(a, b *event.Event) int {
			return cmp.Or(cmp.Compare(a.Depth, b.Depth), bytes.Compare(digest(b.ID), digest(a.ID)))
		})
	}
	return resolved, conflicts, nil
}

func digest(eventID id.EventID) []byte {
	sum := sha1.Sum([]byte(eventID))
	return sum[:]
}

// lastOfAllowed takes the first event, then each next one that is allowed after the
// one before, and stops at the first that is not.
func lastOfAllowed(key authrules.Key, events []*event.Event, resolved state) *event.Event {
	winner := events[0]
	for _, e := range events[1:] {
		lookup := func(eventType, stateKey string) *event.Event {
			if eventType == key.Type && stateKey == key.StateKey {
				return winner
			}
			return resolved.lookup(eventType, stateKey)
		}
		if authrules.Check(e, lookup) != nil {
			break
		}
		winner = e
	}
	return winner
}
