package timeline

import (
	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// Deps are what the service stands on.
type Deps struct {
	DB          *db.DB
	Rooms       *rooms.Service
	AccountData *accountdata.Service
}

// Service answers the endpoints that read history.
type Service struct {
	db          *db.DB
	rooms       *rooms.Service
	accountData *accountdata.Service
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{db: d.DB, rooms: d.Rooms, accountData: d.AccountData}
}

// Jobs are the workers of the package.
func (s *Service) Jobs() []jobs.Worker { return nil }

// Reader is what one user reads of a room.
type Reader struct {
	View *rooms.View
	// Ignored are those whose events are left out, except state.
	Ignored map[id.UserID]bool
}

// reader makes the caller's reader of a room.
func (s *Service) reader(tx *db.Tx, roomID id.RoomID, userID id.UserID) (r Reader, err error) {
	if r.View, err = s.rooms.View(tx, roomID, userID); err != nil {
		return r, err
	}
	r.Ignored, err = s.accountData.IgnoredUsers(tx, userID)
	return r, err
}

// reads reports whether the user is given an event.
func (r Reader) reads(st rooms.Stored) bool {
	return (st.StateKey != nil || !r.Ignored[st.Sender]) && r.View.Sees(st.Event, st.Pos)
}

// readsChild is reads for an event that relates to another one.
func (r Reader) readsChild(c rooms.Child) bool {
	return r.View != nil && !r.Ignored[c.Sender] && r.View.SeesAt(c.Pos)
}

// bounds limits a stretch of positions to what the user may see of it.
func (r Reader) bounds(after, upTo int64) (int64, int64) {
	first, last := r.View.Bounds()
	return max(after, first), min(upTo, last)
}

// visibleEvent gives an event that the user may see, or fails with NotFound. All
// failures have one text: nobody learns whether there is such an event, or such a
// room (RE-84).
func (s *Service) visibleEvent(tx *db.Tx, r Reader, roomID id.RoomID, eventID id.EventID) (rooms.Stored, error) {
	found, err := rooms.EventsByID(tx, roomID, []id.EventID{eventID})
	if err != nil {
		return rooms.Stored{}, err
	}
	if len(found) == 0 || !r.View.Sees(found[0].Event, found[0].Pos) {
		return rooms.Stored{}, errcode.NotFound.New("There is no such event, or you may not see it.")
	}
	return found[0], nil
}

func viewer(call *httpapi.Call) rooms.Viewer {
	return rooms.Viewer{UserID: call.UserID, DeviceID: call.DeviceID}
}
