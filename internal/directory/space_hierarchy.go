package directory

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const (
	maxDepth   = 10   // below the space
	maxInSpace = 1000 // rooms that are looked at
)

// depth is how far below the space rooms are wanted.
type depth int

// UnmarshalText reads a number that is not negative.
func (d *depth) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return errors.New("it must be a whole number, and not negative")
	}
	*d = depth(min(n, maxDepth))
	return nil
}

type getSpaceHierarchyRequest struct {
	RoomID        id.RoomID `path:"roomId"`
	SuggestedOnly bool      `query:"suggested_only"`
	Limit         *int      `query:"limit"`
	MaxDepth      *depth    `query:"max_depth"`
	From          string    `query:"from"`
}

type childState struct {
	Type           string         `json:"type"`
	StateKey       string         `json:"state_key"`
	Content        jsontext.Value `json:"content"`
	Sender         id.UserID      `json:"sender"`
	OriginServerTS int64          `json:"origin_server_ts"`
}

type roomInSpace struct {
	roomSummary
	ChildrenState []childState `json:"children_state"`
}

type getSpaceHierarchyResponse struct {
	Rooms []roomInSpace `json:"rooms"`
	Next  string        `json:"next_batch,omitzero"`
}

func (s *Service) getSpaceHierarchy(ctx context.Context, call *httpapi.Call, req getSpaceHierarchyRequest) (out getSpaceHierarchyResponse, err error) {
	wanted, deepest := defaultRooms, maxDepth
	if req.Limit != nil {
		if *req.Limit < 1 {
			return out, errcode.InvalidParam.New("The parameter %q is not valid: it must be at least 1.", "limit").With("param", "limit")
		}
		wanted = min(*req.Limit, maxRooms)
	}
	if req.MaxDepth != nil {
		deepest = int(*req.MaxDepth)
	}
	from, err := parseFrom(req.From, deepest, req.SuggestedOnly)
	if err != nil {
		return out, err
	}
	err = s.db.Read(ctx, func(tx *db.Tx) error {
		t := &tree{s: s, tx: tx, userID: call.UserID, suggestedOnly: req.SuggestedOnly, rooms: map[id.RoomID]*room{}, children: map[id.RoomID][]child{}}
		if err := t.grow(req.RoomID, deepest); err != nil {
			return err
		}
		if t.rooms[req.RoomID] == nil {
			return errcode.NotJoined.New("%s is not in room %s, and it is not open to everybody. Join it first, or ask for an invite.", call.UserID, req.RoomID)
		}
		list := t.list(req.RoomID)
		from = min(from, len(list))
		to := min(from+wanted, len(list))
		out.Rooms = list[from:to]
		if to < len(list) {
			out.Next = fromToken(to, deepest, req.SuggestedOnly)
		}
		return nil
	})
	return out, err
}

// fromToken is the token of a page: how many rooms come before it, and what it
// holds for, which must not change between pages.
func fromToken(before, deepest int, suggestedOnly bool) string {
	return fmt.Sprintf("%d.%d.%t", before, deepest, suggestedOnly)
}

func parseFrom(token string, deepest int, suggestedOnly bool) (before int, err error) {
	if token == "" {
		return 0, nil
	}
	var ofDepth int
	var ofSuggested bool
	n, err := fmt.Sscanf(token, "%d.%d.%t", &before, &ofDepth, &ofSuggested)
	if err != nil || n != 3 || before < 0 || fromToken(before, ofDepth, ofSuggested) != token {
		return 0, errcode.InvalidParam.New("The parameter %q is not valid: it must be a token from this server.", "from").With("param", "from")
	}
	if ofDepth != deepest || ofSuggested != suggestedOnly {
		return 0, errcode.InvalidParam.New("%q and %q must stay the same from page to page.", "max_depth", "suggested_only").With("param", "from")
	}
	return before, nil
}

