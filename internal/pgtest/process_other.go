//go:build !linux

package pgtest

import (
	"errors"
	"os"
	"syscall"
)

// processAttributes changes nothing here: the server runs as the user of this
// process and is ended by Stop alone.
func processAttributes(*account) *syscall.SysProcAttr { return nil }

// tryLock never succeeds for a folder found, so that none is ever removed.
func tryLock(file *os.File) error {
	if info, err := file.Stat(); err == nil && info.Name() != lockName {
		return nil
	}
	return errors.ErrUnsupported
}

const memoryFolder = ""

func memoryHasRoom() bool { return false }
