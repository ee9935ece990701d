package app_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// overloadVariable says how long the overload of the long test lasts.
const overloadVariable = "NARTHEX_TEST_OVERLOAD"

var listening = regexp.MustCompile(`listens on (http://[0-9.:]+)`)

// loaded is a server in a process of its own.
type loaded struct {
	*loader
	pid     int
	largest atomic.Int64 // resident memory, in KiB
}

// build makes the program, unless NARTHEX_TEST_PROGRAM names one.
func build(t *testing.T) string {
	t.Helper()
	if program := os.Getenv("NARTHEX_TEST_PROGRAM"); program != "" {
		return program
	}
	program := filepath.Join(t.TempDir(), "narthex")
	if out, err := exec.Command("go", "build", "-o", program, "github.com/narthex-matrix/narthex/cmd/narthex").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return program
}

// serve starts the program over the database of srv, and ends it with the test. As on a
// small machine, it has one processor, so that this process has the other.
func (l *loader) serve(t *testing.T, program string, srv *apitest.Server, environment ...string) *loaded {
	t.Helper()
	cmd := exec.Command("taskset", "--cpu-list", processor(t), program, "serve", "--listen", "127.0.0.1:0", "--data", t.TempDir())
	cmd.Env = append(os.Environ(), "NARTHEX_DATABASE="+srv.App.Config.Database, "NARTHEX_SERVER_NAME="+string(apitest.ServerName))
	cmd.Env = append(cmd.Env, environment...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // by the kill
	})
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if m := listening.FindStringSubmatch(lines.Text()); m != nil {
			p := &loaded{loader: &loader{base: m[1], client: l.client, members: l.members}, pid: cmd.Process.Pid}
			p.txn.Store(time.Now().UnixNano())
			return p
		}
	}
	t.Fatal("the server did not start")
	return nil
}

// processor is the first processor that this process may use.
func processor(t *testing.T) string {
	t.Helper()
	first := firstNumber("/proc/self/status", "Cpus_allowed_list:")
	if first == "" {
		t.Fatal("it is not known which processors there are")
	}
	return first
}

// firstNumber is the first number after a word in a file, or empty.
func firstNumber(file, word string) string {
	raw, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	_, rest, _ := strings.Cut(string(raw), word)
	return regexp.MustCompile(`\d+`).FindString(rest)
}

// watch takes down how much memory the server has, until the returned function is called.
func (p *loaded) watch() (stop func()) {
	done := make(chan struct{})
	go func() {
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			p.largest.Store(max(p.largest.Load(), p.memory()))
			select {
			case <-tick.C:
			case <-done:
				return
			}
		}
	}()
	return func() { close(done) }
}

// memory is the resident memory of the server, in KiB.
func (p *loaded) memory() int64 {
	n, _ := strconv.ParseInt(firstNumber(fmt.Sprintf("/proc/%d/status", p.pid), "VmRSS:"), 10, 64) // 0 when it has ended
	return n
}

func longOverload(t *testing.T) time.Duration {
	lasting, err := time.ParseDuration(os.Getenv(overloadVariable))
	if err != nil {
		t.Skip("to run it: " + overloadVariable + "=60s go test -run TestLongOverload -v -timeout 0 ./internal/app/")
	}
	return lasting
}

