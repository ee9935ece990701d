package app_test

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
)

// loadUser is somebody of the world that the load comes from.
type loadUser struct {
	token string
	room  *apitest.Room
	since atomic.Value // string
}

// loader sends requests to a server in another process.
type loader struct {
	base    string
	client  *http.Client
	members []*loadUser
	txn     atomic.Int64
}

// outcome is what became of one request.
type outcome struct {
	at     time.Duration // its intended start, since the beginning
	took   time.Duration // since its intended start
	status int           // 0: the connection failed, or the client gave up
	after  bool          // there was a Retry-After
}

// newLoader makes users and rooms, by a server in this process over the same database.
func newLoader(t *testing.T, srv *apitest.Server, users int) *loader {
	const roomSize, history = 8, 40
	l := &loader{client: &http.Client{
		Timeout:   10 * time.Second,
		Transport: &http.Transport{MaxIdleConns: 0, MaxIdleConnsPerHost: 10_000, IdleConnTimeout: time.Minute},
	}}
	var room *apitest.Room
	for i := range users {
		user := srv.User(t, fmt.Sprint("load", i))
		if i%roomSize == 0 {
			room = user.CreateRoom(t)
			for range history {
				user.Do(t, "PUT", sendPath(room, apitest.TxnID()), object{"msgtype": "m.text", "body": "a message from before"}).OK(t, nil)
			}
		} else {
			room.Join(t, user)
		}
		m := &loadUser{token: user.Token, room: room}
		m.since.Store(user.Sync(t, "").NextBatch)
		l.members = append(l.members, m)
	}
	return l
}

// request makes one request of the mixture: two in five send, one is a sync, and the
// others read and, rarely, search.
func (l *loader) request(m *loadUser) (method, path string, body any) {
	switch p := rand.IntN(100); {
	case p < 40:
		return "PUT", sendPath(m.room, fmt.Sprint("l", l.txn.Add(1))), `{"msgtype":"m.text","body":"one of many messages"}`
	case p < 60:
		return "GET", "/_matrix/client/v3/sync?timeout=0&since=" + url.QueryEscape(m.since.Load().(string)), nil
	case p < 75:
		return "GET", m.room.Path("/messages?dir=b&limit=30"), nil
	case p < 85:
		return "GET", m.room.Path("/members"), nil
	case p < 95:
		return "GET", ownAccount, nil
	}
	return "POST", "/_matrix/client/v3/user_directory/search", `{"search_term":"load1"}`
}

func (l *loader) do(t *testing.T, m *loadUser, method, path string, body any) (status int, header http.Header, answer []byte) {
	var reader io.Reader
	if text, ok := body.(string); ok {
		reader = strings.NewReader(text)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, l.base+path, reader)
	if err != nil {
		return 0, nil, nil
	}
	req.Header.Set("Authorization", "Bearer "+m.token)
	resp, err := l.client.Do(req)
	if err != nil {
		return 0, nil, nil
	}
	defer resp.Body.Close()
	answer, err = io.ReadAll(resp.Body)
	if err != nil {
		return 0, nil, nil
	}
	if _, rest, ok := bytes.Cut(answer, []byte(`"next_batch":"`)); ok && resp.StatusCode == 200 {
		since, _, _ := bytes.Cut(rest, []byte(`"`))
		m.since.Store(string(since))
	}
	return resp.StatusCode, resp.Header, answer
}

// run sends so many requests a second, each at its time whatever became of those
// before, and gives what became of them. The time of an answer counts from the time at
// which its request was to begin.
func (l *loader) run(t *testing.T, perSecond float64, lasting time.Duration) []outcome {
	return l.each(t, perSecond, lasting, func(int) (*loadUser, string, string, any) {
		m := l.members[rand.IntN(len(l.members))]
		method, path, body := l.request(m)
		return m, method, path, body
	})
}

