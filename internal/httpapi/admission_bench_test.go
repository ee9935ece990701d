package httpapi

import (
	"testing"
	"time"
)

// BenchmarkAdmission is what admission costs a request that need not wait: its place,
// and the pause in which its body is read.
func BenchmarkAdmission(b *testing.B) {
	now := time.Now()
	a := NewAdmission(Capacity{AtOnce: 16, Queue: 1000, Timeout: time.Second, PerRoom: 8, RoomQueue: 64}, func() time.Time { return now })
	b.ReportAllocs()
	for b.Loop() {
		p, err := a.enter(b.Context(), sending, "!room:example.org", now)
		if err != nil {
			b.Fatal(err)
		}
		call := &Call{place: p}
		call.Pause()
		call.Resume()
		call.place.leave()
	}
}

// TestAdmissionTakesNoMemory holds that a request that need not wait allocates
// nothing.
func TestAdmissionTakesNoMemory(t *testing.T) {
	now := time.Now()
	a := NewAdmission(Capacity{AtOnce: 16, Queue: 1000, Timeout: time.Second, PerRoom: 8, RoomQueue: 64}, func() time.Time { return now })
	var call Call
	got := testing.AllocsPerRun(1000, func() {
		call.place, _ = a.enter(t.Context(), sending, "!room:example.org", now) // there is room
		call.Pause()
		call.Resume()
		call.place.leave()
	})
	if got != 0 {
		t.Errorf("%v allocations", got)
	}
}
