package httpapi_test

import (
	"bytes"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// sized is a request with a body of a known length.
func (d *desk) sized(path string, body io.Reader, length int64) *asked {
	r := httptest.NewRequest("PUT", path, body)
	r.ContentLength = length
	a := d.begin(r)
	synctest.Wait()
	return a
}

// TestASmallBodyWaitsOnceAtOnce has requests wait for one place. Whoever gets it has read
// its body before, and gives it to nobody meanwhile.
func TestASmallBodyWaitsOnceAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := small
		c.AtOnce = 1
		d := newDesk(c)
		var all []*asked
		for range 3 {
			text := `{"text":"a"}`
			all = append(all, d.sized("/rooms/!a:a/send?hold=true", strings.NewReader(text), int64(len(text))))
		}
		d.hold <- struct{}{}
		synctest.Wait()
		want(t, "the first", all[:1], 200)
		time.Sleep(c.Timeout)
		synctest.Wait()
		want(t, "the second is worked on", all[1:2], 0)
		refused(t, "the third has waited in the queue all the time", all[2], 503, "M_UNKNOWN")
		close(d.hold)
		synctest.Wait()
		want(t, "the second", all[1:2], 200)
	})
}

// TestABodyArrivesAsItIsAtOnce sends bodies around the length that is received at once,
// some of them slowly, and some not to their end.
func TestABodyArrivesAsItIsAtOnce(t *testing.T) {
	text := func(length int) string {
		return `{"text":"` + strings.Repeat("x", length-len(`{"text":""}`)) + `"}`
	}
	for _, length := range []int{11, 4095, 4096, 4097, 20_000} {
		synctest.Test(t, func(t *testing.T) {
			d := newDesk(small)
			const path = "/rooms/!a:a/send"
			body := text(length)
			want(t, "whole", []*asked{d.sized(path, strings.NewReader(body), int64(length))}, 200)
			want(t, "whole, of unknown length", []*asked{d.sized(path, strings.NewReader(body), -1)}, 200)
			want(t, "without its end", []*asked{d.sized(path, strings.NewReader(body[:length-1]), int64(length))}, 400)
			r, w := io.Pipe()
			slow := d.sized(path, r, int64(length))
			for _, part := range []string{body[:5], body[5:]} {
				want(t, "not yet whole", []*asked{slow}, 0)
				if l := d.Admission.Loads()[0]; l.Running != 0 || l.Waiting != 0 {
					t.Errorf("%d bytes: the load while a client sends: %+v", length, l)
				}
				if _, err := w.Write([]byte(part)); err != nil {
					t.Error(err)
				}
				synctest.Wait()
			}
			_ = w.Close()
			synctest.Wait()
			want(t, "slowly", []*asked{slow}, 200)
			wrong := bytes.Replace([]byte(body), []byte("{"), []byte("["), 1)
			want(t, "not JSON", []*asked{d.sized(path, bytes.NewReader(wrong), int64(length))}, 400)
		})
	}
}
