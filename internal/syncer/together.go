package syncer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// One event wakes many, who then come back at the same time as well. Those who look at
// the same time share a read of the database, in which one statement reads for all of
// them what each would ask for.

// look is what one request wants to know of the database, and then what it found.
type look struct {
	wish   *wish
	since  int64
	before *reading // what was found earlier, which was nothing; nil for the first time
	// arriving is set for a request that has just come: what it tells by that is
	// written before anything is read for it.
	arriving bool

	done  chan struct{}   // closed when somebody has looked for it
	ctx   context.Context // of the request
	alone bool            // nobody can look for it but itself
	ended bool            // the session is over, or the account locked

	due, acknowledged bool     // what the request tells: of its presence, and of messages to its device
	found             *reading // nil for due, acknowledged and ended
}

// atOnce bounds how many share a read.
const atOnce = 16

// look looks, and fails as the request would if its session is over: what came after the
// end of a session is not told.
func (s *Service) look(ctx context.Context, call *httpapi.Call, l *look) error {
	for range 2 { // an account may be locked and unlocked again
		if err := s.lookOnce(ctx, l); err != nil || !l.ended {
			return err
		}
		if err := call.StillAllowed(ctx); err != nil {
			return err
		}
	}
	return errors.New("the session of a request that is allowed is not found")
}

func (s *Service) lookOnce(ctx context.Context, l *look) error {
	// What may be much keeps nobody else waiting.
	if l.since > 0 && !l.wish.fullState {
		l.ctx, l.alone, l.done = ctx, false, make(chan struct{})
		select {
		case s.looks <- l:
		case <-ctx.Done():
			return ctx.Err()
		}
		for !l.answered() {
			select {
			case <-l.done:
			case s.leading <- struct{}{}:
				queued := s.lead()
				<-s.leading
				if !queued { // another one has taken it, and looks
					<-l.done
				}
			}
		}
		if !l.alone {
			return nil
		}
	}
	return s.db.Read(ctx, func(tx *db.Tx) error { return s.lookFor(tx, []*look{l}, true) })
}

func (l *look) answered() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// lead looks for those who wait, and reports whether there were any. Whatever goes wrong
// leaves each to look alone.
func (s *Service) lead() (queued bool) {
	runtime.Gosched() // those who were woken by the same event come first
	var looks []*look
	for len(looks) < atOnce {
		select {
		case l := <-s.looks:
			looks = append(looks, l)
			continue
		default:
		}
		break
	}
	if len(looks) == 0 {
		return false
	}
	// For most of those who arrive there is nothing: they need no transaction.
	read := s.db.ReadBriefly
	if slices.ContainsFunc(looks, func(l *look) bool { return !l.arriving }) {
		read = s.db.Read
	}
	err := read(context.WithoutCancel(looks[0].ctx), func(tx *db.Tx) (err error) {
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("panic: %v", p)
			}
		}()
		return s.lookFor(tx, looks, false)
	})
	for _, l := range looks {
		l.alone = l.alone || err != nil
		close(l.done)
	}
	return true
}

// lookFor looks for all of them; or, unless much is to be read as well, says who has to
// look alone for that.
func (s *Service) lookFor(tx *db.Tx, looks []*look, much bool) error {
	sh := &shared{tx: tx}
	tokens := make([]int64, len(looks))
	for i, l := range looks {
		tokens[i] = l.wish.tokenID
		if !slices.Contains(sh.users, l.wish.userID) {
			sh.users = append(sh.users, l.wish.userID)
		}
	}
	found, err := openings(tx, tokens)
	if err != nil {
		return err
	}
	for _, l := range looks {
		l.found, l.due, l.acknowledged = nil, false, false // this may run again
		o, ok := found[l.wish.tokenID]
		if l.ended = !ok; l.ended {
			continue
		}
		lost, err := tx.Lost(l.since)
		if err != nil {
			return err
		}
		lost = lost || l.since > o.pos
		if l.alone = !much && (lost || o.pos-l.since > fewPositions); l.alone {
			continue
		}
		if l.arriving {
			l.due = s.ephemeral.SeeDue(o.times, l.wish.presence, tx.Now)
			// A device acknowledges messages by coming back with a token from behind them;
			// one from beyond the end tells nothing.
			l.acknowledged = o.oldest > 0 && o.oldest <= l.since && l.since <= o.pos
		}
		switch {
		case l.due, l.acknowledged:
		case l.before != nil && l.before.to == o.pos:
			l.found = l.before
		default:
			r := &reading{s: s, shared: sh, wish: l.wish, opening: o, before: l.before, since: l.since, to: o.pos, lost: lost}
			if err := r.run(); err != nil {
				return err
			}
			r.shared, r.before = nil, nil // the request may wait for long, with what was found
			l.found = r
		}
	}
	return nil
}

// shared is what those who look at the same time have in common: what one of them asks
// for is read for all.
type shared struct {
	tx       *db.Tx
	users    []id.UserID
	members  map[id.RoomID][]rooms.Membership // of the users, in the rooms that were asked for
	receipts map[id.RoomID][]ephemeral.Receipt
}

// membershipsIn gives those of [rooms.Memberships] that are in some rooms.
func (sh *shared) membershipsIn(roomIDs []id.RoomID, userID id.UserID, after int64) (own []rooms.Membership, err error) {
	if missing := unasked(&sh.members, roomIDs); len(missing) > 0 {
		found, err := rooms.MembershipsIn(sh.tx, missing, sh.users)
		if err != nil {
			return nil, err
		}
		for _, m := range found {
			sh.members[m.RoomID] = append(sh.members[m.RoomID], m)
		}
	}
	for _, roomID := range roomIDs {
		for _, m := range sh.members[roomID] {
			if m.UserID == userID && (m.Membership == event.Join || m.Pos > after) {
				own = append(own, m)
			}
		}
	}
	slices.SortFunc(own, func(a, b rooms.Membership) int { return cmp.Compare(a.Pos, b.Pos) })
	return own, nil
}

// ownReceipts gives all receipts of a user in some rooms.
func (sh *shared) ownReceipts(of *ephemeral.Service, roomIDs []id.RoomID, userID id.UserID) (own []ephemeral.Receipt, err error) {
	if missing := unasked(&sh.receipts, roomIDs); len(missing) > 0 {
		found, err := of.OwnReceipts(sh.tx, sh.users, missing)
		if err != nil {
			return nil, err
		}
		for _, x := range found {
			sh.receipts[x.RoomID] = append(sh.receipts[x.RoomID], x)
		}
	}
	for _, roomID := range roomIDs {
		for _, x := range sh.receipts[roomID] {
			if x.UserID == userID {
				own = append(own, x)
			}
		}
	}
	return own, nil
}

// unasked gives the rooms for which nobody has asked, and notes that somebody has.
func unasked[T any](known *map[id.RoomID][]T, roomIDs []id.RoomID) (missing []id.RoomID) {
	if *known == nil {
		*known = make(map[id.RoomID][]T, len(roomIDs))
	}
	for _, roomID := range roomIDs {
		if _, ok := (*known)[roomID]; !ok {
			(*known)[roomID] = nil
			missing = append(missing, roomID)
		}
	}
	return missing
}