func (l *loader) each(t *testing.T, perSecond float64, lasting time.Duration, next func(i int) (*loadUser, string, string, any)) []outcome {
	all := make([]outcome, int(perSecond*lasting.Seconds()))
	var running sync.WaitGroup
	requests := pace{time.Now(), perSecond}
	for i := range all {
		requests.wait(i)
		running.Go(func() {
			m, method, path, body := next(i)
			status, header, _ := l.do(t, m, method, path, body)
			all[i] = requests.outcome(i, status, header.Get("Retry-After") != "")
		})
	}
	running.Wait()
	return all
}

// pace says when requests are to begin.
type pace struct {
	began     time.Time
	perSecond float64
}

// due is when a request is to begin, since the first.
func (p pace) due(i int) time.Duration {
	return time.Duration(float64(i) / p.perSecond * float64(time.Second))
}

// wait waits until then.
func (p pace) wait(i int) {
	if early := time.Until(p.began.Add(p.due(i))); early > 0 {
		time.Sleep(early)
	}
}

// outcome is that of a request which was answered now.
func (p pace) outcome(i, status int, after bool) outcome {
	return outcome{at: p.due(i), took: time.Since(p.began) - p.due(i), status: status, after: after}
}

// summary is what became of many requests.
type summary struct {
	rate, goodput float64 // requests a second: intended, and answered with 200
	p50, p99      time.Duration
	refused       int // with 429 or 503 and a Retry-After
	refused99     time.Duration
	wrong         int // with any other answer, or none
}

func summarize(all []outcome, lasting time.Duration) (s summary) {
	var good, bad []time.Duration
	for _, o := range all {
		switch {
		case o.status == 200:
			good = append(good, o.took)
		case (o.status == 429 || o.status == 503) && o.after:
			bad = append(bad, o.took)
		default:
			s.wrong++
		}
	}
	s.rate, s.goodput = float64(len(all))/lasting.Seconds(), float64(len(good))/lasting.Seconds()
	s.p50, s.p99 = percentile(good, 50), percentile(good, 99)
	s.refused, s.refused99 = len(bad), percentile(bad, 99)
	return s
}

func percentile(took []time.Duration, p int) time.Duration {
	if len(took) == 0 {
		return 0
	}
	slices.Sort(took)
	return took[min(len(took)-1, len(took)*p/100)]
}

// served reports whether the server kept up: it answered all but one in a hundred, and
// all but one in a hundred of them in a quarter of a second.
func (s summary) served() bool {
	return s.goodput >= 0.99*s.rate && s.p99 <= 250*time.Millisecond
}

// row is the summary as a row of a table.
func (s summary) row(name string) string {
	round := func(d time.Duration) time.Duration { return d.Round(10 * time.Microsecond) }
	return fmt.Sprintf("| %s | %.0f | %.0f | %s | %s | %d | %s | %d |\n", name, s.rate, s.goodput, round(s.p50), round(s.p99), s.refused, round(s.refused99), s.wrong)
}

const rowHead = "| | requests a second | of these answered | p50 | p99 | refused | p99 of these | failed |\n|---|---|---|---|---|---|---|---|\n"

// knee finds the highest rate that the server keeps up with, to one part in twenty,
// and what it is like there. It has to keep up for as long as lasting, too.
func (l *loader) knee(t *testing.T, probe, lasting time.Duration) summary {
	rate, step := 100.0, 1.6
	var highest float64
	for step > 1.05 {
		var s summary
		for range 2 { // the machine may have been busy with something else
			s = summarize(l.run(t, rate*step, probe), probe)
			t.Logf("%.0f/s: %.0f answered, p99 %s", s.rate, s.goodput, s.p99)
			if s.served() {
				break
			}
		}
		if s.served() {
			rate *= step
			highest = rate
			continue
		}
		step = (step + 1) / 2
		if highest == 0 {
			rate /= 2
		}
	}
	for ; ; rate /= 1.03 {
		s := summarize(l.run(t, rate, lasting), lasting)
		if s.served() || rate < 50 {
			return s
		}
		t.Logf("%.0f/s for longer: %.0f answered, p99 %s", s.rate, s.goodput, s.p99)
	}
}
