package bench

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"
)

// studySync is the stretch of a study. Its size is how many users sync at once.
const studySync = "study.initialsync"

// Notes of a study.
const (
	noteUsers   = "users"
	noteRooms   = "rooms"
	noteMembers = "members" // of each room
)

// studyLimit is how long the users of a study may wait for their answers: the slowest
// server of the public one took 726 s.
const studyLimit = 15 * time.Minute

// published are the seconds of a public study, with 200 users, 300 rooms and 300
// members a room, on another machine.
var published = []struct {
	server  string
	seconds map[int]float64 // by users at once
}{
	{"Synapse, 18 workers", map[int]float64{1: 80, 5: 74, 10: 465, 20: 118}},
	{"Tuwunel", map[int]float64{1: 8.6, 5: 14, 10: 726, 20: 34}},
}

// Study measures the first /sync of several users at once, who are in very many rooms
// of very many members. The rooms fill evenly, for a bounded time: the results say
// how many members they came to have.
func Study(ctx context.Context, o Options) error {
	return measured(ctx, o, func(r *run) error {
		r.head()
		r.Limit = studyLimit
		members, err := r.fillStudy(ctx)
		if err != nil {
			return err
		}
		for _, n := range r.sizes.studyAtOnce {
			r.measure(ctx, studySync, n, func(ctx context.Context, m *meter) {
				m.note(noteUsers, float64(len(r.users)))
				m.note(noteRooms, float64(r.sizes.studyRooms))
				m.note(noteMembers, float64(members))
				m.each(ctx, n, n, func(i int) error {
					bytes, err := r.users[i].get(ctx, syncPath("", everything, 0))
					m.note("bytes", float64(bytes))
					return err
				})
			})
		}
		fmt.Fprintf(r.Shown, "\n%s", studyTable(summarize(r.results)))
		return nil
	})
}

// fillStudy makes the rooms and messages, and lets one user after the other join all
// rooms, until the time is over. It gives the members that every room has.
func (r *run) fillStudy(ctx context.Context) (members int, err error) {
	z := r.sizes
	if err := r.enroll(ctx, z.studyUsers); err != nil {
		return 0, err
	}
	rooms := make([]string, z.studyRooms)
	creator := func(i int) *user { return r.users[i%len(r.users)] }
	if err := r.prepare(ctx, len(rooms), 4, func(i int) (err error) {
		rooms[i], err = creator(i).createRoom(ctx, map[string]any{"topic": "A room of the study"})
		return err
	}); err != nil {
		return 0, err
	}
	if err := r.prepare(ctx, len(rooms)*z.studyMessages, 4, func(i int) error { return creator(i%len(rooms)).send(ctx, rooms[i%len(rooms)], message(i)) }); err != nil {
		return 0, err
	}
	limited, cancel := context.WithTimeout(ctx, time.Duration(z.studyFillsSeconds)*time.Second)
	defer cancel()
	m := &meter{now: r.Now}
	m.each(limited, len(rooms)*len(r.users), 4, func(i int) error { return r.users[i/len(rooms)].join(limited, rooms[i%len(rooms)]) })
	if m.first != nil {
		return 0, m.first
	}
	if members = m.succeeded() / len(rooms); members < z.studyAtOnce[len(z.studyAtOnce)-1] {
		return 0, fmt.Errorf("in %d s only %d users could join the %d rooms; that is too few to go on", z.studyFillsSeconds, members, len(rooms))
	}
	return members, nil
}

// studyTable sets the seconds until the last user has an answer beside those of the
// public study.
func studyTable(all []summary) string {
	labels, _ := byLabel(all, func(s summary) bool { return s.Scenario == studySync })
	if len(labels) == 0 {
		return ""
	}
	head := append([]string{"users at once"}, labels...)
	for _, p := range published {
		head = append(head, p.server)
	}
	g := &grid{}
	g.add(head...)
	var about string
	for _, size := range slices.Sorted(maps.Keys(costsOf(all, labels[0], studySync))) {
		row := []string{thousands(size)}
		for _, label := range labels {
			s := costsOf(all, label, studySync)[size]
			row = append(row, figure(s.Seconds)+s.doubt())
			about = fmt.Sprintf("Seconds until the last of them has the answer. Here %g users are in %g rooms, of at least %g members each; in the public study 200 users in 300 rooms of 300, on another machine.",
				s.Notes[noteUsers], s.Notes[noteRooms], s.Notes[noteMembers])
		}
		for _, p := range published {
			row = append(row, figure(p.seconds[size]))
		}
		g.add(row...)
	}
	g.last = about
	return g.String()
}
