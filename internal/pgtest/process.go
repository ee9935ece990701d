package pgtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

// ErrNotInstalled is returned by [Start] on a machine without a PostgreSQL
// server. Its text says how to get one.
var ErrNotInstalled = errors.New("no PostgreSQL server is installed; install one with: apt-get install postgresql")

// debianServers is where Debian keeps its servers, one folder for each version.
const debianServers = "/usr/lib/postgresql/*/bin/initdb"

// settings makes the server quick to start and quick to write, and keeps it
// from working on its own while a test looks at it.
var settings = []string{
	"listen_addresses=",
	"fsync=off", "synchronous_commit=off", "full_page_writes=off",
	"wal_level=minimal", "max_wal_senders=0", "checkpoint_timeout=1h",
	"shared_buffers=32MB", "max_connections=200",
	"autovacuum=off", "jit=off",
}

// durableVariable, if it is set, has the server run as an operator's does, for
// measurements: it syncs what it commits, and looks after its tables, more often than by
// itself because they grow so fast.
const durableVariable = "NARTHEX_TEST_POSTGRES_DURABLE"

var durable = []string{"listen_addresses=", "max_connections=200", "autovacuum_naptime=5s"}

// findBinaries returns the folder of initdb and postgres: the one on the PATH,
// or Debian's newest.
func findBinaries(installations string) (string, error) {
	candidates, _ := filepath.Glob(installations)
	newest := ""
	for _, candidate := range candidates {
		if version(candidate) > version(newest) {
			newest = candidate
		}
	}
	if onPath, err := exec.LookPath("initdb"); err == nil {
		newest = onPath
	}
	if newest == "" {
		return "", ErrNotInstalled
	}
	initdb, err := filepath.EvalSymlinks(newest)
	if err != nil {
		return "", ErrNotInstalled
	}
	folder := filepath.Dir(initdb)
	if _, err := os.Stat(filepath.Join(folder, "postgres")); err != nil {
		return "", ErrNotInstalled // client programs alone
	}
	return folder, nil
}

// version reads 15 from /usr/lib/postgresql/15/bin/initdb; anything else is 0.
func version(initdb string) int {
	number, _ := strconv.Atoi(filepath.Base(filepath.Dir(filepath.Dir(initdb))))
	return number
}

// An account is the user that the server runs as; nil stands for the user of
// this process.
type account struct{ uid, gid int }

func serverAccount() (*account, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.Atoi(u.Uid)
		gid, gidErr := strconv.Atoi(u.Gid)
		if uidErr == nil && gidErr == nil {
			return &account{uid: uid, gid: gid}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and this machine has no user postgres or nobody to run it as")
}

// run makes the cluster if there is none, starts the server and stays until it has
// ended. It sends one value on ready: nil once the server answers, or why it never
// will. Ending ctx kills whatever runs.
func (s *Server) run(ctx context.Context, binaries string, account *account, ready chan<- error) {
	// The kernel ties the death signal to the thread that started the process,
	// so that thread must live as long as the server.
	runtime.LockOSThread()
	defer close(s.done)

	if s.version() > 0 {
		// The cluster has been made: this is a restart.
	} else if err := s.makeCluster(ctx, binaries, account); err != nil {
		ready <- err
		return
	}
	arguments := []string{"-D", s.dataFolder(), "-k", s.folder}
	chosen := settings
	if os.Getenv(durableVariable) != "" {
		chosen = durable
	}
	for _, setting := range chosen {
		arguments = append(arguments, "-c", setting)
	}
	postgres := s.command(ctx, account, filepath.Join(binaries, "postgres"), arguments...)
	log, err := postgres.StderrPipe()
	if err == nil {
		err = postgres.Start()
	}
	if err != nil {
		ready <- fmt.Errorf("starting PostgreSQL: %w", err)
		return
	}
	s.process = postgres.Process
	early, isReady := awaitReady(log)
	if isReady {
		ready <- nil
		_, _ = io.Copy(io.Discard, log) // until the last process of the server is gone
	}
	err = postgres.Wait()
	if !isReady {
		ready <- fmt.Errorf("PostgreSQL ended before it was ready: %w\n%s", err, early)
	}
}

// awaitReady reads the server's log up to the line that says that it accepts
// connections. Without that line it returns all that the log held.
func awaitReady(log io.Reader) (early string, ok bool) {
	var seen strings.Builder
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "ready to accept connections") {
			return "", true
		}
		seen.WriteString(lines.Text() + "\n")
	}
	return seen.String(), false
}

// command prepares a program of PostgreSQL. Its environment is small on
// purpose: PGDATA, PGPORT and a foreign language would change what it does, and
// without TZ initdb searches all time zones for the machine's own.
func (s *Server) command(ctx context.Context, account *account, path string, arguments ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, path, arguments...)
	cmd.Dir = s.folder
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = processAttributes(account)
	return cmd
}
