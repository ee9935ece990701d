package app_test

import (
	"cmp"
	"fmt"
	"math"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
)

// timed is a request, made again and again, of which nobody is to tell by the time of
// the answer what it is about.
type timed struct {
	name string
	ask  func(i int) (*apitest.Response, error)
	took []time.Duration
}

// TestTiming measures whether the time of an answer tells who has an account. It runs
// only where NARTHEX_TIMING says how many samples each case gets, prints what it
// found, and asserts nothing about it: see docs/operating/mail-and-sms.md.
func TestTiming(t *testing.T) {
	samples, err := strconv.Atoi(cmp.Or(os.Getenv("NARTHEX_TIMING"), "0"))
	if err != nil || samples <= 0 {
		t.Skip("to run it: NARTHEX_TIMING=10000 go test -run TestTiming -v -timeout 0 ./internal/app/")
	}
	w := newTown(t, approving, generous, func(cfg *config.Config) {
		cfg.Threepid.HideExistence, cfg.Dev = true, false // passwords cost what they cost
	})
	w.own(t, w.User(t, "alice").UserID, "email", known.mail)
	pending := object{"username": "pending", "password": apitest.Password, "auth": object{"type": "m.login.dummy"}}
	w.Anyone().Do(t, "POST", v3+"/register", pending)

	token := func(path, address string) func(int) (*apitest.Response, error) {
		return func(i int) (*apitest.Response, error) {
			return w.Anyone().Try(t.Context(), "POST", path, mailWish(address, fmt.Sprint("secret", i)))
		}
	}
	login := func(user string) func(int) (*apitest.Response, error) {
		return func(int) (*apitest.Response, error) {
			body := byPassword(user)
			body["password"] = "a wrong password"
			return w.Anyone().Try(t.Context(), "POST", v3+"/login", body)
		}
	}
	for _, c := range []struct {
		name   string
		atOnce int      // what waits on purpose can be asked by many at a time
		cases  []*timed // the first is what the others are compared with
	}{
		{"requestToken for a password", 16, []*timed{{name: "unknown address", ask: token(forPassword, unknown.mail)}, {name: "known address", ask: token(forPassword, known.mail)}}},
		{"requestToken to register", 16, []*timed{{name: "unknown address", ask: token(forRegister, unknown.mail)}, {name: "known address", ask: token(forRegister, known.mail)}}},
		{"login", 1, []*timed{{name: "unknown user", ask: login("nobody")}, {name: "wrong password", ask: login("alice")}, {name: "pending account", ask: login("pending")}}},
	} {
		measure(t, samples, c.atOnce, c.cases)
		fmt.Printf("\n%s\n%s", c.name, table(c.cases))
	}
}

// measure takes the samples of the cases in turn, so that what else the machine does
// is the same to all, and begins with another case each time.
func measure(t *testing.T, samples, atOnce int, cases []*timed) {
	for _, c := range cases {
		c.took = make([]time.Duration, samples)
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for range atOnce {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < samples; i = int(next.Add(1)) - 1 {
				for j := range cases {
					c := cases[(i+j)%len(cases)]
					begun := time.Now()
					r, err := c.ask(i)
					c.took[i] = time.Since(begun)
					if err != nil || r.Status != http.StatusOK && r.Status != http.StatusForbidden {
						t.Errorf("%s: got %v, %v", c.name, r, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
}

// table shows quantiles, and the two-sample statistics of Welch and of Kolmogorov and
// Smirnov against the first case. Without a difference |t| is below 2 and D below the
// number behind it 19 times out of 20.
func table(cases []*timed) string {
	var out strings.Builder
	columns := tabwriter.NewWriter(&out, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(columns, "\tsamples\t10 %\tmedian\t90 %\t99 %\tmean\tWelch t\tK-S D\t5 % level\t")
	first := seconds(cases[0].took)
	for i, c := range cases {
		x := seconds(c.took)
		mean, _ := moments(x)
		fmt.Fprintf(columns, "%s\t%d\t", c.name, len(x))
		for _, q := range []float64{.1, .5, .9, .99} {
			fmt.Fprintf(columns, "%.3f ms\t", 1000*x[int(q*float64(len(x)-1))])
		}
		fmt.Fprintf(columns, "%.3f ms\t", 1000*mean)
		if i > 0 {
			fmt.Fprintf(columns, "%+.2f\t%.4f\t%.4f\t", welch(first, x), smirnov(first, x), 1.358*math.Sqrt(2/float64(len(x))))
		} else {
			fmt.Fprint(columns, "\t\t\t")
		}
		fmt.Fprintln(columns)
	}
	_ = columns.Flush() // to memory
	return out.String()
}

// seconds are times in ascending order.
func seconds(took []time.Duration) []float64 {
	x := make([]float64, len(took))
	for i, d := range took {
		x[i] = d.Seconds()
	}
	slices.Sort(x)
	return x
}

func moments(x []float64) (mean, variance float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		variance += (v - mean) * (v - mean) / float64(max(len(x)-1, 1))
	}
	return mean, variance
}

// welch is the t statistic of Welch's test for equal means.
func welch(a, b []float64) float64 {
	meanA, varA := moments(a)
	meanB, varB := moments(b)
	return (meanB - meanA) / math.Sqrt(varA/float64(len(a))+varB/float64(len(b)))
}

// smirnov is the statistic of the two-sample test of Kolmogorov and Smirnov: the
// largest distance between the two distributions. Both samples are sorted.
func smirnov(a, b []float64) (d float64) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		v := min(a[i], b[j])
		for i < len(a) && a[i] == v {
			i++
		}
		for j < len(b) && b[j] == v {
			j++
		}
		d = max(d, math.Abs(float64(i)/float64(len(a))-float64(j)/float64(len(b))))
	}
	return d
}

// TestTimingStatistics holds the statistics against what can be counted by hand.
func TestTimingStatistics(t *testing.T) {
	a, b := []float64{1, 2, 3, 4}, []float64{3, 4, 5, 6}
	if d := smirnov(a, b); d != 0.5 {
		t.Errorf("D is %g, want 0.5", d)
	}
	if d := smirnov(a, a); d != 0 {
		t.Errorf("D of the same is %g", d)
	}
	if got, want := welch(a, b), 2/math.Sqrt(2*(5./3)/4); math.Abs(got-want) > 1e-9 {
		t.Errorf("t is %g, want %g", got, want)
	}
	if mean, variance := moments(a); mean != 2.5 || math.Abs(variance-5./3) > 1e-9 {
		t.Errorf("got %g and %g", mean, variance)
	}
}
