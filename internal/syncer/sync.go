package syncer

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

type syncRequest struct {
	Filter        string           `query:"filter"`
	Since         *token           `query:"since"`
	FullState     bool             `query:"full_state"`
	SetPresence   *ephemeral.State `query:"set_presence"`
	Timeout       int64            `query:"timeout"` // milliseconds
	UseStateAfter bool             `query:"use_state_after"`
}

// longestWait is how long a request waits at most.
const longestWait = 2 * time.Minute

// token is a since.
type token int64

// UnmarshalText refuses what this server would not have given out.
func (t *token) UnmarshalText(text []byte) error {
	pos, err := rooms.ParsePosition(string(text))
	if err != nil {
		return errors.New("it must be a next_batch from this server")
	}
	*t = token(pos)
	return nil
}

// wish is what one request asks for.
type wish struct {
	userID     id.UserID
	deviceID   id.DeviceID
	presence   ephemeral.State
	filter     *accountdata.Filter
	fullState  bool
	stateAfter bool
	waits      bool // for news, if there are none
}

func (s *Service) sync(ctx context.Context, call *httpapi.Call, req syncRequest) (*syncResponse, error) {
	state := ephemeral.Online
	if req.SetPresence != nil {
		state = *req.SetPresence
	}
	since := int64(0)
	if req.Since != nil {
		since = int64(*req.Since)
	}
	wait := min(time.Duration(max(0, min(req.Timeout, longestWait.Milliseconds())))*time.Millisecond, longestWait)
	wait = max(0, wait-call.Queued)
	if req.Since == nil || req.FullState {
		wait = 0
	}
	w := &wish{
		userID: call.UserID, deviceID: call.DeviceID, presence: state, fullState: req.FullState, stateAfter: req.UseStateAfter, waits: wait > 0,
	}
	began := s.bus.Now()
	var err error
	if w.filter, err = s.filter(ctx, call.UserID, req.Filter); err != nil {
		return nil, err
	}
	found, err := s.begin(ctx, w, since)
	if err != nil || wait == 0 || !found.answer.empty() {
		return found.response(), err
	}
	s.await(ctx, call, w, wait, found, began)
	return nil, nil
}

// begin writes what the request itself tells, mostly nothing, and looks for the first
// time; in one read, if there is nothing to write.
func (s *Service) begin(ctx context.Context, w *wish, since int64) (found *reading, err error) {
	var due, acknowledged bool
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		o, err := open(tx, w, since)
		if err != nil {
			return err
		}
		due = s.ephemeral.SeeDue(o.times, w.presence, tx.Now)
		// A device acknowledges messages by coming back with a token from behind them; one
		// from beyond the end tells nothing.
		acknowledged = o.has&received != 0 && since <= o.pos
		if due || acknowledged {
			return nil
		}
		found, err = s.look(tx, w, since, o, nil)
		return err
	})
	if err != nil || found != nil {
		return found, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		if acknowledged {
			if _, err := s.e2ee.DeleteToDevice(tx, w.userID, w.deviceID, since); err != nil {
				return err
			}
		}
		return s.ephemeral.See(tx, w.userID, w.presence)
	})
	// A disk that is full keeps nobody from reading. The next request tells the same.
	if err != nil && !errors.Is(err, db.ErrFull) && !errors.Is(err, db.ErrUnavailable) {
		return nil, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		o, err := open(tx, w, since)
		if err == nil {
			found, err = s.look(tx, w, since, o, nil)
		}
		return err
	})
	return found, err
}

// unfiltered is the filter of the many requests that have none.
var unfiltered accountdata.Filter

// filter finds the filter that a request means: none, one of the user's, or one
// that is given inline.
func (s *Service) filter(ctx context.Context, userID id.UserID, text string) (f *accountdata.Filter, err error) {
	switch {
	case text == "":
		return &unfiltered, nil
	case strings.HasPrefix(text, "{"):
		f, err = accountdata.ParseFilter([]byte(text))
	default:
		err = s.db.Read(ctx, func(tx *db.Tx) error {
			f, err = s.accountData.Filter(tx, userID, text)
			return err
		})
	}
	var failure *errcode.Error
	if errors.As(err, &failure) {
		return nil, errcode.InvalidParam.New("The parameter %q is not valid: %s", "filter", failure.Text).With("param", "filter")
	}
	if err == nil && f.EventFormat == "federation" {
		return nil, errcode.InvalidParam.New("The parameter %q is not valid: this server gives events in the client format only. Leave event_format out.", "filter").With("param", "filter")
	}
	return f, err
}

// await has the request wait until there is something to answer or the time is up. What
// was found so far is nothing.
func (s *Service) await(ctx context.Context, call *httpapi.Call, w *wish, wait time.Duration, found *reading, began bus.Moment) {
	// Others must not wait for the end of this request to hear of its presence.
	db.ReleaseWakes(ctx)
	// What came since the reading began wakes it at once.
	waiter := s.bus.SubscribeSince(began, append(found.keys(), bus.User(w.userID))...)
	look := func(why httpapi.Reason) (answer any, err error) {
		if why == httpapi.Stopping {
			return found.response(), nil
		}
		if found, err = s.again(ctx, w, found, why == httpapi.News); err != nil {
			return nil, err
		}
		some := !found.answer.empty()
		if why == httpapi.News || some {
			// The session may be over: what came after its end is not told.
			if err := call.StillAllowed(); err != nil {
				return nil, err
			}
		}
		if some || why == httpapi.TimeUp {
			return found.response(), nil
		}
		return nil, nil
	}
	call.Await(&httpapi.Wait{News: waiter.C, Turn: bus.Reread, Most: wait, Look: look, End: waiter.Close})
}

// again looks for what is new since it was looked before. Whoever was not woken looks at
// the position first, which mostly is the same.
func (s *Service) again(ctx context.Context, w *wish, before *reading, woken bool) (found *reading, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if !woken {
			if pos, err := tx.Position(); err != nil || pos == before.to {
				found = before
				return err
			}
		}
		o, err := reopen(tx, w)
		if err == nil {
			found, err = s.look(tx, w, before.to, o, before)
		}
		return err
	})
	return found, err
}

// look makes the answer for what is after since. Given what was found before, which
// was nothing, that is what has come since then; if the stream has not moved, it is the
// same.
func (s *Service) look(tx *db.Tx, w *wish, since int64, o opening, before *reading) (*reading, error) {
	if before != nil && before.to == o.pos {
		return before, nil
	}
	found := &reading{s: s, tx: tx, wish: w, opening: o, before: before, since: since, to: o.pos}
	err := found.run()
	found.tx = nil // the request may wait for long, with what was found
	return found, err
}
