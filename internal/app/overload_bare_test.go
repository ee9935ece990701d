package app_test

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// keepOff leaves the processor of the server to it until the end of the test: users have
// machines of their own.
func keepOff(t *testing.T) {
	t.Helper()
	first, err := strconv.Atoi(processor(t))
	last := first + runtime.NumCPU() - 1
	if err != nil || first == last {
		t.Fatal("it takes two processors")
	}
	use := func(from int) {
		out, err := exec.Command("taskset", "--all-tasks", "--cpu-list", "--pid", fmt.Sprintf("%d-%d", from, last), fmt.Sprint(os.Getpid())).CombinedOutput()
		if err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		runtime.GOMAXPROCS(last - from + 1)
	}
	use(first + 1)
	t.Cleanup(func() { use(first) })
}

// barrage sends messages of one user as [loader.each] does, at so many a second, with next
// to no work of its own: what the clients, who share a processor, wait for each other is no
// doing of the server's.
func (p *loaded) barrage(t *testing.T, m *loadUser, perSecond float64, lasting time.Duration) []outcome {
	all := make([]outcome, int(perSecond*lasting.Seconds()))
	var conns [8]net.Conn
	var reading sync.WaitGroup
	for c := range conns {
		conn, err := net.Dial("tcp", strings.TrimPrefix(p.base, "http://"))
		if err != nil {
			t.Error(err)
			return nil
		}
		defer conn.Close()
		conns[c] = conn
	}
	requests := pace{time.Now(), perSecond}
	for c, conn := range conns {
		reading.Go(func() {
			answers := bufio.NewReader(conn)
			for i := c; i < len(all); i += len(conns) {
				status, after, err := nextAnswer(answers)
				if err != nil {
					t.Error(err)
					return
				}
				all[i] = requests.outcome(i, status, after)
			}
		})
	}
	const body = `{"body":"again"}`
	for i := range all {
		requests.wait(i)
		_, err := fmt.Fprintf(conns[i%len(conns)], "PUT %s HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s",
			sendPath(m.room, fmt.Sprint("g", p.txn.Add(1))), m.token, len(body), body)
		if err != nil {
			t.Error(err)
			for _, conn := range conns {
				conn.Close() // so that no answers are waited for
			}
			break
		}
	}
	reading.Wait()
	return all
}

// nextAnswer reads an answer, and gives its status and whether it has a Retry-After.
func nextAnswer(r *bufio.Reader) (status int, after bool, err error) {
	line, err := r.ReadSlice('\n')
	if err != nil {
		return 0, false, err
	}
	status, err = strconv.Atoi(string(bytes.Fields(line)[1]))
	if err != nil {
		return 0, false, err
	}
	var length int
	for {
		if line, err = r.ReadSlice('\n'); err != nil {
			return 0, false, err
		}
		name, value, more := bytes.Cut(bytes.TrimSpace(line), []byte(": "))
		if !more {
			_, err = r.Discard(length)
			return status, after, err
		}
		switch string(name) {
		case "Retry-After":
			after = true
		case "Content-Length":
			if length, err = strconv.Atoi(string(value)); err != nil {
				return 0, false, err
			}
		}
	}
}
