package httpapi_test

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestOneRoomTakesNotEveryPlaceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		body := func() io.Reader { return bytes.NewReader([]byte(`{"text":"a"}`)) }
		hot := func() *asked { return d.send("PUT", "/rooms/!hot:a/send?hold=true", body()) }
		var first []*asked
		for range 3 { // one after another: whoever still reads its body keeps no place
			first = append(first, hot())
			synctest.Wait()
		}
		want(t, "one runs and two wait", first, 0)
		fourth := hot()
		synctest.Wait()
		refused(t, "the fourth", fourth, 429, "M_LIMIT_EXCEEDED")
		if !bytes.Contains(fourth.answer.Body.Bytes(), []byte(`"retry_after_ms":`)) {
			t.Errorf("the body is %s", fourth.answer.Body)
		}
		for range 3 {
			other := d.send("PUT", "/rooms/!other:a/send", body())
			synctest.Wait()
			want(t, "another room", []*asked{other}, 200)
		}
		if l := d.Admission.Loads()[0]; l.Running != 1 || l.Waiting != 0 || l.Refused["room"] != 1 {
			t.Errorf("load: %+v", l)
		}
		close(d.hold)
		synctest.Wait()
		want(t, "afterwards", first, 200)
		last := d.send("PUT", "/rooms/!hot:a/send", body())
		synctest.Wait()
		want(t, "the room, afterwards", []*asked{last}, 200)
	})
}

// write sends to a room, and comes back when that is answered or waits.
func (d *desk) write(room, query string) *asked {
	a := d.send("PUT", "/rooms/"+room+"/send"+query, strings.NewReader(`{"text":"a"}`))
	synctest.Wait()
	return a
}

// TestARoomWhoseWaitStaysIsShedAtOnce lets those who write to one room wait too long.
// Who writes to another one notices nothing.
func TestARoomWhoseWaitStaysIsShedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := small
		c.RoomQueue = 100
		d := newDesk(c)
		first, waits := d.write("!hot:a", "?hold=true"), []*asked{}
		for _, after := range []time.Duration{0, 200, 99} { // the wait is too long from the second on
			time.Sleep(after * time.Millisecond)
			waits = append(waits, d.write("!hot:a", ""))
		}
		want(t, "those who wait", waits, 0)
		time.Sleep(time.Millisecond)
		waits = append(waits, d.write("!hot:a", ""))
		want(t, "one for whom there would be a place in another room", waits, 0)
		want(t, "another room", []*asked{d.write("!other:a", "")}, 200)
		held := d.write("!other:a", "?hold=true")
		refused(t, "one whose room has been waiting for too long", d.write("!hot:a", ""), 429, "M_LIMIT_EXCEEDED")
		for _, a := range waits[:2] {
			refused(t, "one who has waited for it", a, 429, "M_LIMIT_EXCEEDED")
		}
		want(t, "those who came later", waits[2:], 0)
		refused(t, "another", d.write("!hot:a", ""), 429, "M_LIMIT_EXCEEDED")
		for _, path := range []string{"/read", "/search", "/login"} {
			if got := d.one(path); got != 200 {
				t.Errorf("%s: %d", path, got)
			}
		}
		if l := d.Admission.Loads()[0]; l.Shedding || l.Refused["room"] != 4 || l.Refused["shed"] != 0 {
			t.Errorf("load: %+v", l)
		}
		close(d.hold)
		synctest.Wait()
		want(t, "those that were not refused", append(waits[2:], first, held), 200)
		want(t, "the room, afterwards", []*asked{d.write("!hot:a", "")}, 200)
	})
}

// TestARoomThatPausesIsStillShedAtOnce has nobody write to a room for a moment, and for
// longer, after those who wrote to it had to wait for too long.
func TestARoomThatPausesIsStillShedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDesk(small)
		busy := func() (first []*asked) {
			return []*asked{d.write("!hot:a", "?hold=true"), d.write("!other:a", "?hold=true")}
		}
		held := busy()
		for range 2 { // the wait is too long with the second, and stays
			d.write("!hot:a", "")
			time.Sleep(200 * time.Millisecond)
		}
		refused(t, "while it is busy", d.write("!hot:a", ""), 429, "M_LIMIT_EXCEEDED")
		d.release(2)
		want(t, "those who were worked on", held, 200)

		time.Sleep(time.Second)
		held = append(busy(), d.write("!hot:a", ""))
		refused(t, "after a moment", d.write("!hot:a", ""), 429, "M_LIMIT_EXCEEDED")
		d.release(2)
		want(t, "the others, after a moment", held, 200)
		for range 3 {
			want(t, "one after the other", []*asked{d.write("!hot:a", "")}, 200)
		}
		if lines, resting := d.Admission.Rooms(); lines != 1 || resting != 1 {
			t.Errorf("%d rooms have a line, %d rest", lines, resting)
		}

		time.Sleep(3 * time.Second)
		held = append(busy(), d.write("!hot:a", ""), d.write("!hot:a", ""))
		d.release(2)
		want(t, "after a while", held, 200)
		if lines, resting := d.Admission.Rooms(); lines != 0 || resting != 0 {
			t.Errorf("after a while %d rooms have a line, %d rest", lines, resting)
		}
	})
}

// TestWaitsForARoomAndForAPlaceCountTogetherAtOnce holds that of those who wait for a place
// while some are refused, one who waited for the room before is refused by both waits.
func TestWaitsForARoomAndForAPlaceCountTogetherAtOnce(t *testing.T) {
	for waits, status := range map[time.Duration]int{50 * time.Millisecond: 503, 5 * time.Millisecond: 0} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(roomy)
			d.write("!a:a", "?hold=true")
			d.write("!b:a", "?hold=true")
			for range 3 { // until some are refused
				d.one("/send")
				time.Sleep(200 * time.Millisecond)
			}
			d.release(2)

			d.write("!hot:a", "?hold=true")
			d.write("!b:a", "?hold=true")
			one := d.write("!hot:a", "")
			time.Sleep(waits)
			d.write("!c:a", "?hold=true")
			d.release(1) // the room; the place is for the other
			time.Sleep(time.Millisecond)
			refused(t, "another", d.write("!d:a", ""), 503, "M_UNKNOWN")
			want(t, "one who waited for the room for "+waits.String(), []*asked{one}, status)
			close(d.hold)
		})
	}
}
