package httpapi_test

import (
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// slow is a clock on which every look takes so long that what waits for the next one
// waits too long.
type slow struct{ looks atomic.Int64 }

func (c *slow) now() time.Time {
	return time.Unix(0, 0).Add(time.Duration(c.looks.Add(1)) * 250 * time.Millisecond)
}

// TestWhatWaitsBeforeItIsReadCounts has requests that send find a place at once, so that
// no queue says that the machine has too much to do. What says it is the backlog, which
// is measured while others wait.
func TestWhatWaitsBeforeItIsReadCounts(t *testing.T) {
	capacity := httpapi.Capacity{AtOnce: 1, Queue: 10, Timeout: time.Hour, PerRoom: 1, RoomQueue: 1}
	for name, watched := range map[string]bool{"watched": true, "not watched": false} {
		t.Run(name, func(t *testing.T) {
			var clock slow
			d := newDesk(capacity)
			d.Now, d.Admission = clock.now, httpapi.NewAdmission(capacity, clock.now)
			if watched {
				d.Admission.Watch()
			}
			all := []*asked{d.send("GET", "/read?hold=true", nil)}
			for d.Admission.Loads()[2].Running == 0 {
				runtime.Gosched()
			}
			refused := false
			for i := 0; !refused && (watched || i < 500) && t.Context().Err() == nil; i++ {
				if i%100 == 0 { // the measuring goes on while others wait, or are refused
					all = append(all, d.send("GET", "/read", nil))
				}
				a := d.send("GET", "/send", nil)
				<-a.done
				refused = a.answer.Code == http.StatusServiceUnavailable
			}
			if refused != watched {
				t.Errorf("requests that send were refused: %v, want %v", refused, watched)
			}
			close(d.hold)
			for _, a := range all {
				<-a.done
			}
		})
	}
}
