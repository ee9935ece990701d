package pgtest

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// role is the superuser of every server that this package starts.
const role = "narthex"

// patience bounds each wait for the server, so that a broken installation
// ends in an error and not in a test that hangs.
const patience = time.Minute

// A Server is one running PostgreSQL that belongs to this process.
type Server struct {
	folder  string      // holds the data, the socket and the lock
	lock    *os.File    // held as long as the folder is in use
	process *os.Process // the postmaster
	kill    func()      // the rudest end of it
	done    chan struct{}
	created atomic.Int64 // databases made so far; gives them their names
	stop    sync.Once
	stopErr error
}

// Start makes a database cluster in a temporary folder and starts a server on
// it. It returns when the server answers. Run as root, it gives the server to
// the user postgres or nobody, because PostgreSQL refuses to run as root.
//
// The error is [ErrNotInstalled] when the machine has no PostgreSQL server.
func Start() (*Server, error) {
	binaries, err := findBinaries(debianServers)
	if err != nil {
		return nil, err
	}
	account, err := serverAccount()
	if err != nil {
		return nil, err
	}
	s := &Server{}
	if err := s.makeFolder(account); err != nil {
		return nil, err
	}
	if err := s.start(binaries, account); err != nil {
		s.removeFolder()
		return nil, err
	}
	return s, nil
}

// start runs the server until it answers.
func (s *Server) start(binaries string, account *account) (err error) {
	ctx, cancel := context.WithCancel(context.Background())
	s.kill, s.done = cancel, make(chan struct{})
	ready := make(chan error, 1)
	go s.run(ctx, binaries, account, ready)
	select {
	case err = <-ready:
	case <-time.After(patience):
		err = fmt.Errorf("PostgreSQL was not ready after %s", patience)
	}
	if err != nil {
		s.kill()
		<-s.done
	}
	return err
}

// NewDatabase creates a database and returns its URL, which pgx and
// other libpq-like drivers understand. With an empty template the database is empty;
// otherwise it is a copy of template, which is the name or the URL of a
// database that nobody is connected to.
func (s *Server) NewDatabase(template string) (databaseURL string, err error) {
	name := "test_" + strconv.FormatInt(s.created.Add(1), 10)
	source := "template0"
	if template != "" {
		if source, err = databaseName(template); err != nil {
			return "", err
		}
	}
	sql := "CREATE DATABASE " + quote(name) + " TEMPLATE " + quote(source)
	if s.version() >= 15 {
		// Older servers copy files anyway. The newer ones' own choice writes the
		// template to the log page by page, which takes twice as long.
		sql += " STRATEGY FILE_COPY"
	}
	if err := s.admin(sql); err != nil {
		return "", fmt.Errorf("creating a database from %s: %w", source, err)
	}
	return s.url(name), nil
}

// DropDatabase removes a database, named by its URL or its name, and cuts the
// connections to it. It is an error when there is no such database.
func (s *Server) DropDatabase(database string) error {
	name, err := databaseName(database)
	if err != nil {
		return err
	}
	if err := s.admin("DROP DATABASE " + quote(name) + " WITH (FORCE)"); err != nil {
		return fmt.Errorf("dropping the database %s: %w", name, err)
	}
	return nil
}

// Stop ends the server, cutting all connections, and removes its folder. It
// returns when the server process is gone. Later calls do nothing and return
// what the first one returned.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopErr = s.shutDown() })
	return s.stopErr
}

// shutDown asks for a fast shutdown, which is SIGINT in PostgreSQL's terms, and
// kills a server that does not react.
func (s *Server) shutDown() error {
	defer s.removeFolder()
	defer s.kill()
	// An error means that the server has ended already: run closes done.
	_ = s.process.Signal(os.Interrupt)
	select {
	case <-s.done:
		return nil
	case <-time.After(patience):
		return fmt.Errorf("PostgreSQL (process %d) did not stop within %s and was killed", s.process.Pid, patience)
	}
}

// admin runs one statement over a connection of its own: commands that create
// and drop databases are rare, and parallel tests need not wait for each other.
func (s *Server) admin(sql string) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, sql)
	return err
}

// url names a database of this server. The socket's folder is a parameter,
// because a URL's host part cannot hold a path.
func (s *Server) url(database string) string {
	query := url.Values{"host": {s.folder}, "sslmode": {"disable"}}
	u := url.URL{Scheme: "postgres", User: url.User(role), Path: "/" + database, RawQuery: query.Encode()}
	return u.String()
}

// databaseName takes a name, or a URL as [Server.NewDatabase] returns it.
func databaseName(database string) (string, error) {
	if !strings.Contains(database, "://") {
		return database, nil
	}
	u, err := url.Parse(database)
	if err != nil {
		return "", fmt.Errorf("the database URL cannot be read: %w", err)
	}
	return strings.TrimPrefix(u.Path, "/"), nil
}

func quote(name string) string { return pgx.Identifier{name}.Sanitize() }

// version is the server's major version, from the file in which initdb notes it.
func (s *Server) version() int {
	noted, _ := os.ReadFile(filepath.Join(s.dataFolder(), "PG_VERSION"))
	number, _ := strconv.Atoi(strings.TrimSpace(string(noted)))
	return number
}

// dataFolder is where the cluster's files are.
func (s *Server) dataFolder() string { return filepath.Join(s.folder, "data") }

// DropConnections ends every connection to a database, as a restart would.
func (s *Server) DropConnections(database string) error {
	name, err := databaseName(database)
	if err != nil {
		return err
	}
	return s.admin(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '` + name + `'`)
}
