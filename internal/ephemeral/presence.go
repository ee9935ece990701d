package ephemeral

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// State is where a user is (client-server API, Presence).
type State string

// The states of presence.
const (
	Online      State = "online"
	Unavailable State = "unavailable"
	Offline     State = "offline"
)

// UnmarshalText refuses states that there are not.
func (s *State) UnmarshalText(text []byte) error {
	switch *s = State(text); *s {
	case Online, Unavailable, Offline:
		return nil
	}
	return errors.New("it must be one of online, unavailable and offline")
}

const (
	// offlineAfter is how long after its last sync a user counts as gone. It is
	// longer than a sync may wait.
	offlineAfter = 3 * time.Minute
	// noteEvery is how far behind the times of a present user may be.
	noteEvery = 30 * time.Second
	// activeFor is how long after the last activity a user is currently active.
	activeFor = 5 * time.Minute

	maxStatus = 2048 // bytes
)

// Presence is what others see of where a user is.
type Presence struct {
	UserID     id.UserID
	State      State
	StatusMsg  *string
	LastActive int64 // milliseconds

	seen int64
}

// Active reports whether the user is active at a time, in milliseconds.
func (p *Presence) Active(now int64) bool {
	return p.State == Online && now-p.LastActive < activeFor.Milliseconds()
}

const presenceColumns = `user_id, presence, status_msg, last_active_ts, seen_ts`

func scanPresence(r db.Row) (p Presence, err error) {
	err = r.Scan(&p.UserID, &p.State, &p.StatusMsg, &p.LastActive, &p.seen)
	return p, err
}

// presenceOf gives a user's presence; for one who has never been here, offline.
func presenceOf(tx *db.Tx, userID id.UserID) (Presence, error) {
	p, err := db.One(tx, scanPresence, `SELECT `+presenceColumns+` FROM presence WHERE user_id = $1`, userID)
	if errors.Is(err, db.ErrNoRow) {
		return Presence{UserID: userID, State: Offline}, nil
	}
	return p, err
}

type setPresenceRequest struct {
	UserID    id.UserID `path:"userId"`
	Presence  *State    `json:"presence" required:"true"`
	StatusMsg *string   `json:"status_msg"`
}

func (s *Service) setPresence(ctx context.Context, call *httpapi.Call, req setPresenceRequest) (emptyResponse, error) {
	if req.UserID != call.UserID {
		return emptyResponse{}, errcode.Forbidden.New("You can set only your own presence. Use your own user ID in the path.")
	}
	if req.StatusMsg != nil && len(*req.StatusMsg) > maxStatus {
		return emptyResponse{}, errcode.InvalidParam.New("The parameter %q is not valid: it may have at most %d bytes.", "status_msg", maxStatus).With("param", "status_msg")
	}
	if !s.presence {
		return emptyResponse{}, nil
	}
	return emptyResponse{}, s.db.Write(ctx, func(tx *db.Tx) error {
		p, err := presenceOf(tx, req.UserID)
		if err != nil {
			return err
		}
		p.State, p.StatusMsg = *req.Presence, req.StatusMsg
		p.LastActive, p.seen = tx.Now.UnixMilli(), tx.Now.UnixMilli()
		return putPresence(tx, p)
	})
}

// putPresence writes a presence that others must hear of.
func putPresence(tx *db.Tx, p Presence) error {
	if err := wakeFor(tx, p.UserID); err != nil {
		return err
	}
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	return tx.Later(`INSERT INTO presence (user_id, presence, status_msg, last_active_ts, seen_ts, pos) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (user_id) DO UPDATE SET presence = excluded.presence, status_msg = excluded.status_msg, last_active_ts = excluded.last_active_ts,
			seen_ts = excluded.seen_ts, pos = excluded.pos`, p.UserID, p.State, p.StatusMsg, p.LastActive, p.seen, pos)
}

// wakeFor wakes those who see the presence of some users, and the users.
func wakeFor(tx *db.Tx, users ...id.UserID) error {
	for _, u := range users {
		tx.Wake(bus.User(u))
	}
	return rooms.WakeRoomsOf(tx, users...)
}

type getPresenceRequest struct {
	UserID id.UserID `path:"userId"`
}

type getPresenceResponse struct {
	Presence        State   `json:"presence"`
	LastActiveAgo   *int64  `json:"last_active_ago,omitzero"`
	StatusMsg       *string `json:"status_msg,omitzero"`
	CurrentlyActive bool    `json:"currently_active"`
}

