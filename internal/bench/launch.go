package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// A child is a server of this program in a process of its own.
type child struct {
	url    string
	folder string
	cmd    *exec.Cmd
	ended  chan error
	cancel context.CancelFunc
}

// launch starts the server as its operator would, but with open registration, cheap
// password hashes and no rate limits.
func launch(ctx context.Context, o Options) (*child, error) {
	if o.Database == "" {
		return start(ctx, o, nil, "serve", "--dev", "--listen", "127.0.0.1:0", "--data")
	}
	if err := emptyDatabase(ctx, o); err != nil {
		return nil, err
	}
	environment := []string{"NARTHEX_DATABASE=" + o.Database} // unlike a flag, nobody else can see it
	return start(ctx, o, environment, "serve", "--dev", "--listen", "127.0.0.1:0", "--data")
}

// start runs this program with the arguments, and as the last of them a new folder.
func start(ctx context.Context, o Options, environment []string, args ...string) (c *child, err error) {
	c = &child{ended: make(chan error, 1)}
	if c.folder, err = os.MkdirTemp(o.Folder, "narthex-bench-"); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(c.folder, "log"))
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(c.folder))
	}
	ctx, c.cancel = context.WithCancel(ctx)
	c.cmd = exec.CommandContext(ctx, o.Program, append(args, c.folder)...)
	c.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NARTHEX_") })
	c.cmd.Env = append(c.cmd.Env, environment...)
	c.cmd.Cancel = func() error { return c.cmd.Process.Signal(os.Interrupt) }
	c.cmd.WaitDelay = 20 * time.Second
	c.cmd.Stderr = log
	greeting, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	err = errors.Join(err, log.Close()) // the process has its own
	if err != nil {
		c.cancel()
		return nil, errors.Join(err, os.RemoveAll(c.folder))
	}
	if c.url, err = readURL(greeting); err != nil {
		go func() { c.ended <- c.cmd.Wait() }()
		return nil, errors.Join(fmt.Errorf("the server did not start: %w", err), c.stop())
	}
	go func() {
		_, _ = io.Copy(io.Discard, greeting) // what else it says is for people
		c.ended <- c.cmd.Wait()
	}()
	return c, nil
}

// readURL finds the address in what the server says at its start.
func readURL(greeting io.Reader) (string, error) {
	lines := bufio.NewScanner(greeting)
	for lines.Scan() {
		if _, rest, found := strings.Cut(lines.Text(), " listens on "); found {
			url, _, _ := strings.Cut(rest, " ")
			return url, nil
		}
	}
	return "", errors.Join(errors.New("it did not say where it listens"), lines.Err())
}

// emptyDatabase refuses a database that somebody may need.
func emptyDatabase(ctx context.Context, o Options) (err error) {
	if !strings.HasPrefix(o.Database, "postgres://") && !strings.HasPrefix(o.Database, "postgresql://") {
		return errors.New("--database takes the postgres:// URL of an empty database; without it, SQLite is measured")
	}
	d, err := db.Open(ctx, db.Options{Database: o.Database, Now: o.Now, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.Close()) }()
	steps, err := d.Applied(ctx)
	if err == nil && len(steps) > 0 {
		err = errors.New("the database is in use already; a benchmark would fill it with accounts and rooms, so it takes an empty one")
	}
	return err
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop ends the server and removes all that it kept.
func (c *child) stop() error {
	c.cancel()
	err := <-c.ended
	if errors.Is(err, context.Canceled) {
		err = nil // as it was told
	}
	if err != nil {
		said, _ := os.ReadFile(filepath.Join(c.folder, "log")) // if it cannot be read, the error has to do
		err = fmt.Errorf("the server ended: %w\n%s", err, said[max(0, len(said)-4096):])
	}
	return errors.Join(err, os.RemoveAll(c.folder))
}
