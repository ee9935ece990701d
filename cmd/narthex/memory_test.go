package main

import "testing"

func TestMemoryIsGivenBackAfterWork(t *testing.T) {
	const mib = 1 << 20
	for _, c := range []struct {
		name      string
		allocated []uint64 // at each tick
		want      []bool
	}{
		{"a start", []uint64{20 * mib, 21 * mib, 22 * mib}, []bool{false, false, false}},
		{"a start of little", []uint64{7 * mib, 7 * mib}, []bool{false, false}},
		{"many who came, and then wait", []uint64{40 * mib, 40 * mib, 65 * mib, 75 * mib, 76 * mib}, []bool{false, true, false, false, true}},
		{"some work, then nothing", []uint64{7 * mib, 7 * mib, 7 * mib, 7*mib + 9, 7*mib + 9, 8 * mib}, []bool{false, false, false, true, false, false}},
		{"next to nothing", []uint64{mib, mib, mib, mib, mib}, []bool{false, false, false, false, false}},
		{"work, then quiet", []uint64{50 * mib, 90 * mib, 91 * mib, 92 * mib}, []bool{false, false, true, false}},
		{"work without a pause", []uint64{50 * mib, 100 * mib, 150 * mib}, []bool{false, false, false}},
		{"a little work all the time", []uint64{3 * mib, 30 * mib, 33 * mib, 36 * mib, 39 * mib, 64 * mib, 65 * mib}, []bool{false, false, true, false, false, false, true}},
	} {
		var q calm
		for i, allocated := range c.allocated {
			if got := q.after(allocated); got != c.want[i] {
				t.Errorf("%s: at tick %d, with %d MiB allocated: %t", c.name, i, allocated/mib, got)
			}
		}
	}
}
