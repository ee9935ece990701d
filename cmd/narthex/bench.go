package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/narthex-matrix/narthex/internal/bench"
)

type benchCommand struct {
	Measure benchMeasureCommand `cmd:"" default:"withargs" help:"Measure what operations cost a homeserver, and how fast it answers."`
	Growth  benchGrowthCommand  `cmd:"" help:"Measure how costs grow with members, rooms and state."`
	Study   benchStudyCommand   `cmd:"" help:"Measure the first sync of several users at once, in very many rooms."`
	Table   benchTableCommand   `cmd:"" help:"Make Markdown tables of results."`
	Plot    benchPlotCommand    `cmd:"" help:"Draw pictures of how costs grow."`
	Floor   benchFloorCommand   `cmd:"" hidden:"" help:"Serve what the floor of a machine is measured with."`
}

// benchTarget are the flags that say which server is measured, and how.
type benchTarget struct {
	URL             string        `placeholder:"URL" help:"A running homeserver on this machine, open for registration and without rate limits (default: a server of this program is started, and removed at the end)."`
	PID             int           `name:"pid" placeholder:"PID" help:"The process of the server at --url; without it, its CPU time stays unknown."`
	PIDFile         string        `name:"pidfile" type:"path" placeholder:"FILE" help:"A file with that number in its first line."`
	DatabasePID     int           `name:"database-pid" placeholder:"PID" help:"The top process of its database, if it has one of its own."`
	DatabasePIDFile string        `name:"database-pidfile" type:"path" placeholder:"FILE" help:"A file with that number in its first line, such as postmaster.pid."`
	Database        string        `placeholder:"URL" help:"The postgres:// URL of an empty database for the server that is started (default: a new SQLite file)."`
	Folder          string        `type:"path" placeholder:"FOLDER" help:"Where the server that is started keeps its data meanwhile; a disk such as it will have later (default: the folder for temporary files)."`
	Label           string        `placeholder:"NAME" help:"What tables call the server."`
	Quick           bool          `help:"Small sizes, to see that it works."`
	Limit           time.Duration `default:"60s" placeholder:"TIME" help:"How long one stretch of operations may take (default: ${default})."`
	Out             string        `type:"path" placeholder:"FILE" help:"Write the results to the end of this file, a JSON object a line."`
}

// options opens the file of results. What is returned closes it.
func (t benchTarget) options(std streams) (o bench.Options, done func() error, err error) {
	if t.URL != "" && t.Database != "" {
		return o, nil, errors.New("--database is for the server that is started, and with --url none is")
	}
	if t.Limit <= 0 {
		return o, nil, errors.New("--limit must be more than nothing")
	}
	program, err := os.Executable()
	if err != nil {
		return o, nil, err
	}
	o = bench.Options{
		URL: t.URL, PID: t.PID, DatabasePID: t.DatabasePID, Program: program, Folder: t.Folder, Database: t.Database,
		Label: t.Label, Quick: t.Quick, Limit: t.Limit, Shown: std.out, Now: time.Now,
	}
	for _, one := range []struct {
		file string
		to   *int
	}{{t.PIDFile, &o.PID}, {t.DatabasePIDFile, &o.DatabasePID}} {
		if one.file != "" {
			if *one.to, err = readPID(one.file); err != nil {
				return o, nil, err
			}
		}
	}
	done = func() error { return nil }
	if t.Out != "" {
		f, err := os.OpenFile(t.Out, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o644)
		if err != nil {
			return o, nil, err
		}
		o.Results, done = f, f.Close
	}
	return o, done, nil
}

func readPID(file string) (int, error) {
	raw, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(first))
	if err != nil || pid <= 0 {
		return 0, fmt.Errorf("%s does not begin with the number of a process", file)
	}
	return pid, nil
}

// play runs one of the benchmarks.
func (t benchTarget) play(ctx context.Context, std streams, benchmark func(context.Context, bench.Options) error) error {
	o, done, err := t.options(std)
	if err != nil {
		return err
	}
	// When nobody reads the figures any more (`| head`), the server that was started is to end, too.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGPIPE)
	defer stop()
	return errors.Join(benchmark(ctx, o), done())
}

type benchMeasureCommand struct {
	benchTarget
	Scenario []string `placeholder:"NAME" help:"Measure this alone, with the stretches that belong to it; may be given several times."`
}

