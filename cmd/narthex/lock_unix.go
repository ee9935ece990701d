//go:build unix

package main

import (
	"os"
	"syscall"
)

// lock takes a file for this process until it is closed, or tells that another has
// it. A crash frees it.
func lock(f *os.File) bool {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}
