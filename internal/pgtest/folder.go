package pgtest

import (
	"fmt"
	"os"
	"path/filepath"
)

const (
	folderPrefix = "narthex-pgtest-"
	lockName     = "lock"
	// A socket's path has at most 107 bytes; the rest is for the folder's own
	// name and PostgreSQL's ".s.PGSQL.5432.lock".
	longestParent = 60
)

// makeFolder creates the server's folder, gives it to the account and marks it
// as in use.
func (s *Server) makeFolder(account *account) error {
	parent := parentFolder(account)
	removeAbandoned(parent)
	folder, err := os.MkdirTemp(parent, folderPrefix)
	if err != nil {
		return fmt.Errorf("making a folder for PostgreSQL: %w", err)
	}
	s.folder = folder
	if err := s.claimFolder(account); err != nil {
		s.removeFolder()
		return fmt.Errorf("preparing the folder for PostgreSQL: %w", err)
	}
	return nil
}

// claimFolder locks the folder before the lock gets its name, so that another
// process never sees a folder of ours whose lock is free.
func (s *Server) claimFolder(account *account) error {
	lock, err := os.CreateTemp(s.folder, lockName)
	if err != nil {
		return err
	}
	s.lock = lock
	if err := tryLock(lock); err != nil {
		return err
	}
	if err := os.Rename(lock.Name(), filepath.Join(s.folder, lockName)); err != nil {
		return err
	}
	if account == nil {
		return nil
	}
	return os.Chown(s.folder, account.uid, account.gid)
}

func (s *Server) removeFolder() {
	os.RemoveAll(s.folder)
	if s.lock != nil {
		s.lock.Close()
	}
}

// removeAbandoned removes the folders of processes that died without Stop.
// Whatever it may not remove, it leaves: this is housekeeping, not a duty.
func removeAbandoned(parent string) {
	folders, _ := filepath.Glob(filepath.Join(parent, folderPrefix+"*"))
	for _, folder := range folders {
		lock, err := os.Open(filepath.Join(folder, lockName))
		if err != nil {
			continue
		}
		if tryLock(lock) == nil {
			os.RemoveAll(folder)
		}
		lock.Close()
	}
}

// parentFolder is a folder in memory where there is one with room, because
// creating a database writes 300 files; else the temporary folder, unless the
// server could not use it: too long for a socket, or closed to its account.
func parentFolder(account *account) string {
	if memoryHasRoom() {
		return memoryFolder
	}
	parent := os.TempDir()
	if len(parent) > longestParent || (account != nil && !openToAll(parent)) {
		return "/tmp"
	}
	return parent
}

// openToAll reports whether every user may pass through folder.
func openToAll(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil || info.Mode().Perm()&0o001 == 0 {
			return false
		}
		up := filepath.Dir(folder)
		if up == folder {
			return true
		}
		folder = up
	}
}