func (s *Service) getPresence(ctx context.Context, call *httpapi.Call, req getPresenceRequest) (out getPresenceResponse, err error) {
	if !s.presence {
		return out, errcode.NotFound.New("This server does not keep presence.")
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		shared, err := rooms.Sharing(tx, call.UserID, []id.UserID{req.UserID})
		if err != nil {
			return err
		}
		if req.UserID != call.UserID && !shared[req.UserID] {
			return errcode.NotFound.New("You can see the presence of people with whom you share a room.")
		}
		p, err := presenceOf(tx, req.UserID)
		if err != nil {
			return err
		}
		now := tx.Now.UnixMilli()
		out = getPresenceResponse{Presence: p.State, StatusMsg: p.StatusMsg, CurrentlyActive: p.Active(now)}
		if p.LastActive > 0 {
			ago := max(0, now-p.LastActive)
			out.LastActiveAgo = &ago
		}
		return nil
	})
	return out, err
}

// What statements of others are made of that read more than this: what [Service.SeeDue]
// asks for, of the user of a session, and whether anybody's presence changed after position $3.
const (
	Times       = `COALESCE((SELECT presence || ' ' || last_active_ts || ' ' || seen_ts FROM presence WHERE user_id = session.user_id), '')`
	HasPresence = `EXISTS (SELECT 1 FROM presence WHERE pos > $3)`
)

// SeeDue reports whether [Service.See] has anything to write at a time, given the user's
// [Times]. Mostly it has not: the times are brought up to date every half minute.
func (s *Service) SeeDue(times string, claimed State, now time.Time) bool {
	if !s.presence || claimed == Offline {
		return false
	}
	p := Presence{State: Offline}
	if fields := strings.Fields(times); len(fields) == 3 {
		p.State = State(fields[0])
		p.LastActive, _ = strconv.ParseInt(fields[1], 10, 64) // they are numbers
		p.seen, _ = strconv.ParseInt(fields[2], 10, 64)
	}
	return seen(&p, claimed, now.UnixMilli()) != nothing
}

// See notes that a device of the user has synced and claims a state. Being idle on
// one device does not count while another is in use.
func (s *Service) See(tx *db.Tx, userID id.UserID, claimed State) error {
	if !s.presence || claimed == Offline {
		return nil
	}
	p, err := presenceOf(tx, userID)
	if err != nil {
		return err
	}
	switch seen(&p, claimed, tx.Now.UnixMilli()) {
	case changed:
		return putPresence(tx, p)
	case times:
		err = tx.Later(`UPDATE presence SET last_active_ts = $2, seen_ts = $3 WHERE user_id = $1`, userID, p.LastActive, p.seen)
	}
	return err
}

// news is what there is to write of a presence.
type news int

const (
	nothing news = iota
	times        // only the times, which nobody waits for
	changed      // the state
)

// seen applies what a device claims.
func seen(p *Presence, claimed State, now int64) news {
	idle := claimed == Unavailable && p.State == Online && now-p.LastActive < 2*noteEvery.Milliseconds()
	if p.State != claimed && !idle {
		p.State, p.seen = claimed, now
		if claimed == Online {
			p.LastActive = now
		}
		return changed
	}
	if now-p.seen < noteEvery.Milliseconds() {
		return nothing
	}
	p.seen = now
	if claimed == Online {
		p.LastActive = now
	}
	return times
}

// sweepPresence writes that those who have not synced for a while are gone.
func (s *Service) sweepPresence(ctx context.Context, job jobs.Job) error {
	return s.db.Write(ctx, func(tx *db.Tx) error {
		before := tx.Now.Add(-offlineAfter).UnixMilli()
		gone, err := db.All(tx, db.Scalar[id.UserID], `SELECT user_id FROM presence WHERE presence <> 'offline' AND seen_ts < $1`, before)
		if err != nil || len(gone) == 0 {
			return err
		}
		if err := wakeFor(tx, gone...); err != nil {
			return err
		}
		pos, err := tx.Next()
		if err != nil {
			return err
		}
		return tx.Later(`UPDATE presence SET presence = 'offline', pos = $2 WHERE presence <> 'offline' AND seen_ts < $1`, before, pos)
	})
}

// Presence gives the users who share a room with the user, and the user, whose
// presence changed after position from and up to to; with from 0, those who are
// not offline.
func (s *Service) Presence(tx *db.Tx, userID id.UserID, from, to int64) ([]Presence, error) {
	if !s.presence {
		return nil, nil
	}
	return db.All(tx, scanPresence, `SELECT `+presenceColumns+` FROM presence p WHERE pos > $1 AND pos <= $2 AND ($1 > 0 OR presence <> 'offline')
			AND (user_id = $3 OR EXISTS (SELECT 1 FROM room_members o JOIN room_members m ON m.room_id = o.room_id
				WHERE o.user_id = p.user_id AND o.membership = 'join' AND m.user_id = $3 AND m.membership = 'join'))
		ORDER BY pos`, from, to, userID)
}