// Help is shown by --help.
func (benchMeasureCommand) Help() string {
	return `It registers users, makes rooms, and measures stretches of equal operations. The main figure is the CPU time of the
server for one operation, with all that it does after it answered; rates and latencies share the machine with the
client. The exit code is 1 if an operation was not answered as it should be. docs/performance.md says what is measured.

At the end it measures the machine: the CPU time of an Ed25519 signature, and a floor for some stretches, which is what
they cost a bare program that does next to nothing. Figures of two machines can be compared by these.

Examples:
  narthex bench --quick
  narthex bench --out results.jsonl
  narthex bench --scenario send.one.c1,sync.one-event
  narthex bench --database postgres://narthex@localhost/empty --database-pidfile /var/lib/postgresql/17/main/postmaster.pid
  narthex bench --url http://127.0.0.1:8008 --pid 4711 --label "Another homeserver"`
}

// Run measures.
func (c benchMeasureCommand) Run(ctx context.Context, std streams) error {
	return c.play(ctx, std, func(ctx context.Context, o bench.Options) error {
		o.Scenarios = c.Scenario
		return bench.Measure(ctx, o)
	})
}

type benchGrowthCommand struct{ benchTarget }

// Help is shown by --help.
func (benchGrowthCommand) Help() string {
	return `It measures messages, joins, /sync and lists of members in rooms of 10 to 10,000 members, messages and /sync of users
of 1 to 1,000 rooms, and changes of 500 and 5,000 state events. It shows what an operation costs at each size, and how
many times the cost at the largest is that at the smaller ones.

Examples:
  narthex bench growth --out growth.jsonl
  narthex bench growth --quick`
}

// Run measures.
func (c benchGrowthCommand) Run(ctx context.Context, std streams) error {
	return c.play(ctx, std, bench.Growth)
}

type benchStudyCommand struct{ benchTarget }

// Help is shown by --help.
func (benchStudyCommand) Help() string {
	return `It repeats a public study with 200 users in 300 rooms, and measures how long 1, 5, 10 and 20 of them wait for the
answer of their first /sync. Every user joins every room, for at most four minutes.

Example:
  narthex bench study --out study.jsonl`
}

// Run measures.
func (c benchStudyCommand) Run(ctx context.Context, std streams) error {
	return c.play(ctx, std, bench.Study)
}

type benchTableCommand struct {
	File []string `arg:"" type:"path" help:"Files of results."`
	Into string   `type:"path" placeholder:"FILE" help:"Put the tables into this Markdown document, between its markers, instead of showing them."`
}

// Help is shown by --help.
func (benchTableCommand) Help() string {
	return `Of several runs it takes the medians. A figure that misses its target has a mark.

Examples:
  narthex bench table results.jsonl
  narthex bench table --into docs/performance.md sqlite.jsonl postgres.jsonl growth.jsonl study.jsonl`
}

// Run makes tables.
func (c benchTableCommand) Run(std streams) error {
	results, err := bench.ReadResults(c.File)
	if err != nil {
		return err
	}
	if c.Into == "" {
		return bench.WriteTables(std.out, results)
	}
	document, err := os.ReadFile(c.Into)
	if err != nil {
		return err
	}
	filled, err := bench.FillIn(string(document), results)
	if err != nil {
		return err
	}
	return os.WriteFile(c.Into, []byte(filled), 0o644)
}

type benchPlotCommand struct {
	File []string `arg:"" type:"path" help:"Files of results."`
	Into string   `type:"path" default:"." placeholder:"FOLDER" help:"Where to write the pictures (default: this folder)."`
}

// Help is shown by --help.
func (benchPlotCommand) Help() string {
	return `It takes the results of "narthex bench growth", and writes SVG.

Example:
  narthex bench plot --into docs/performance growth.jsonl`
}

// Run draws.
func (c benchPlotCommand) Run(std streams) error {
	results, err := bench.ReadResults(c.File)
	if err != nil {
		return err
	}
	files, err := bench.WritePlots(c.Into, results)
	for _, name := range files {
		fmt.Fprintln(std.out, "wrote", name)
	}
	return err
}

type benchFloorCommand struct {
	Folder string `arg:"" type:"path" help:"Where to keep the database."`
}

// Help is shown by --help.
func (benchFloorCommand) Help() string {
	return `"narthex bench" starts it. It answers a few endpoints of the Client-Server API with the least that can be done, and
is good for nothing else.

Example:
  narthex bench floor ./folder`
}

// Run serves until the context ends.
func (c benchFloorCommand) Run(ctx context.Context, std streams) error {
	untouched := make([]byte, ballast) // so that the garbage collector runs as often as in the server
	defer runtime.KeepAlive(untouched)
	return bench.ServeBare(ctx, c.Folder, std.out)
}
