package bench

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// sizes say how much each scenario does.
type sizes struct {
	logins, whoami    int
	sends             int // with one sender; twice as many with several
	spread            int // rooms that messages are spread over
	audiences         []int
	announcements     int // messages to an audience, one at a time and again at once
	refusals          int
	members           int // of the big room
	state, changes    int // state events of a room; changes of them
	history           int // messages to page through
	syncRooms         int // of the user who syncs
	syncMembers       int // of each of them
	repeats           int // of an expensive read; there are more of the cheap ones
	idle              int // clients that wait
	idleSeconds       int
	growMembers       []int
	growRooms         []int
	growState         []int
	growOperations    int // measured at each size
	studyUsers        int
	studyRooms        int
	studyMessages     int // in each room
	studyAtOnce       []int
	studyFillsSeconds int // at most, to fill the rooms with members
}

var (
	standard = sizes{
		logins: 1000, whoami: 2000, sends: 500, spread: 50, audiences: []int{50, 200}, announcements: 12, refusals: 1000,
		members: 300, state: 1000, changes: 200, history: 600, syncRooms: 20, syncMembers: 20, repeats: 40,
		idle: 1000, idleSeconds: 10,
		growMembers: []int{10, 100, 1000, 10000}, growRooms: []int{1, 100, 1000}, growState: []int{500, 5000}, growOperations: 200,
		studyUsers: 200, studyRooms: 300, studyMessages: 10, studyAtOnce: []int{1, 5, 10, 20}, studyFillsSeconds: 240,
	}
	quick = sizes{
		logins: 4, whoami: 40, sends: 10, spread: 4, audiences: []int{8}, announcements: 3, refusals: 8,
		members: 16, state: 10, changes: 10, history: 30, syncRooms: 4, syncMembers: 4, repeats: 2,
		idle: 20, idleSeconds: 1,
		growMembers: []int{4, 8, 16}, growRooms: []int{1, 4, 8}, growState: []int{4, 16}, growOperations: 4,
		studyUsers: 6, studyRooms: 4, studyMessages: 2, studyAtOnce: []int{1, 4}, studyFillsSeconds: 10,
	}
)

// A scenario measures one or several stretches that need the same rooms.
type scenario struct {
	names []string // what the names of its stretches begin with
	users func(sizes) int
	play  func(context.Context, *run) error
	bare  bool // the bare program answers all that it asks
}

var scenarios = []scenario{
	{names: []string{"register"}, users: func(sizes) int { return 1 }, play: func(context.Context, *run) error { return nil }}, // the users of the others
	{names: []string{"idle"}, users: func(z sizes) int { return z.idle }, play: idle},                                          // before the server has grown
	{names: []string{"login"}, users: func(sizes) int { return 8 }, play: login},
	{names: []string{"whoami"}, users: func(sizes) int { return 8 }, play: whoami, bare: true},
	{names: []string{"send", "createroom"}, users: func(sizes) int { return 16 }, play: send, bare: true},
	{names: []string{"rejected", "accepted"}, users: func(sizes) int { return 25 }, play: refuse},
	{names: []string{"fanout"}, users: func(z sizes) int { return slices.Max(z.audiences) }, play: fanout, bare: true},
	{names: []string{"history"}, users: func(sizes) int { return 8 }, play: history},
	{names: []string{"state"}, users: func(sizes) int { return 2 }, play: state},
	{names: []string{"join", "bigroom"}, users: func(z sizes) int { return z.members }, play: bigRoom},
	{names: []string{"initialsync", "sync"}, users: func(z sizes) int { return z.syncMembers }, play: syncing},
}

// measures reports whether a name is one of the scenario's, or begins with one.
func (s scenario) measures(name string) bool {
	first, _, _ := strings.Cut(name, ".")
	return slices.Contains(s.names, first)
}

// login measures sign-in with a password.
func login(ctx context.Context, r *run) error {
	r.measure(ctx, "login.c1", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, r.sizes.logins, 1, func(i int) error { return r.users[i%8].login(ctx) })
	})
	return nil
}

// whoami measures authentication with nothing else, one request at a time and eight.
func whoami(ctx context.Context, r *run) error {
	for _, atOnce := range []int{1, 8} {
		r.measure(ctx, "whoami.c"+strconv.Itoa(atOnce), 0, func(ctx context.Context, m *meter) {
			m.each(ctx, r.sizes.whoami, atOnce, func(i int) error { return r.users[i%8].whoami(ctx) })
		})
	}
	return nil
}

// send measures messages into one room, by one sender and by eight at once, and by
// sixteen into many rooms.
func send(ctx context.Context, r *run) error {
	room, err := r.roomOf(ctx, r.users[:8])
	if err != nil {
		return err
	}
	r.measure(ctx, "send.one.c1", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, r.sizes.sends, 1, func(i int) error { return r.users[0].send(ctx, room, message(i)) })
	})
	r.measure(ctx, "send.one.c8", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, 2*r.sizes.sends, 8, func(i int) error { return r.users[i%8].send(ctx, room, message(i)) })
	})
	rooms := make([]string, r.sizes.spread)
	made := r.measure(ctx, "createroom", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, len(rooms), 4, func(i int) (err error) {
			rooms[i], err = r.users[i%16].createRoom(ctx, nil)
			return err
		})
	})
	if made.Operations < len(rooms) {
		return nil // the result says why
	}
	r.measure(ctx, "send.spread.c16", 0, func(ctx context.Context, m *meter) {
		m.each(ctx, 2*r.sizes.sends, 16, func(i int) error {
			k := i % len(rooms)
			return r.users[k%16].send(ctx, rooms[k], message(i))
		})
	})
	return nil
}

// roomOf makes a room of the first user that the others have joined.
func (r *run) roomOf(ctx context.Context, members []*user) (room string, err error) {
	if room, err = members[0].createRoom(ctx, nil); err != nil {
		return "", err
	}
	others := members[1:]
	return room, r.prepare(ctx, len(others), 4, func(i int) error { return others[i].join(ctx, room) })
}

// repeat measures the same read again and again.
func (r *run) repeat(ctx context.Context, scenario string, size, n int, read func(context.Context) (bytes int64, err error)) {
	r.measure(ctx, scenario, size, func(ctx context.Context, m *meter) {
		m.each(ctx, n, 1, func(int) error {
			bytes, err := read(ctx)
			m.note("bytes", float64(bytes))
			return err
		})
	})
}