// tree is a space as one user finds it: rooms that the user may not know of are not
// in it.
type tree struct {
	s             *Service
	tx            *db.Tx
	userID        id.UserID
	suggestedOnly bool
	rooms         map[id.RoomID]*room
	children      map[id.RoomID][]child // in their order
}

type child struct {
	roomID id.RoomID
	order  string
	state  childState
}

// grow reads the tree level by level: the number of statements depends on the depth
// alone.
func (t *tree) grow(root id.RoomID, deepest int) error {
	seen := map[id.RoomID]bool{root: true}
	level := []id.RoomID{root}
	for d := 0; len(level) > 0; d++ {
		found, err := t.s.load(t.tx, t.userID, level)
		if err != nil {
			return err
		}
		var spaces []id.RoomID
		for _, roomID := range level {
			if r := found[roomID]; r != nil && r.visible {
				if t.rooms[roomID] = r; r.RoomType == space {
					spaces = append(spaces, roomID)
				}
			}
		}
		if err := t.addChildren(spaces); err != nil || d == deepest {
			return err
		}
		level = nil
		for _, roomID := range spaces {
			for _, c := range t.children[roomID] {
				if !seen[c.roomID] && len(seen) < maxInSpace {
					seen[c.roomID], level = true, append(level, c.roomID)
				}
			}
		}
	}
	return nil
}

func (t *tree) addChildren(spaces []id.RoomID) error {
	events, err := rooms.SpaceChildren(t.tx, spaces)
	if err != nil {
		return err
	}
	for roomID, list := range events {
		children := []child{}
		for _, st := range list {
			if c, ok := childOf(st, t.suggestedOnly); ok {
				children = append(children, c)
			}
		}
		slices.SortFunc(children, compareChildren)
		t.children[roomID] = children
	}
	return nil
}

// childOf reads an m.space.child event. Without servers to join by it is none.
func childOf(st rooms.Stored, suggestedOnly bool) (child, bool) {
	var content struct {
		Via       []string       `json:"via"`
		Order     jsontext.Value `json:"order"`
		Suggested jsontext.Value `json:"suggested"`
	}
	roomID, err := id.ParseRoomID(*st.StateKey)
	if err != nil || json.Unmarshal(st.Content, &content) != nil || len(content.Via) == 0 {
		return child{}, false
	}
	if suggestedOnly && string(content.Suggested) != "true" {
		return child{}, false
	}
	c := child{roomID: roomID, state: childState{st.Type, *st.StateKey, jsontext.Value(st.Content), st.Sender, st.OriginServerTS}}
	var order string
	if json.Unmarshal(content.Order, &order) == nil && validOrder(order) {
		c.order = order
	}
	return c, true
}

// validOrder holds an order to its form: at most 50 printable ASCII characters.
func validOrder(order string) bool {
	for _, b := range []byte(order) {
		if b < 0x20 || b > 0x7E {
			return false
		}
	}
	return len(order) <= 50
}

// compareChildren orders children: those with an order first, by it; then by the
// time of the event and the room id (client-server API, Ordering of children
// within a space).
func compareChildren(a, b child) int {
	switch {
	case a.order != "" && b.order == "":
		return -1
	case a.order == "" && b.order != "":
		return 1
	}
	return cmp.Or(cmp.Compare(a.order, b.order), cmp.Compare(a.state.OriginServerTS, b.state.OriginServerTS), cmp.Compare(a.roomID, b.roomID))
}

// list writes the rooms depth first, each once.
func (t *tree) list(root id.RoomID) (out []roomInSpace) {
	listed := map[id.RoomID]bool{}
	var visit func(id.RoomID)
	visit = func(roomID id.RoomID) {
		r := t.rooms[roomID]
		if r == nil || listed[roomID] {
			return
		}
		listed[roomID] = true
		entry := roomInSpace{roomSummary: r.roomSummary}
		for _, c := range t.children[roomID] {
			entry.ChildrenState = append(entry.ChildrenState, c.state)
		}
		out = append(out, entry)
		for _, c := range t.children[roomID] {
			visit(c.roomID)
		}
	}
	visit(root)
	return out
}
