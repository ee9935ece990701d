package profile

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB       *db.DB
	Accounts *accounts.Service
	Rooms    *rooms.Service
}

// Service answers the profile endpoints.
type Service struct {
	db       *db.DB
	accounts *accounts.Service
	rooms    *rooms.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, accounts: d.Accounts, rooms: d.Rooms}
}

const updateRooms = "profile.update_rooms"

// roomsAtOnce is how many rooms one transaction writes to.
const roomsAtOnce = 20

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker {
	return []jobs.Worker{{Kind: updateRooms, Work: s.updateRooms}}
}

// Set stores a field of a user's profile, as JSON, or removes it if the value is
// nil. A display name or avatar goes into the user's rooms.
func (s *Service) Set(tx *db.Tx, userID id.UserID, name string, value json.RawMessage) error {
	if err := s.accounts.SetProfileField(tx, userID, name, value); err != nil {
		return err
	}
	if name != accounts.DisplayName && name != accounts.AvatarURL {
		return nil
	}
	in, err := rooms.JoinedRooms(tx, userID)
	if err != nil || len(in) == 0 {
		return err
	}
	if len(in) <= roomsAtOnce {
		return s.rooms.WriteProfile(tx, userID, in)
	}
	// Each change has a job of its own: one that is at work may have passed rooms
	// before the change.
	job := string(userID) + " " + strconv.FormatInt(tx.Now.UnixNano(), 36)
	return jobs.Enqueue(tx, updateRooms, job, updatePayload{userID}, tx.Now)
}

type updatePayload struct {
	UserID id.UserID `json:"user_id"`
}

// updateRooms is the job. Run twice, it finds nothing left to write.
func (s *Service) updateRooms(ctx context.Context, job jobs.Job) error {
	var payload updatePayload
	if err := json.Unmarshal(job.Payload, &payload); err != nil {
		return err
	}
	var in []id.RoomID
	err := s.db.Read(ctx, func(tx *db.Tx) (err error) {
		in, err = rooms.JoinedRooms(tx, payload.UserID)
		return err
	})
	if err != nil {
		return err
	}
	for some := range slices.Chunk(in, roomsAtOnce) {
		err := s.db.Write(ctx, func(tx *db.Tx) error { return s.rooms.WriteProfile(tx, payload.UserID, some) })
		if err != nil {
			return err
		}
	}
	return nil
}
