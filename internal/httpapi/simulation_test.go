package httpapi_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// machine is a computer with one processor, on which everything takes as long as is
// said here, by a clock that stands still meanwhile. So what admission is worth is a
// matter of arithmetic, whatever else this computer does.
type machine struct{ processor chan struct{} }

const turn = 100 * time.Microsecond // of those who share the processor

// work takes so much of the processor.
func (m machine) work(much time.Duration) {
	for ; much > 0; much -= turn {
		m.processor <- struct{}{}
		time.Sleep(min(turn, much))
		<-m.processor
	}
}

// overhead is what a request costs that is refused: reading and answering it.
const overhead = 60 * time.Microsecond

// costs are those of the requests of a mixture, beside the overhead, with how many of
// twenty each is.
var costs = []struct {
	path  string
	share int
	cost  time.Duration
}{
	{"/send", 8, time.Millisecond},
	{"/read", 11, 400 * time.Microsecond},
	{"/search", 1, 3 * time.Millisecond},
}

// simulated is what became of the requests of one path, or of all.
type simulated struct {
	asked, answered int
	took            []time.Duration // of those answered
	refused         []time.Duration
}

func p99(took []time.Duration) time.Duration {
	slices.Sort(took)
	if len(took) == 0 {
		return 0
	}
	return took[len(took)*99/100]
}

// simulate asks at a constant rate for so many seconds, each request at its time, and
// tells of those that began after a while.
func simulate(t *testing.T, a func() *httpapi.Admission, perSecond, lasting int, after time.Duration) (all simulated, by map[string]*simulated) {
	by = map[string]*simulated{}
	synctest.Test(t, func(t *testing.T) {
		m := machine{make(chan struct{}, 1)}
		s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler), Admission: a()}
		var routes []httpapi.Route
		var mixture []string
		for i, c := range costs {
			class := []httpapi.Class{httpapi.Sending, httpapi.Cheap, httpapi.Expensive}[i]
			routes = append(routes, httpapi.JSON("GET "+c.path, c.path[1:], httpapi.Anyone, class, func(context.Context, *httpapi.Call, nothing) (nothing, error) {
				m.work(c.cost)
				return nothing{}, nil
			}))
			for range c.share {
				mixture = append(mixture, c.path)
			}
			by[c.path] = &simulated{}
		}
		s.Handle(routes)
		var mu sync.Mutex
		var running sync.WaitGroup
		first := time.Now().Add(after)
		for i := range perSecond * lasting {
			began := time.Now()
			path := mixture[i*7%len(mixture)] // 7 and 20 have no common factor: every one comes up
			running.Go(func() {
				m.work(overhead)
				w := httptest.NewRecorder()
				s.ServeHTTP(w, httptest.NewRequest("GET", path, nil))
				if began.Before(first) {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, sum := range []*simulated{&all, by[path]} {
					sum.asked++
					if w.Code == 200 {
						sum.answered++
						sum.took = append(sum.took, time.Since(began))
					} else {
						sum.refused = append(sum.refused, time.Since(began))
					}
				}
			})
			time.Sleep(time.Second / time.Duration(perSecond))
		}
		running.Wait()
	})
	return all, by
}

// TestSimulatedOverloadAtOnce asks for twice as much as the machine can do. It answers
// as many as it can, soon, and refuses the others sooner. Without admission it answers
// all, too late.
func TestSimulatedOverloadAtOnce(t *testing.T) {
	const lasting, begun = 5, 2 * time.Second // by then it has found out
	most := 0.0
	for _, c := range costs {
		most += float64(c.share) / 20 * (c.cost + overhead).Seconds()
	}
	most = 1 / most                                                                                             // requests a second
	capacity := httpapi.Capacity{AtOnce: 16, Queue: 1000, Timeout: 10 * time.Second, PerRoom: 8, RoomQueue: 64} // the defaults
	good, by := simulate(t, func() *httpapi.Admission { return httpapi.NewAdmission(capacity, time.Now) }, int(2*most), lasting, begun)
	bad, _ := simulate(t, func() *httpapi.Admission { return nil }, int(2*most), lasting, begun)
	report := func(name string, s *simulated) {
		t.Logf("%s: %d of %d answered, p99 %s; refused p99 %s", name, s.answered, s.asked, p99(s.took), p99(s.refused))
	}
	report("with admission", &good)
	for path, s := range by {
		report(path, s)
	}
	report("without", &bad)
	if perSecond := float64(good.answered) / (lasting - begun.Seconds()); perSecond < 0.9*most {
		t.Errorf("%.0f requests a second were answered, and there is time for %.0f", perSecond, most)
	}
	if p99(good.took) > 150*time.Millisecond || p99(good.refused) > 50*time.Millisecond {
		t.Errorf("the answers took %s, the refusals %s", p99(good.took), p99(good.refused))
	}
	if by["/search"].answered > 0 || by["/send"].answered == 0 || by["/read"].answered == 0 {
		t.Error("it was not the searches alone that were shed altogether")
	}
	if p99(bad.took) < time.Second {
		t.Errorf("without admission, the answers took %s: this shows nothing", p99(bad.took))
	}
}
