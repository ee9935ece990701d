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
	tokenID    int64
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
		userID: call.UserID, deviceID: call.DeviceID, tokenID: call.TokenID, presence: state, fullState: req.FullState, stateAfter: req.UseStateAfter, waits: wait > 0,
	}
	began := s.bus.Now()
	var err error
	if w.filter, err = s.filter(ctx, call.UserID, req.Filter); err != nil {
		return nil, err
	}
	found, err := s.begin(ctx, call, w, since)
	if err != nil || wait == 0 || !found.answer.empty() {
		return found.response(), err
	}
	s.await(ctx, call, w, wait, found, began)
	return nil, nil
}

// begin looks for the first time. What the request itself tells, mostly nothing, is
// written before.
func (s *Service) begin(ctx context.Context, call *httpapi.Call, w *wish, since int64) (*reading, error) {
	l := &look{wish: w, since: since, arriving: true}
	if err := s.look(ctx, call, l); err != nil || l.found != nil {
		return l.found, err
	}
	err := s.db.Write(ctx, func(tx *db.Tx) error {
		if l.acknowledged {
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
	l = &look{wish: w, since: since}
	err = s.look(ctx, call, l)
	return l.found, err
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
		err = s.db.ReadBriefly(ctx, func(tx *db.Tx) error {
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
	look := func(ctx context.Context, why httpapi.Reason) (answer any, err error) {
		if why == httpapi.Stopping {
			return found.response(), nil
		}
		if found, err = s.again(ctx, call, w, found, why == httpapi.News); err != nil {
			return nil, err
		}
		if why == httpapi.TimeUp || !found.answer.empty() {
			return found.response(), nil
		}
		return nil, nil
	}
	call.Await(&httpapi.Wait{News: waiter.C, Turn: bus.Reread, Most: wait, Look: look, End: waiter.Close})
}

// again looks for what is new since it was looked before. Whoever was not woken looks at
// the position first, which mostly is the same.
func (s *Service) again(ctx context.Context, call *httpapi.Call, w *wish, before *reading, woken bool) (*reading, error) {
	if !woken {
		if pos, err := s.db.Position(ctx); err != nil || pos == before.to {
			return before, err
		}
	}
	l := &look{wish: w, since: before.to, before: before}
	err := s.look(ctx, call, l)
	return l.found, err
}
