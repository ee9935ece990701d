//go:build faults

package db

import (
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// faultVariable holds the point at which this process ends itself, and at which
// passing of it: "committed:12". With the name of a file behind that, the passings
// count from when the file is there: "committed:12:/tmp/begin". With "earlyack:1" the process answers before it
// commits instead: the fault that a test of durability must find.
const faultVariable = "NARTHEX_TEST_FAULT"

var (
	faultPoint, faultPassing, faultBegin = faultPlan()

	faultPassed atomic.Int64
	earlyAck    = faultPoint == "earlyack"
)

func faultPlan() (point string, passing int64, begin string) {
	point, rest, _ := strings.Cut(os.Getenv(faultVariable), ":")
	number, begin, _ := strings.Cut(rest, ":")
	passing, _ = strconv.ParseInt(number, 10, 64) // what is no number is never reached
	return point, passing, begin
}

// faultBegun reports whether passings count.
func faultBegun() bool {
	if faultBegin == "" {
		return true
	}
	_, err := os.Stat(faultBegin)
	return err == nil
}

// fault ends the process as kill -9 would, if this is the passing it is to end at.
func fault(point string) {
	if point != faultPoint || !faultBegun() || faultPassed.Add(1) != faultPassing {
		return
	}
	if self, err := os.FindProcess(os.Getpid()); err == nil {
		_ = self.Kill() // nobody is left to be told
	}
	select {} // this goroutine does nothing more until then
}

// hesitate leaves time for a kill between an early answer and its commit.
func hesitate() {
	timer := time.NewTimer(5 * time.Millisecond)
	defer timer.Stop()
	<-timer.C
}
