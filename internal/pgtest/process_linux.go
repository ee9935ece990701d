package pgtest

import (
	"os"
	"syscall"
)

// processAttributes makes a process run as the account and end with this one.
// SIGQUIT is PostgreSQL's immediate shutdown: it takes the children along and
// gives back the shared memory, which SIGKILL would not.
func processAttributes(account *account) *syscall.SysProcAttr {
	attributes := &syscall.SysProcAttr{Pdeathsig: syscall.SIGQUIT, Setpgid: true}
	if account != nil {
		attributes.Credential = &syscall.Credential{Uid: uint32(account.uid), Gid: uint32(account.gid)}
	}
	return attributes
}

// tryLock takes the lock of a file, or fails at once when another process has
// it. The lock goes with the process.
func tryLock(file *os.File) error {
	return syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// memoryFolder is a file system in memory on every Linux.
const memoryFolder = "/dev/shm"

// memoryHasRoom reports whether memoryFolder has 2 GiB to spare: a cluster and
// some 200 small databases. Containers often have 64 MiB.
func memoryHasRoom() bool {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memoryFolder, &fs); err != nil {
		return false
	}
	return fs.Bavail*uint64(fs.Bsize) >= 2<<30
}