// TestLongOverload sends twice as many requests as the server keeps up with, and judges
// how it stands that: see docs/performance/overload.md. With the concurrency set to 0
// in the environment, which switches admission off, it has to fail.
func TestLongOverload(t *testing.T) {
	lasting := longOverload(t)
	srv := apitest.New(t)
	l := newLoader(t, srv, 64)
	p := l.serve(t, build(t), srv, "NARTHEX_RATE_LIMITS_ENABLED=false")
	p.run(t, 100, 3*time.Second) // warms up
	knee := p.knee(t, 6*time.Second, 20*time.Second)
	before := p.memory()
	stop := p.watch()
	over := summarize(p.run(t, 2*knee.rate, lasting), lasting)
	after := p.run(t, knee.rate/2, 20*time.Second)
	stop()
	normal := recovered(after)
	rest := summarize(after, 20*time.Second)
	fmt.Printf("\n%s\n%s%s%s%s\nMemory: %d MiB at the knee, at most %d MiB afterwards. Normal again after %s.\n\n", srv.App.DB.Dialect(), rowHead,
		knee.row("at the knee"), over.row("twice the knee"), rest.row("half the knee, right after"), before>>10, p.largest.Load()>>10, normal)

	if over.goodput < 0.9*knee.goodput {
		t.Errorf("goodput under overload is %.0f %% of that at the knee", 100*over.goodput/knee.goodput)
	}
	if over.p99 > 2*knee.p99 {
		t.Errorf("p99 under overload is %.1f times that at the knee", float64(over.p99)/float64(knee.p99))
	}
	if over.wrong > 0 {
		t.Errorf("%d requests failed otherwise than by 429 or 503 with Retry-After", over.wrong)
	}
	if over.refused99 > 2*knee.p99 {
		t.Errorf("p99 of the refusals is %s", over.refused99)
	}
	if p.largest.Load() > before+256<<10 {
		t.Errorf("memory grew from %d to %d MiB", before>>10, p.largest.Load()>>10)
	}
	if normal > 10*time.Second {
		t.Errorf("normal again after %s", normal)
	}
}

// recovered is the time from which on every request was answered, within a quarter of
// a second.
func recovered(all []outcome) (from time.Duration) {
	for _, o := range all {
		if o.status != 200 || o.took > 250*time.Millisecond {
			from = max(from, o.at)
		}
	}
	return from.Round(100 * time.Millisecond)
}

// TestLongOverloadByOneUserAtOnce compares how long everybody waits while nobody asks too
// much with how long while one user sends fifty times as often as is allowed. Both last
// four times as long as an overload, in turns of half of that: now one first, now the
// other, so that what the machine does from minute to minute comes to both.
func TestLongOverloadByOneUserAtOnce(t *testing.T) {
	lasting := longOverload(t) / 2
	const allowed, times, rate, turns = 10, 50, 150, 16 // rate_limits.sending.per_second is 10
	srv := apitest.New(t)
	l := newLoader(t, srv, 64)
	greedy := l.members[len(l.members)-1]
	l.members = l.members[:len(l.members)-1]
	p := l.serve(t, build(t), srv, "NARTHEX_RATE_LIMITS_EXPENSIVE_PER_SECOND=100")
	keepOff(t)
	p.run(t, rate, 3*time.Second)
	var alone, beside, his []outcome
	for turn := range turns {
		if turn%4 == 0 || turn%4 == 3 {
			alone = append(alone, p.run(t, rate, lasting)...)
			continue
		}
		done := make(chan []outcome)
		go func() { done <- p.barrage(t, greedy, allowed*times, lasting) }()
		beside = append(beside, p.run(t, rate, lasting)...)
		one := <-done
		if n, most := summarize(one, lasting).goodput*lasting.Seconds(), allowed*lasting.Seconds()+50; n > most+1 {
			t.Errorf("the one was answered %.0f times, allowed are %.0f", n, most)
		}
		his = append(his, one...)
	}
	half := turns / 2 * lasting
	a, b, h := summarize(alone, half), summarize(beside, half), summarize(his, half)
	ratio := float64(b.p99) / float64(a.p99)
	fmt.Printf("\n%s\n%s%s%s%s\nThe p99 of the others is %.3f times as long beside the one.\n\n", srv.App.DB.Dialect(), rowHead,
		a.row("others alone"), b.row("others beside the one"), h.row("the one"), ratio)
	if refused := a.refused + b.refused; refused > 0 {
		t.Errorf("%d requests of others were refused", refused)
	}
	if wrong := a.wrong + b.wrong + h.wrong; wrong > 0 {
		t.Errorf("%d requests failed otherwise than by 429 or 503 with Retry-After", wrong)
	}
	if ratio > 1.1 {
		t.Errorf("the p99 of others is %.2f times as long", ratio)
	}
}
