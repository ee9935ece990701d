package apitest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"testing"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Reader is a client that follows a room as clients do: it keeps the token of the
// last answer of /sync, and fills the gaps that it is told of. What it has read is
// kept together with the token, so that a step that fails has not happened.
type Reader struct {
	*Client
	Room  id.RoomID
	Limit int // of a timeline
	Since string
	Read  []id.EventID // in the order in which it was told of them
}

// Step syncs once, and waits for so many milliseconds if there is nothing.
func (r *Reader) Step(ctx context.Context, timeout int) error {
	query := url.Values{
		"filter":  {fmt.Sprintf(`{"presence":{"types":[]},"room":{"timeline":{"limit":%d}}}`, r.Limit)},
		"timeout": {strconv.Itoa(timeout)}, "set_presence": {"offline"},
	}
	if r.Since != "" {
		query.Set("since", r.Since)
	}
	s, err := get[Sync](ctx, r.Client, "/_matrix/client/v3/sync?"+query.Encode())
	if err != nil {
		return err
	}
	var news []id.EventID
	if joined := s.Rooms.Join[r.Room]; joined != nil {
		if joined.Timeline.Limited {
			if news, err = r.Page(ctx, "b", joined.Timeline.PrevBatch, r.Since, 20); err != nil {
				return err
			}
			slices.Reverse(news)
		}
		for _, ev := range joined.Timeline.Events.Events {
			news = append(news, ev.EventID)
		}
	}
	if Position(s.NextBatch) < Position(r.Since) {
		return fmt.Errorf("the token went back from %s to %s", r.Since, s.NextBatch)
	}
	r.Read, r.Since = append(r.Read, news...), s.NextBatch
	return nil
}

// Page reads the room by /messages in a direction, from one token to another, so many
// events at a time. The tokens may be empty.
func (r *Reader) Page(ctx context.Context, dir, from, to string, limit int) (read []id.EventID, err error) {
	query := url.Values{"dir": {dir}, "limit": {strconv.Itoa(limit)}}
	if to != "" {
		query.Set("to", to)
	}
	for {
		if from != "" {
			query.Set("from", from)
		}
		page, err := get[struct {
			Chunk []Event `json:"chunk"`
			End   string  `json:"end"`
		}](ctx, r.Client, "/_matrix/client/v3/rooms/"+Escape(r.Room)+"/messages?"+query.Encode())
		if err != nil {
			return nil, err
		}
		for _, ev := range page.Chunk {
			read = append(read, ev.EventID)
		}
		if page.End == "" {
			return read, nil
		}
		from = page.End
	}
}

// Whole fails the test unless what was read has each event once, with those that each
// writer was told of in their order, and is what pages of any size show.
func (r *Reader) Whole(t testing.TB, told [][]id.EventID) {
	t.Helper()
	at := map[id.EventID]int{}
	for i, e := range r.Read {
		if before, twice := at[e]; twice {
			t.Errorf("%s was read twice, as number %d and %d", e, before, i)
		}
		at[e] = i
	}
	for n, events := range told {
		last := -1
		for _, e := range events {
			i, ok := at[e]
			if !ok {
				t.Errorf("%s of writer %d is lost", e, n)
			} else if i < last {
				t.Errorf("%s of writer %d comes before what was sent earlier", e, n)
			}
			last = max(last, i)
		}
	}
	for _, limit := range []int{1000, 50, 7} {
		for _, dir := range []string{"f", "b"} {
			paged, err := r.Page(t.Context(), dir, "", "", limit)
			if err != nil {
				t.Fatal(err)
			}
			if dir == "b" {
				slices.Reverse(paged)
			}
			r.Same(t, fmt.Sprintf("pages of %d in direction %s", limit, dir), paged)
		}
	}
}

// Same fails the test unless events are those that were read, in their order.
func (r *Reader) Same(t testing.TB, what string, events []id.EventID) {
	t.Helper()
	for i := range max(len(r.Read), len(events)) {
		if i >= len(r.Read) || i >= len(events) || r.Read[i] != events[i] {
			t.Errorf("%s: %d events, otherwise than the %d that were read from number %d on", what, len(events), len(r.Read), i)
			return
		}
	}
}

// Position is the number in a token; 0 for an empty one.
func Position(token string) int64 {
	n, _ := strconv.ParseInt(token[min(1, len(token)):], 10, 64)
	return n
}

func get[T any](ctx context.Context, c *Client, path string) (v T, err error) {
	r, err := c.Try(ctx, "GET", path, nil)
	if err != nil {
		return v, err
	}
	if r.Status != 200 {
		return v, fmt.Errorf("%s: %d %s", path, r.Status, r.Body)
	}
	return v, json.Unmarshal(r.Body, &v)
}
