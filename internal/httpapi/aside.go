package httpapi

import (
	"fmt"
	"runtime/debug"
)

// Aside runs what a request does before and between its waits, and gives its error. The
// stack of a goroutine grows to what was once needed, and hardly shrinks: a long poll,
// which waits for minutes, has a goroutine of its own for what goes deep, so that the
// one that waits stays small. Other requests run it in their own.
func (c *Call) Aside(f func() error) error {
	if !c.polls {
		return f()
	}
	done := make(chan error, 1)
	go func() {
		defer func() {
			if p := recover(); p != nil {
				done <- panicked(p)
			}
		}()
		done <- f()
	}()
	return <-done
}

// panicked is the error of a handler that panicked. It is made where that is recovered.
func panicked(p any) error { return fmt.Errorf("panic: %v\n%s", p, debug.Stack()) }
