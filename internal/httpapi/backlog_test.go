package httpapi_test

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// slow is a clock that stands until the Admission looks at it, as it does when a byte goes
// into the pipe by which it measures and when one comes out: each is under way too long.
type slow struct{ looks atomic.Int64 }

func (c *slow) now() time.Time {
	return time.Unix(0, 0).Add(time.Duration(c.looks.Load()) * 250 * time.Millisecond)
}

func (c *slow) look() time.Time {
	c.looks.Add(1)
	return c.now()
}

// TestWhatWaitsBeforeItIsReadCounts has requests that send find a place at once, so that
// no queue says that the machine has too much to do. What says it is the backlog, which
// is measured while others wait. The second byte has to have them refused; a hundred are
// many for the slowest machine.
func TestWhatWaitsBeforeItIsReadCounts(t *testing.T) {
	const bytes = 100
	capacity := httpapi.Capacity{AtOnce: 1, Queue: 2 * bytes, Timeout: time.Hour, PerRoom: 1, RoomQueue: 1}
	for name, watched := range map[string]bool{"watched": true, "not watched": false} {
		t.Run(name, func(t *testing.T) {
			var clock slow
			d := newDesk(capacity)
			d.Now, d.Admission = clock.now, httpapi.NewAdmission(capacity, clock.look)
			if watched {
				d.Admission.Watch()
			}
			all := []*asked{d.send("GET", "/read?hold=true", nil)}
			for running := 0; running == 0; running, _, _ = d.Admission.Reading() {
				runtime.Gosched()
			}
			refused := false
			for measured := true; measured && !refused && clock.looks.Load() < 2*bytes; {
				_, before, measuring := d.Admission.Reading()
				if !measuring { // it goes on for a while when somebody waits, or is refused
					a := d.send("GET", "/read", nil)
					for waiting := before; waiting == before && a.status() == 0; _, waiting, measuring = d.Admission.Reading() {
						runtime.Gosched()
					}
					all = append(all, a)
				}
				a := d.send("GET", "/send", nil)
				<-a.done
				refused = a.answer.Code == http.StatusServiceUnavailable
				measured = measuring || clock.looks.Load() > 0
			}
			switch looks := clock.looks.Load(); {
			case watched && looks == 0:
				t.Error("somebody waits, and nothing measures for how long")
			case !watched && looks > 0:
				t.Error("something is measured that nobody asked for")
			case refused != watched:
				t.Errorf("when %d bytes had gone through the pipe, requests that send were refused: %t, want %t", looks/2, refused, watched)
			}
			close(d.hold)
			for _, a := range all {
				<-a.done
			}
		})
	}
}
