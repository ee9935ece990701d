package timeline

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

// include says which threads are wanted.
type include struct{ participated bool }

// UnmarshalText reads "all" or "participated".
func (i *include) UnmarshalText(text []byte) error {
	switch string(text) {
	case "all":
		i.participated = false
	case "participated":
		i.participated = true
	default:
		return errors.New(`it must be "all" or "participated"`)
	}
	return nil
}

type getThreadRootsRequest struct {
	RoomID  id.RoomID `path:"roomId"`
	Include include   `query:"include"`
	Limit   *limit    `query:"limit"`
	From    *position `query:"from"`
}

type getThreadRootsResponse struct {
	Chunk     []jsontext.Value `json:"chunk"`
	NextBatch string           `json:"next_batch,omitzero"`
}

func (s *Service) getThreadRoots(ctx context.Context, call *httpapi.Call, req getThreadRootsRequest) (out getThreadRootsResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		if _, err := s.rooms.ReadableAt(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		r, err := s.reader(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		q := rooms.ThreadQuery{RoomID: req.RoomID, Before: req.From.or(rooms.Present), Ignored: slices.Collect(maps.Keys(r.Ignored))}
		q.After, q.UpTo = r.View.Bounds()
		if req.Include.participated {
			q.Participant = call.UserID
		}
		wanted := req.Limit.or(relationsLimit)
		threads, err := rooms.Threads(tx, q, wanted+1)
		if err != nil {
			return err
		}
		if len(threads) > wanted {
			threads = threads[:wanted]
			out.NextBatch = rooms.Token(threads[wanted-1].Latest - 1)
		}
		roots, err := visibleRoots(tx, r, req.RoomID, threads)
		if err != nil {
			return err
		}
		out.Chunk, err = s.clientEvents(tx, viewer(call), req.RoomID, r, roots)
		return err
	})
	return out, err
}

// visibleRoots loads the roots of threads, in the order of the threads.
func visibleRoots(tx *db.Tx, r Reader, roomID id.RoomID, threads []rooms.Thread) ([]rooms.Stored, error) {
	order := make(map[id.EventID]int, len(threads))
	ids := make([]id.EventID, len(threads))
	for i, t := range threads {
		order[t.Root], ids[i] = i, t.Root
	}
	roots, err := rooms.EventsByID(tx, roomID, ids)
	if err != nil {
		return nil, err
	}
	roots = slices.DeleteFunc(roots, func(st rooms.Stored) bool { return !r.reads(st) })
	slices.SortFunc(roots, func(x, y rooms.Stored) int { return order[x.ID] - order[y.ID] })
	return roots, nil
}
