package httpapi_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// desk is a server whose handlers wait, if they are asked to, until they are let go.
type desk struct {
	*httpapi.Server
	hold   chan struct{}
	queued atomic.Int64 // of the last long poll: a time.Duration
}

type holdRequest struct {
	Hold    bool   `query:"hold"`
	Since   string `query:"since"`
	Timeout int    `query:"timeout"`
	Work    bool   `query:"work"` // for long, before it waits for news
}

type roomRequest struct {
	RoomID string `path:"roomId"`
	Hold   bool   `query:"hold"`
	Text   string `json:"text"`
}

func newDesk(c httpapi.Capacity) *desk {
	d := &desk{hold: make(chan struct{})}
	d.Server = &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler), Admission: httpapi.NewAdmission(c, time.Now)}
	handle := func(_ context.Context, call *httpapi.Call, req holdRequest) (nothing, error) {
		if req.Since != "" {
			d.queued.Store(int64(call.Queued))
		}
		if req.Work {
			<-d.hold
		}
		if req.Timeout > 0 { // waits for news
			call.Pause()
			defer call.Resume()
		}
		if req.Hold {
			<-d.hold
		}
		return nothing{}, nil
	}
	const anyone = httpapi.Anyone
	d.Handle([]httpapi.Route{
		httpapi.JSON("GET /send", "send", anyone, httpapi.Sending, handle),
		httpapi.JSON("GET /login", "login", anyone, httpapi.Login, handle),
		httpapi.JSON("GET /read", "read", anyone, httpapi.Cheap, handle),
		httpapi.JSON("GET /sync", "sync", anyone, httpapi.Cheap, handle).Waits(),
		httpapi.JSON("GET /search", "search", anyone, httpapi.Expensive, handle),
		httpapi.JSON("GET /meet", "meet", anyone, httpapi.Expensive, handle).SigningIn(),
		httpapi.JSON("GET /static", "static", anyone, httpapi.Unlimited, handle),
		httpapi.JSON("PUT /rooms/{roomId}/send", "sendMessage", anyone, httpapi.Sending, func(_ context.Context, _ *httpapi.Call, req roomRequest) (nothing, error) {
			if req.Hold {
				<-d.hold
			}
			return nothing{}, nil
		}),
	})
	return d
}

// release lets so many go of those who are held.
func (d *desk) release(n int) {
	for range n {
		d.hold <- struct{}{}
	}
	synctest.Wait()
}

// asked is a request that is under way, or answered.
type asked struct {
	answer *httptest.ResponseRecorder
	done   chan struct{}
	cancel context.CancelFunc
}

// ask makes requests, and comes back when each is answered or waits.
func (d *desk) ask(method, path string, n int) (all []*asked) {
	for range n {
		all = append(all, d.send(method, path, nil))
	}
	synctest.Wait()
	return all
}

func (d *desk) send(method, path string, body io.Reader) *asked {
	return d.begin(httptest.NewRequest(method, path, body))
}

// begin makes a request, and comes back at once.
func (d *desk) begin(r *http.Request) *asked {
	ctx, cancel := context.WithCancel(context.Background())
	a := &asked{httptest.NewRecorder(), make(chan struct{}), cancel}
	go func() {
		defer close(a.done)
		defer cancel()
		d.ServeHTTP(a.answer, r.WithContext(ctx))
	}()
	return a
}

// one makes a request and gives the status of the answer, 0 if there is none yet.
func (d *desk) one(path string) int { return d.ask("GET", path, 1)[0].status() }

func (a *asked) status() int {
	select {
	case <-a.done:
		return a.answer.Code
	default:
		return 0
	}
}

// want compares the statuses of requests.
func want(t *testing.T, what string, all []*asked, status int) {
	t.Helper()
	for i, a := range all {
		if got := a.status(); got != status {
			t.Errorf("%s: request %d has status %d, want %d: %s", what, i, got, status, a.answer.Body)
		}
	}
}

// refused checks that a request was refused, with a time to come back.
func refused(t *testing.T, what string, a *asked, status int, errcode string) {
	t.Helper()
	want(t, what, []*asked{a}, status)
	after, _ := strconv.Atoi(a.answer.Header().Get("Retry-After"))
	if after < 1 || after > 5 {
		t.Errorf("%s: Retry-After is %q", what, a.answer.Header().Get("Retry-After"))
	}
	var body struct {
		Errcode string `json:"errcode"`
		Error   string `json:"error"`
	}
	if err := json.Unmarshal(a.answer.Body.Bytes(), &body); err != nil || body.Errcode != errcode || body.Error == "" {
		t.Errorf("%s: the body is %s", what, a.answer.Body)
	}
}

