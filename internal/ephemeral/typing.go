package ephemeral

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
)

type setTypingRequest struct {
	RoomID  id.RoomID `path:"roomId"`
	UserID  id.UserID `path:"userId"`
	Typing  *bool     `json:"typing" required:"true"`
	Timeout *int64    `json:"timeout"` // milliseconds
}

// The time for which someone types, unless they say so again.
const (
	shortestTyping = time.Second
	defaultTyping  = 30 * time.Second
	longestTyping  = 2 * time.Minute
)

func (req *setTypingRequest) timeout() time.Duration {
	if req.Timeout == nil {
		return defaultTyping
	}
	ms := min(*req.Timeout, longestTyping.Milliseconds())
	return max(time.Duration(ms)*time.Millisecond, shortestTyping)
}

func (s *Service) setTyping(ctx context.Context, call *httpapi.Call, req setTypingRequest) (emptyResponse, error) {
	if req.UserID != call.UserID {
		return emptyResponse{}, errcode.Forbidden.New("You can say only of yourself that you are typing. Use your own user ID in the path.")
	}
	return emptyResponse{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.rooms.RequireJoined(tx, req.RoomID, req.UserID); err != nil {
			return err
		}
		if *req.Typing {
			return startTyping(tx, req.RoomID, req.UserID, tx.Now.Add(req.timeout()))
		}
		return stopTyping(tx, req.RoomID, req.UserID)
	})
}

// startTyping notes that someone types. Typing on is no news to others, and takes
// no position.
func startTyping(tx *db.Tx, roomID id.RoomID, userID id.UserID, until time.Time) error {
	typed, err := db.Value[int64](tx, `SELECT until_ts FROM typing WHERE room_id = $1 AND user_id = $2`, roomID, userID)
	if err != nil && !errors.Is(err, db.ErrNoRow) {
		return err
	}
	if typed > tx.Now.UnixMilli() {
		err = tx.Later(`UPDATE typing SET until_ts = $3 WHERE room_id = $1 AND user_id = $2`, roomID, userID, until.UnixMilli())
	} else {
		err = putTyping(tx, roomID, userID, until.UnixMilli())
	}
	if err != nil {
		return err
	}
	// One job for each second in which somebody's time in the room is up.
	second := until.Truncate(time.Second).Add(time.Second)
	return jobs.Enqueue(tx, typingJob, string(roomID)+" "+strconv.FormatInt(second.Unix(), 10), typingPayload{roomID}, second)
}

func stopTyping(tx *db.Tx, roomID id.RoomID, userID id.UserID) error {
	typed, err := db.Value[int64](tx, `SELECT until_ts FROM typing WHERE room_id = $1 AND user_id = $2`, roomID, userID)
	if errors.Is(err, db.ErrNoRow) || err == nil && typed == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	return putTyping(tx, roomID, userID, 0)
}

func putTyping(tx *db.Tx, roomID id.RoomID, userID id.UserID, until int64) error {
	pos, err := tx.Next()
	if err != nil {
		return err
	}
	tx.Wake(bus.Room(roomID))
	return tx.Later(`INSERT INTO typing (room_id, user_id, until_ts, pos) VALUES ($1, $2, $3, $4)
		ON CONFLICT (room_id, user_id) DO UPDATE SET until_ts = excluded.until_ts, pos = excluded.pos`,
		roomID, userID, until, pos)
}

type typingPayload struct {
	RoomID id.RoomID `json:"room_id"`
}

// endTyping writes that the time of those who typed in a room is up.
func (s *Service) endTyping(ctx context.Context, job jobs.Job) error {
	var p typingPayload
	if err := json.Unmarshal(job.Payload, &p); err != nil {
		return err
	}
	return s.db.Write(ctx, func(tx *db.Tx) error {
		over, err := db.Value[bool](tx, `SELECT EXISTS (SELECT 1 FROM typing WHERE room_id = $1 AND until_ts > 0 AND until_ts <= $2)`,
			p.RoomID, tx.Now.UnixMilli())
		if err != nil || !over {
			return err
		}
		pos, err := tx.Next()
		if err != nil {
			return err
		}
		tx.Wake(bus.Room(p.RoomID))
		return tx.Later(`UPDATE typing SET until_ts = 0, pos = $3 WHERE room_id = $1 AND until_ts > 0 AND until_ts <= $2`,
			p.RoomID, tx.Now.UnixMilli(), pos)
	})
}

// Typing is who types in a room; nobody, after they have stopped.
type Typing struct {
	RoomID id.RoomID
	Users  []id.UserID
}

// Typing gives those of the rooms in which somebody started or stopped typing
// after position from and up to to, and who types there now. With from 0 it gives
// the rooms in which somebody types.
func (s *Service) Typing(tx *db.Tx, roomIDs []id.RoomID, from, to int64) ([]Typing, error) {
	changed, err := changedRooms(tx, roomIDs, from, to,
		`SELECT DISTINCT room_id FROM typing WHERE pos > $1 AND pos <= $2`,
		`SELECT DISTINCT room_id FROM typing WHERE pos > $1 AND pos <= $2 AND room_id IN (`)
	if err != nil {
		return nil, err
	}
	users := map[id.RoomID][]id.UserID{}
	err = db.Chunks(changed, func(chunk []id.RoomID) error {
		in := db.In(chunk)
		return db.Each(tx, func(r db.Row) error {
			var roomID id.RoomID
			var userID id.UserID
			err := r.Scan(&roomID, &userID)
			users[roomID] = append(users[roomID], userID)
			return err
		}, `SELECT room_id, user_id FROM typing WHERE until_ts > $1 AND room_id IN (`+in.Marks(2)+`) ORDER BY room_id, user_id`, in.Args(tx.Now.UnixMilli())...)
	})
	var out []Typing
	for _, r := range changed {
		if from > 0 || users[r] != nil {
			out = append(out, Typing{r, users[r]})
		}
	}
	return out, err
}
