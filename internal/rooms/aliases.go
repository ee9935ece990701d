package rooms

import (
	"context"
	"errors"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const canonicalAlias = "m.room.canonical_alias"

func insertAlias(tx *db.Tx, alias id.RoomAlias, roomID id.RoomID, creator id.UserID) error {
	n, err := tx.Exec(`INSERT INTO room_aliases (alias, room_id, creator, created_ts) VALUES ($1, $2, $3, $4) ON CONFLICT (alias) DO NOTHING`,
		alias, roomID, creator, tx.Now.UnixMilli())
	if err == nil && n == 0 {
		return db.ErrDuplicate
	}
	return err
}

// canonicalAliases is the content of m.room.canonical_alias.
type canonicalAliases struct {
	Alias *string  `json:"alias"`
	Alt   []string `json:"alt_aliases"`
}

func (c canonicalAliases) names() []string {
	if c.Alias != nil && *c.Alias != "" {
		return append(c.Alt, *c.Alias)
	}
	return c.Alt
}

// checkAliases refuses a canonical alias that does not lead to the room. Aliases
// that were there before may stay.
func (r *room) checkAliases(content []byte) error {
	var wanted, present canonicalAliases
	if err := json.Unmarshal(content, &wanted); err != nil {
		return errcode.BadJSON.New("%q must be a string and %q a list of strings.", "alias", "alt_aliases")
	}
	if ev := r.get(canonicalAlias, ""); ev != nil {
		_ = json.Unmarshal(ev.Content, &present) // what is malformed there allows nothing
	}
	known := map[string]bool{}
	for _, name := range present.names() {
		known[name] = true
	}
	var added []id.RoomAlias
	for _, name := range wanted.names() {
		if known[name] {
			continue
		}
		alias, err := id.ParseRoomAlias(name)
		if err != nil {
			return errcode.InvalidParam.New("%q holds something that is not a room alias.", canonicalAlias).With("param", "alias")
		}
		added = append(added, alias)
	}
	return r.leadHere(added)
}

// leadHere fails with BadAlias unless all aliases lead to the room.
func (r *room) leadHere(aliases []id.RoomAlias) error {
	return db.Chunks(aliases, func(chunk []id.RoomAlias) error {
		in := db.In(chunk)
		found, err := db.All(r.tx, db.Scalar[id.RoomAlias], `SELECT alias FROM room_aliases WHERE room_id = $1 AND alias IN (`+in.Marks(2)+`)`, in.Args(r.id)...)
		if err != nil {
			return err
		}
		for _, alias := range chunk {
			if !slices.Contains(found, alias) {
				return errcode.BadAlias.New("The alias %s does not lead to this room. Create it first.", alias)
			}
		}
		return nil
	})
}

type roomAliasRequest struct {
	Alias id.RoomAlias `path:"roomAlias"`
}

type getRoomIDByAliasResponse struct {
	RoomID  id.RoomID       `json:"room_id"`
	Servers []id.ServerName `json:"servers"`
}

func (s *Service) getRoomIDByAlias(ctx context.Context, _ *httpapi.Call, req roomAliasRequest) (getRoomIDByAliasResponse, error) {
	out := getRoomIDByAliasResponse{Servers: []id.ServerName{s.server}}
	err := s.db.ReadBriefly(ctx, func(tx *db.Tx) (err error) {
		out.RoomID, err = s.ResolveAlias(tx, req.Alias)
		return err
	})
	return out, err
}

type setRoomAliasRequest struct {
	Alias  id.RoomAlias `path:"roomAlias"`
	RoomID id.RoomID    `json:"room_id" required:"true"`
}

func (s *Service) setRoomAlias(ctx context.Context, call *httpapi.Call, req setRoomAliasRequest) (empty, error) {
	if req.Alias.ServerName() != s.server {
		return empty{}, errcode.InvalidParam.New("The parameter %q is not valid: an alias made here ends in :%s.", "roomAlias", s.server).With("param", "roomAlias")
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		if err := s.RequireJoined(tx, req.RoomID, call.UserID); err != nil {
			return err
		}
		err := insertAlias(tx, req.Alias, req.RoomID, call.UserID)
		if errors.Is(err, db.ErrDuplicate) {
			return errcode.AliasInUse.New("The alias %s leads to a room already.", req.Alias)
		}
		return err
	})
}

func (s *Service) deleteRoomAlias(ctx context.Context, call *httpapi.Call, req roomAliasRequest) (empty, error) {
	type row struct {
		roomID  id.RoomID
		creator id.UserID
	}
	return empty{}, s.db.Write(ctx, func(tx *db.Tx) error {
		found, err := db.One(tx, func(r db.Row) (a row, err error) {
			err = r.Scan(&a.roomID, &a.creator)
			return a, err
		}, `SELECT room_id, creator FROM room_aliases WHERE alias = $1`, req.Alias)
		if errors.Is(err, db.ErrNoRow) {
			return errcode.NotFound.New("The alias %s does not lead to a room.", req.Alias)
		}
		if err != nil {
			return err
		}
		if found.creator != call.UserID && !call.Admin {
			if err := s.RequireLevel(tx, found.roomID, call.UserID, canonicalAlias, "delete aliases"); err != nil {
				return err
			}
		}
		return tx.Later(`DELETE FROM room_aliases WHERE alias = $1`, req.Alias)
	})
}

// RequireLevel fails unless the user is joined and may send state of the type:
// NotJoined, or InsufficientPower. What says what the level is for: "delete
// aliases".
func (s *Service) RequireLevel(tx *db.Tx, roomID id.RoomID, userID id.UserID, eventType, what string) error {
	r, err := s.look(tx, roomID)
	if errors.Is(err, db.ErrNoRow) {
		return notJoined(userID, roomID)
	}
	if err != nil {
		return err
	}
	if err := r.load(createKey, levelsKey, memberKey(userID)); err != nil {
		return err
	}
	if r.membership(userID) != event.Join {
		return notJoined(userID, roomID)
	}
	return r.needs(userID, r.levels().EventLevel(eventType, true), what)
}

type getLocalAliasesRequest struct {
	RoomID id.RoomID `path:"roomId"`
}

type getLocalAliasesResponse struct {
	Aliases []id.RoomAlias `json:"aliases"`
}

func (s *Service) getLocalAliases(ctx context.Context, call *httpapi.Call, req getLocalAliasesRequest) (out getLocalAliasesResponse, err error) {
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		at, err := s.ReadableAt(tx, req.RoomID, call.UserID)
		if err != nil {
			return err
		}
		if at != Present {
			return notJoined(call.UserID, req.RoomID)
		}
		out.Aliases, err = Aliases(tx, req.RoomID)
		return err
	})
	return out, err
}

// Aliases lists the aliases of this server that lead to a room.
func Aliases(tx *db.Tx, roomID id.RoomID) ([]id.RoomAlias, error) {
	return db.All(tx, db.Scalar[id.RoomAlias], `SELECT alias FROM room_aliases WHERE room_id = $1 ORDER BY alias`, roomID)
}

var canonicalAliasKey = authrules.Key{Type: canonicalAlias}
