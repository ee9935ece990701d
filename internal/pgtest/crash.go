package pgtest

import (
	"fmt"
	"syscall"
	"time"
)

// Crash ends the server as pg_ctl stop -m immediate does: without a checkpoint, every
// connection cut. What was committed with synchronous_commit on is there when
// [Server.Restart] has brought it back; by itself a server of this package has it off,
// but a database's URL can say "synchronous_commit=on".
func (s *Server) Crash() error {
	_ = s.process.Signal(syscall.SIGQUIT) // an error means that it has ended already
	select {
	case <-s.done:
		s.kill()
		return nil
	case <-time.After(patience):
		return fmt.Errorf("PostgreSQL (process %d) did not end within %s", s.process.Pid, patience)
	}
}

// Restart brings back a server after [Server.Crash]. It returns when the server
// answers.
func (s *Server) Restart() error {
	binaries, err := findBinaries(debianServers)
	if err != nil {
		return err
	}
	account, err := serverAccount()
	if err != nil {
		return err
	}
	return s.start(binaries, account)
}
