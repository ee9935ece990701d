package syncer_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/id"
)

// reader is a client that keeps its token, and fills the gaps that it is told of.
type reader struct {
	*apitest.Client
	room   *apitest.Room
	filter string
	since  string
	got    []id.EventID
}

func get[T any](ctx context.Context, c *apitest.Client, path string) (v T, err error) {
	resp, err := c.Try(ctx, "GET", path, nil)
	if err != nil {
		return v, err
	}
	if resp.Status != 200 {
		return v, fmt.Errorf("%s: %d %s", path, resp.Status, resp.Body)
	}
	return v, json.Unmarshal(resp.Body, &v)
}

// step syncs once.
func (r *reader) step(ctx context.Context, timeout int) error {
	path := syncPath + "?" + filtered(r.filter) + "&timeout=" + strconv.Itoa(timeout)
	if r.since != "" {
		path += "&since=" + r.since
	}
	s, err := get[apitest.Sync](ctx, r.Client, path)
	if err != nil {
		return err
	}
	if joined := s.Rooms.Join[r.room.ID]; joined != nil {
		if joined.Timeline.Limited {
			gap, err := r.gap(ctx, joined.Timeline.PrevBatch)
			if err != nil {
				return err
			}
			r.got = append(r.got, gap...)
		}
		for _, ev := range joined.Timeline.Events.Events {
			r.got = append(r.got, ev.EventID)
		}
	}
	if before, after := position(r.since), position(s.NextBatch); after < before {
		return fmt.Errorf("the token went back from %s to %s", r.since, s.NextBatch)
	}
	r.since = s.NextBatch
	return nil
}

func position(token string) int {
	n, _ := strconv.Atoi(token[min(1, len(token)):])
	return n
}

// gap reads what is between the reader's token and a prev_batch.
func (r *reader) gap(ctx context.Context, from string) (missed []id.EventID, err error) {
	for {
		query := url.Values{"dir": {"b"}, "from": {from}, "limit": {"3"}}
		if r.since != "" {
			query.Set("to", r.since)
		}
		page, err := get[struct {
			Chunk []apitest.Event `json:"chunk"`
			End   string          `json:"end"`
		}](ctx, r.Client, r.room.Path("/messages?"+query.Encode()))
		if err != nil {
			return nil, err
		}
		for _, ev := range page.Chunk {
			missed = append(missed, ev.EventID)
		}
		if page.End == "" {
			slices.Reverse(missed)
			return missed, nil
		}
		from = page.End
	}
}

// history is all of a room, as the reader may see it.
func (r *reader) history(ctx context.Context) (all []id.EventID, err error) {
	fresh := &reader{Client: r.Client, room: r.room, filter: `{"room":{"timeline":{"limit":1}}}`}
	err = fresh.step(ctx, 0)
	return fresh.got, err
}

// TestK3_HistoryIsToldOnceWhileManySendAtOnce has several people write while several clients read, each
// with another limit, some of them from another replica or after a restart. In the
// end everyone must have read the same history, each event once.
func TestK3_HistoryIsToldOnceWhileManySendAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice := srv.User(t, "alice")
	room := alice.CreateRoom(t)
	const messages = 40
	var senders []*apitest.Client
	for _, name := range []string{"sam", "sue", "sid"} {
		senders = append(senders, srv.User(t, name))
	}
	room.Join(t, senders...)
	var readers []*reader
	for i, limit := range []int{0, 1, 3, 100} {
		c := srv.User(t, fmt.Sprint("reader", i))
		room.Join(t, c)
		readers = append(readers, &reader{Client: c, room: room, filter: fmt.Sprintf(`{"presence":{"types":[]},"room":{"timeline":{"limit":%d}}}`, limit)})
	}
	again := apitest.Over(t, srv.App.Config.Database)
	failures := make(chan error, len(senders)+len(readers))
	ctx, written := context.WithCancel(t.Context())
	defer written()
	var sending, reading sync.WaitGroup
	for n, c := range senders {
		sending.Go(func() {
			for i := range messages {
				resp, err := c.Try(t.Context(), "PUT", room.Path(fmt.Sprintf("/send/m.room.message/%d", i)), `{"body":"x"}`)
				if err == nil && resp.Status != 200 {
					err = errors.New(string(resp.Body))
				}
				if err != nil {
					failures <- err
					return
				}
				if i == messages/2 && n == 0 {
					// A stay ends and another one begins.
					_, _ = c.Try(t.Context(), "POST", room.Path("/leave"), `{}`)
					_, _ = c.Try(t.Context(), "POST", room.Path("/join"), `{}`)
				}
			}
		})
	}
	for _, r := range readers {
		reading.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if n == 5 {
					moved := *r.Client
					moved.Server = again
					r.Client = &moved
				}
				if err := r.step(t.Context(), 50); err != nil {
					failures <- err
					return
				}
			}
		})
	}
	sending.Wait()
	written()
	reading.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	for _, r := range readers {
		if err := r.step(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		want, err := r.history(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(want) < len(senders)*messages {
			t.Errorf("the history has only %d events", len(want))
		}
		if diff := cmp.Diff(want, r.got); diff != "" {
			t.Errorf("%s with %s (-want +got):\n%s", r.UserID, r.filter, diff)
		}
	}
}
