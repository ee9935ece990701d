package bench

// A target is what one scenario should cost: CPU milliseconds of the server for one
// operation. For comparison there is what it costs Dendrite 0.15.2 over SQLite, and
// a floor: a bare program that authenticates, signs, commits durably and wakes
// readers, and does nothing else. Both were measured on two cores where a signature
// costs 26 µs.
type target struct {
	scenario              string
	dendrite, floor, most float64
}

var targets = []target{
	{"register", 6.7, 0, 1.5},
	{"login.c1", 5.7, 0, 1.2},
	{"whoami.c1", 0.27, 0.09, 0.15},
	{"whoami.c8", 0.16, 0.02, 0.08},
	{"send.one.c1", 39, 0.49, 1.5},
	{"send.one.c8", 41, 0.23, 1.0},
	{"send.spread.c16", 17, 0.17, 0.9},
	{"createroom", 106, 1.2, 6},
	{"fanout.50.paced", 12.8, 0.05, 0.3},
	{"fanout.200.burst", 9.4, 0.04, 0.15},
	{"rejected.nonmember.c1", 2.2, 0, 0.3},
	{"rejected.power.c1", 2.0, 0, 0.3},
	{"rejected.join-private.c1", 9.0, 0, 0.4},
	{"rejected.token.c1", 0.24, 0, 0.12},
	{"state.change", 156, 0, 3},
	{"state.get-one", 13, 0, 0.3},
	{"state.get-all", 23, 0, 4},
	{"join.to300", 93, 0, 3},
	{"bigroom.send.c1", 1079, 0, 2},
	{"bigroom.get.members", 10.5, 0, 2.5},
	{"history.pages", 10, 0, 1.5},
	{"initialsync.full", 290, 0, 25},
	{"sync.one-event", 121, 0, 3},
	{"sync.no-news", 6.6, 0, 0.2},
}

// A database in processes of its own makes the server wait and talk more: the server
// process then may cost this many times the target.
const separateDatabaseFactor = 2

// A goal is a bound on something else than the cost of a scenario.
type goal struct {
	name  string
	least bool // the bound is the least that is wanted, not the most
	bound float64
	value func(figures) (value float64, known bool)
}

// figures are the results of one server, by scenario.
type figures map[string]summary

// unmeasurable is what an idle server may compute, in percent of a core: the clock
// would hardly show less.
const unmeasurable = 0.1

var goals = []goal{
	{"Messages a second into one room, one sender", true, 500, rate("send.one.c1")},
	{"Messages a second into one room, eight senders", true, 1500, rate("send.one.c8")},
	{"Memory with 1,000 waiting clients, MiB", false, 100, noted("idle.1000", noteResident)},
	{"Memory for each of them, KiB", false, 20, noted("idle.1000", noteConnection)},
	{"CPU of an idle server, % of a core", false, unmeasurable, noted("idle.0", noteIdle)},
	{"CPU with 1,000 waiting clients, % of a core", false, 0, noted("idle.1000", noteIdle)},
	{"A message refused to an outsider : accepted", false, 1, times("rejected.nonmember.c1", "accepted.send.c1")},
	{"A message refused for lack of power : accepted", false, 1, times("rejected.power.c1", "accepted.send.c1")},
	{"A state event refused for lack of power : accepted", false, 1, times("rejected.state.c1", "accepted.state.c1")},
	{"A join refused : accepted", false, 1, times("rejected.join-private.c1", "accepted.join.c1")},
	{"A token refused : accepted", false, 1, times("rejected.token.c1", "accepted.token.c1")},
	{"Written to disk for a refusal, KiB", false, 0.1, writtenFor("rejected.nonmember.c1", "rejected.power.c1", "rejected.state.c1", "rejected.join-private.c1", "rejected.token.c1")},
}

func rate(scenario string) func(figures) (float64, bool) {
	return func(f figures) (float64, bool) { s, ok := f[scenario]; return s.PerSecond, ok }
}

func noted(scenario, note string) func(figures) (float64, bool) {
	return func(f figures) (float64, bool) {
		value, ok := f[scenario].Notes[note]
		return value, ok && f[scenario].Resident > 0 // else its process was not known
	}
}

// times is how many times the cost of the second scenario the first one has.
func times(first, second string) func(figures) (float64, bool) {
	return func(f figures) (float64, bool) {
		of := ratio(f[first].cpu(), f[second].cpu())
		return of, of > 0
	}
}

// writtenFor is the most that was written for one of the scenarios. A database of its
// own writes when it likes: then there is no saying for what.
func writtenFor(scenarios ...string) func(figures) (float64, bool) {
	return func(f figures) (most float64, known bool) {
		for _, name := range scenarios {
			s, ok := f[name]
			most, known = max(most, s.Written), known || ok && s.Resident > 0 && !s.SeparateDatabase
		}
		return most, known
	}
}

// A bound on growth: what an operation may cost at one size, as a multiple of what
// it costs at a smaller one. It hardly depends on the machine.
type growthBound struct {
	name            string
	scenario        string
	larger, smaller int
	dendrite        string
	most            float64
}

var growthBounds = []growthBound{
	{"A join into a room of 1,000 members : of 100", growJoin, 1000, 100, "5.8", 1.3},
	{"A state change in a room of 5,000 state events : of 500", growChange, 5000, 500, "4.6 at 1,600", 1.3},
	{"A message into a room of 1,000 members that nobody watches : of 2", growSend, 1000, 2, "100", 2},
}

// cpu is what an operation costs server and database together.
func (r Result) cpu() float64 { return r.ServerCPU + r.DatabaseCPU }
