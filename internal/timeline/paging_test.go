package timeline_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

// TestEveryMessageIsOnOnePageAtOnce reads a room in pages of random sizes while others
// send into it: from one token, every message that was sent before is met exactly
// once, in one order, and in the reverse order from the other end.
func TestEveryMessageIsOnOnePageAtOnce(t *testing.T) {
	srv := apitest.New(t)
	senders := []*apitest.Client{srv.User(t, "alice"), srv.User(t, "bob"), srv.User(t, "carol")}
	reader := srv.User(t, "dave")
	room := senders[0].CreateRoom(t).Join(t, senders[1], senders[2], reader)
	sendAll(t, room, senders, 10)
	start := messages(t, reader, room, "dir=b&limit=1").Start
	reference := ids(pages(t, reader, room, "dir=b", start, func() int { return 1000 }))

	var sending sync.WaitGroup
	sending.Go(func() { sendAll(t, room, senders, 10) })
	rapid.Check(t, func(r *rapid.T) {
		size := func() int { return rapid.IntRange(1, 25).Draw(r, "limit") }
		if got := ids(pages(t, reader, room, "dir=b", start, size)); !slices.Equal(got, reference) {
			r.Fatalf("backwards: got %v, want %v", got, reference)
		}
		forwards := ids(pages(t, reader, room, "dir=f&to="+start, "", size))
		slices.Reverse(forwards)
		if !slices.Equal(forwards, reference) {
			r.Fatalf("forwards: got %v, want the reverse of %v", forwards, reference)
		}
	})
	sending.Wait()

	everything := ids(pages(t, reader, room, "dir=f", "", func() int { return 7 }))
	slices.Reverse(everything)
	if got := len(everything) - len(reference); got != 30 {
		t.Errorf("%d events came later, want the 30 messages", got)
	}
	if !slices.Equal(everything[30:], reference) {
		t.Error("what came later changed the order of what was there")
	}
}

// sendAll sends n messages from each sender, all at once.
func sendAll(t testing.TB, room *apitest.Room, senders []*apitest.Client, n int) {
	var wait sync.WaitGroup
	for _, c := range senders {
		wait.Go(func() {
			for i := range n {
				path := room.Path("/send/m.room.message/" + apitest.TxnID())
				r, err := c.Try(t.Context(), "PUT", path, map[string]any{"msgtype": "m.text", "body": fmt.Sprint(i)})
				if err != nil || r.Status != 200 {
					t.Errorf("sending: %v %v", r, err)
				}
			}
		})
	}
	wait.Wait()
}

// pages reads every page from a token.
func pages(t testing.TB, as *apitest.Client, room *apitest.Room, query, from string, size func() int) (out []clientEvent) {
	t.Helper()
	for range 1000 {
		path := fmt.Sprintf("%s&limit=%d", query, size())
		if from != "" {
			path += "&from=" + from
		}
		p := messages(t, as, room, path)
		if out = append(out, p.Chunk...); p.End == "" {
			return out
		}
		from = p.End
	}
	t.Fatal("the pages do not end")
	return nil
}

func ids(events []clientEvent) (out []id.EventID) {
	for _, e := range events {
		out = append(out, e.ID)
	}
	return out
}