var small = httpapi.Capacity{AtOnce: 2, Queue: 3, Timeout: 10 * time.Second, PerRoom: 1, RoomQueue: 2}

// roomy is the same with a longer queue.
var roomy = httpapi.Capacity{AtOnce: 2, Queue: 100, Timeout: 10 * time.Second, PerRoom: 1, RoomQueue: 2}

func TestAFullQueueRefusesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		began := time.Now()
		first := d.ask("GET", "/send?hold=true", 5)
		want(t, "two run and three wait", first, 0)
		later := map[string]bool{}
		for range 5 {
			a := d.ask("GET", "/send", 1)[0]
			refused(t, "the sixth", a, 503, "M_UNKNOWN")
			later[a.answer.Header().Get("Retry-After")] = true
		}
		if len(later) < 4 {
			t.Errorf("all are to come back at the same time: %v", later)
		}
		for _, path := range []string{"/login", "/read", "/sync", "/sync?since=1&timeout=1", "/search", "/static"} {
			if got := d.one(path); got != 200 {
				t.Errorf("%s, meanwhile: %d", path, got)
			}
		}
		if took := time.Since(began); took != 0 {
			t.Errorf("this took %s", took)
		}
		loads := d.Admission.Loads()
		if l := loads[0]; l.Kind != "sending" || l.Running != 2 || l.Waiting != 3 || l.Refused["full"] != 5 {
			t.Errorf("load: %+v", l)
		}
		close(d.hold)
		synctest.Wait()
		want(t, "afterwards", first, 200)
		if l := d.Admission.Loads()[0]; l.Running != 0 || l.Waiting != 0 {
			t.Errorf("load afterwards: %+v", l)
		}
	})
}

func TestNobodyWaitsForEverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		first := d.ask("GET", "/read?hold=true", 2)
		waits, goes := d.ask("GET", "/read", 1)[0], d.ask("GET", "/read", 1)[0]
		time.Sleep(small.Timeout - time.Millisecond)
		goes.cancel()
		synctest.Wait()
		if l := d.Admission.Loads()[2]; l.Waiting != 1 {
			t.Errorf("the load when one has gone: %+v", l)
		}
		want(t, "just before the time is up", []*asked{waits}, 0)
		time.Sleep(time.Millisecond)
		synctest.Wait()
		refused(t, "when the time is up", waits, 503, "M_UNKNOWN")
		close(d.hold)
		synctest.Wait()
		want(t, "those that were worked on", first, 200)
	})
}

// TestWhatMattersLeastIsShedFirstAtOnce lets sends wait too long, and looks at who is
// refused, in which order, and until when.
func TestWhatMattersLeastIsShedFirstAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(roomy)
		held := append(d.ask("GET", "/send?hold=true", 2), d.ask("GET", "/read?hold=true", 2)...)
		wait := append(d.ask("GET", "/send", 1), d.ask("GET", "/read", 1)...)
		step := func(after time.Duration, search, read, send int) {
			t.Helper()
			time.Sleep(after)
			for _, c := range []struct {
				path string
				want int
			}{{"/send", send}, {"/read", read}, {"/search", search}, {"/login", 200}, {"/meet", 200}, {"/static", 200}, {"/sync?since=1&timeout=1", 200}} {
				if got := d.one(c.path); got != c.want {
					t.Errorf("%s after another %s: %d, want %d", c.path, after, got, c.want)
				}
			}
		}
		step(0, 200, 0, 0)
		step(99*time.Millisecond, 200, 0, 0)
		step(time.Millisecond, 200, 0, 0) // the wait is too long, from now on
		step(49*time.Millisecond, 200, 0, 0)
		step(time.Millisecond, 503, 0, 0)
		step(50*time.Millisecond, 503, 503, 0)
		step(50*time.Millisecond, 503, 503, 503)
		if l := d.Admission.Loads(); !l[0].Shedding || l[4].Refused["shed"] != 3 || l[2].Refused["shed"] != 2+6 || l[0].Refused["shed"] != 1+4 {
			t.Errorf("load: %+v", l) // with each, up to four of those who have waited too long
		}
		for _, a := range wait {
			refused(t, "one that has waited too long", a, 503, "M_UNKNOWN")
		}
		release := func() {
			d.release(len(held))
			want(t, "those that were worked on", held, 200)
		}
		release()
		step(0, 503, 200, 200) // nobody waits, but is it over?
		step(1400*time.Millisecond, 503, 200, 200)
		held = d.ask("GET", "/send?hold=true", 3) // the third waits; the first two times of half a second were calm
		time.Sleep(15 * time.Millisecond)
		release()
		step(499*time.Millisecond, 503, 200, 200)
		step(time.Millisecond, 200, 200, 200)
	})
}

