package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Options say which server is measured, and how.
type Options struct {
	// URL is of a running homeserver on a loopback address, open for registration by
	// the dummy stage and without rate limits. PID and DatabasePID are its processes:
	// if 0, its costs stay unknown.
	URL              string
	PID, DatabasePID int

	// Program is this program's file. It is started to measure the floor of the machine,
	// and without a URL as the server. Its database is an SQLite file in a new folder inside Folder (empty: that of temporary files), or
	// the empty PostgreSQL database at the URL Database, whose top process may be
	// named by DatabasePID.
	Program, Folder, Database string

	Label     string        // of the server in results; empty: a name is made up
	Scenarios []string      // of Measure; empty: all
	Quick     bool          // sizes of a few seconds
	Limit     time.Duration // of one stretch

	Results io.Writer // one JSON object a line, if not nil
	Shown   io.Writer // for people
	Now     func() time.Time
}

// ErrFailed is the error of a benchmark that ran to its end while operations were
// not answered as they should. What failed has been shown.
var ErrFailed = errors.New("not everything was answered as it should be")

// Measure measures the scenarios of the table, one after the other, and then with
// Program what the machine can do.
func Measure(ctx context.Context, o Options) error {
	chosen, err := choose(o.Scenarios)
	if err != nil {
		return err
	}
	return measured(ctx, o, func(r *run) error {
		err := r.play(ctx, chosen)
		if o.Program != "" && ctx.Err() == nil {
			err = errors.Join(err, r.measureMachine(ctx, chosen))
		}
		return err
	})
}

// choose finds the scenarios of the given names. What a name has after the first
// dot is not looked at: the stretches of a scenario need each other.
func choose(names []string) ([]scenario, error) {
	if len(names) == 0 {
		return scenarios, nil
	}
	var chosen []scenario
	for _, s := range scenarios {
		if slices.ContainsFunc(names, s.measures) {
			chosen = append(chosen, s)
		}
	}
	for _, name := range names {
		if !slices.ContainsFunc(scenarios, func(s scenario) bool { return s.measures(name) }) {
			var known []string
			for _, s := range scenarios {
				known = append(known, s.names...)
			}
			return nil, fmt.Errorf("there is no scenario %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	return chosen, nil
}

// A run measures one server.
type run struct {
	Options
	sizes    sizes
	server   *homeserver
	probe    probe
	separate bool // the database has processes of its own
	users    []*user
	results  []Result
	lost     error // a result that could not be written
}

// measured finds or starts the server, and does with it what it is told.
func measured(ctx context.Context, o Options, what func(*run) error) (err error) {
	r := &run{Options: o, sizes: standard, probe: probe{o.PID, o.DatabasePID}}
	if o.Quick {
		r.sizes = quick
	}
	for _, pid := range []int{o.PID, o.DatabasePID} {
		if pid != 0 && !alive(pid) {
			return fmt.Errorf("there is no process %d", pid)
		}
	}
	if r.URL == "" {
		child, err := launch(ctx, o)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, child.stop()) }()
		r.URL, r.probe.server = child.url, child.pid()
	}
	if err := onLoopback(r.URL); err != nil {
		return err
	}
	r.separate = o.DatabasePID != 0 || o.Database != ""
	if r.Label == "" {
		r.Label = label(o)
	}
	r.server = newHomeserver(r.URL)
	defer r.server.transport.CloseIdleConnections()
	if err := what(r); err != nil {
		return err
	}
	if slices.ContainsFunc(r.results, func(one Result) bool { return one.Failed > 0 }) {
		return errors.Join(ErrFailed, r.lost)
	}
	return r.lost
}

func label(o Options) string {
	switch {
	case o.URL != "":
		return o.URL
	case o.Database != "":
		return "Narthex, PostgreSQL"
	default:
		return "Narthex, SQLite"
	}
}

// head begins the table for people.
func (r *run) head() {
	fmt.Fprintf(r.Shown, "%s at %s\n%-26s %8s %10s %10s %10s %9s %9s %9s\n", r.Label, r.URL,
		"", "done", "CPU ms", "of the DB", "a second", "p50 ms", "p99 ms", "MiB")
}

// play measures scenarios. One that cannot be prepared does not keep the others from
// being measured.
func (r *run) play(ctx context.Context, chosen []scenario) error {
	need := 0
	for _, s := range chosen {
		need = max(need, s.users(r.sizes))
	}
	r.head()
	var err error
	r.measure(ctx, "register", 0, func(ctx context.Context, m *meter) { err = r.enrollInto(ctx, m, need) })
	if err != nil {
		return err
	}
	var failures []error
	for _, s := range chosen {
		if err := s.play(ctx, r); err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", s.names[0], err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(failures...)
}

// preparationLimit is how long making users, rooms or messages may take at a time.
const preparationLimit = 10 * time.Minute

// enroll registers users until there are n.
func (r *run) enroll(ctx context.Context, n int) error {
	ctx, cancel := context.WithTimeout(ctx, preparationLimit)
	defer cancel()
	return r.enrollInto(ctx, &meter{now: r.Now}, n)
}

func (r *run) enrollInto(ctx context.Context, m *meter, n int) error {
	fresh := make([]*user, max(0, n-len(r.users)))
	m.each(ctx, len(fresh), 2, func(i int) (err error) {
		fresh[i], err = r.server.register(ctx, strconv.Itoa(len(r.users)+i))
		return err
	})
	if done := m.succeeded(); done < len(fresh) {
		return errors.Join(fmt.Errorf("registered %d of %d users", done, len(fresh)), m.first, ctx.Err())
	}
	r.users = append(r.users, fresh...)
	return nil
}

// prepare makes operations that are not measured, and stops at the first failure.
func (r *run) prepare(ctx context.Context, n, atOnce int, operation func(i int) error) error {
	ctx, stop := context.WithTimeoutCause(ctx, preparationLimit, fmt.Errorf("preparing it took more than %v", preparationLimit))
	defer stop()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	m := &meter{now: r.Now}
	m.each(ctx, n, atOnce, func(i int) error {
		err := operation(i)
		if err != nil {
			cancel(err)
		}
		return err
	})
	return context.Cause(ctx)
}

// keep writes a result, for programs and for people.
func (r *run) keep(one Result) {
	r.results = append(r.results, one)
	if r.Results != nil {
		r.lost = errors.Join(r.lost, json.NewEncoder(r.Results).Encode(one))
	}
	name := one.Scenario
	if one.Size > 0 {
		name = fmt.Sprintf("%s %d", name, one.Size)
	}
	fmt.Fprintf(r.Shown, "%-26s %8d %10.4g %10.4g %10.5g %9.4g %9.4g %9.4g", name, one.Operations,
		one.ServerCPU+one.DatabaseCPU, one.DatabaseCPU, one.PerSecond, one.Latency.Median, one.Latency.P99, one.Resident)
	if one.Cut {
		fmt.Fprint(r.Shown, "  cut short by the limit of time")
	}
	if one.Unsettled {
		fmt.Fprint(r.Shown, "  still busy long after")
	}
	if one.Failed > 0 {
		fmt.Fprintf(r.Shown, "  %d failed: %s", one.Failed, one.Failure)
	}
	fmt.Fprintln(r.Shown)
}