// TestAQueueIsShorterWhileSomeAreShedAtOnce has senders wait for 0.09 s each. Nobody is
// refused for that, unless a longer wait came before.
func TestAQueueIsShorterWhileSomeAreShedAtOnce(t *testing.T) {
	for before, status := range map[time.Duration]int{90 * time.Millisecond: 0, 150 * time.Millisecond: 503} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(roomy)
			sends := func() int { return d.one("/send?hold=true") }
			d.ask("GET", "/send?hold=true", 3)
			time.Sleep(before * 2 / 3)
			sends()
			time.Sleep(before / 3)
			sends()
			d.release(2)
			time.Sleep(45 * time.Millisecond)
			got := sends()
			for range 8 {
				if got != 0 {
					break
				}
				time.Sleep(45 * time.Millisecond)
				got = sends()
				d.release(1)
			}
			if got != status {
				t.Errorf("after a wait of %s: %d, want %d", before, got, status)
			}
			if l := d.Admission.Loads()[0]; status == 0 && l.Shedding {
				t.Errorf("load: %+v", l)
			}
			close(d.hold)
		})
	}
}

// TestSearchesThatWaitStopNobodyElseAtOnce lets searches wait.
func TestSearchesThatWaitStopNobodyElseAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		d.ask("GET", "/search?hold=true", 2)
		for range 6 {
			time.Sleep(50 * time.Millisecond)
			d.ask("GET", "/search?hold=true", 1)
		}
		refused(t, "another search", d.ask("GET", "/search", 1)[0], 503, "M_UNKNOWN")
		for _, path := range []string{"/send", "/login", "/meet", "/read", "/sync?since=1&timeout=1"} {
			if got := d.one(path); got != 200 {
				t.Errorf("%s: %d", path, got)
			}
		}
		close(d.hold)
	})
}

// TestALongPollThatWaitsKeepsNoPlaceAtOnce has more of them than places.
func TestALongPollThatWaitsKeepsNoPlaceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		polls := d.ask("GET", "/sync?since=1&timeout=30000&hold=true", 50)
		want(t, "long polls", polls, 0)
		if l := d.Admission.Loads()[3]; l.Kind != "polling" || l.Running != 0 || l.Waiting != 0 {
			t.Errorf("load: %+v", l)
		}
		busy := d.ask("GET", "/sync?since=1&timeout=0&hold=true", 2) // as reading
		if got := d.one("/sync?since=1&timeout=1"); got != 200 {
			t.Errorf("one more: %d", got)
		}
		close(d.hold)
		synctest.Wait()
		want(t, "those that waited for news", append(polls, busy...), 200)
	})
}

// TestALongPollIsNotRefusedAtOnce lets long polls wait for their turn, longer than
// others may, and tells them how long that was.
func TestALongPollIsNotRefusedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		const path = "/sync?since=1&timeout=60000&work=true"
		first := d.ask("GET", path, 2)
		late := d.ask("GET", path, 1)[0]
		time.Sleep(time.Second)
		third := d.ask("GET", path, 1)[0]
		time.Sleep(28 * time.Second)
		want(t, "all", append(first, late, third), 0)
		time.Sleep(time.Second)
		synctest.Wait()
		refused(t, "one that waited for half a minute", late, 503, "M_UNKNOWN")
		close(d.hold)
		synctest.Wait()
		want(t, "the others", append(first, third), 200)
		if got := time.Duration(d.queued.Load()); got != 29*time.Second {
			t.Errorf("it is said to have waited %s", got)
		}
	})
}

// TestAClientThatSendsSlowlyKeepsNoPlaceAtOnce begins more requests than there are
// places, and sends their bodies later.
func TestAClientThatSendsSlowlyKeepsNoPlaceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		var slow []*asked
		var bodies []*io.PipeWriter
		for range 10 {
			r, w := io.Pipe()
			slow, bodies = append(slow, d.send("PUT", "/rooms/!a:a/send", r)), append(bodies, w)
			synctest.Wait() // until it waits for its body
		}
		want(t, "without a body", slow, 0)
		for _, path := range []string{"/send", "/send", "/send"} {
			if got := d.one(path); got != 200 {
				t.Errorf("%s, meanwhile: %d", path, got)
			}
		}
		for _, w := range bodies {
			go func() {
				_, _ = io.WriteString(w, `{"text":"a"}`) // the server reads it
				w.Close()
			}()
		}
		synctest.Wait()
		want(t, "with their bodies", slow, 200)
		if l := d.Admission.Loads()[0]; l.Running != 0 || l.Waiting != 0 {
			t.Errorf("load: %+v", l)
		}
	})
}
