package syncer

import (
	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/ephemeral"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/push"
)

// addAccountData adds what the user has stored, of all and of each room, and the
// push rules.
func (r *reading) addAccountData() error {
	for _, row := range r.data {
		var err error
		if row.RoomID == "" {
			if r.filter.AccountData.MatchesType(row.Type) {
				err = r.answer.AccountData.add(plainEvent{Type: row.Type, Content: row.Content})
			}
		} else if f := &r.filter.Room.AccountData; f.MatchesRoom(row.RoomID) && f.MatchesType(row.Type) {
			err = r.addRoomData(row)
		}
		if err != nil {
			return err
		}
	}
	return r.addPushRules()
}

// addRoomData adds account data of a room, if the room is told of.
func (r *reading) addRoomData(row accountdata.Row) error {
	ev := plainEvent{Type: row.Type, Content: row.Content}
	if left := r.answer.Rooms.Leave[row.RoomID]; left != nil {
		return left.AccountData.add(ev)
	}
	if st := r.byRoom[row.RoomID]; st != nil && !st.left {
		return r.joined(row.RoomID).AccountData.add(ev)
	}
	return nil
}

func (r *reading) addPushRules() error {
	changed := r.initial || r.rulesPos > r.since && r.rulesPos <= r.to
	if !changed || !r.filter.AccountData.MatchesType(accountdata.TypePushRules) {
		return nil
	}
	rules, _, err := r.s.push.PushRules(r.tx, r.userID)
	if err != nil {
		return err
	}
	return r.answer.AccountData.add(plainEvent{Type: accountdata.TypePushRules, Content: rules})
}

// addEphemeral adds who types and how far others have read.
func (r *reading) addEphemeral() error {
	f := &r.filter.Room.Ephemeral
	var fresh, known []id.RoomID
	for _, st := range r.stays {
		switch {
		case st.left || !f.MatchesRoom(st.roomID):
		case st.fresh:
			fresh = append(fresh, st.roomID)
		default:
			known = append(known, st.roomID)
		}
	}
	for _, part := range []struct {
		rooms []id.RoomID
		since int64
	}{{fresh, 0}, {known, r.since}} {
		if len(part.rooms) == 0 || r.has&roomNews == 0 && part.since > 0 {
			continue
		}
		if err := r.addTyping(part.rooms, part.since); err != nil {
			return err
		}
		if err := r.addReceipts(part.rooms, part.since); err != nil {
			return err
		}
	}
	return nil
}

func (r *reading) addTyping(roomIDs []id.RoomID, since int64) error {
	if !r.filter.Room.Ephemeral.MatchesType("m.typing") {
		return nil
	}
	typing, err := r.s.ephemeral.Typing(r.tx, roomIDs, since, r.to)
	for _, t := range typing {
		users := []id.UserID{}
		for _, u := range t.Users {
			if !r.ignored[u] {
				users = append(users, u)
			}
		}
		if err := r.joined(t.RoomID).Ephemeral.add(plainEvent{Type: "m.typing", Content: map[string]any{"user_ids": users}}); err != nil {
			return err
		}
	}
	return err
}

// receiptContent is the content of m.receipt: event, type of receipt, user.
type receiptContent map[id.EventID]map[string]map[id.UserID]receipt

type receipt struct {
	TS       int64  `json:"ts"`
	ThreadID string `json:"thread_id,omitempty"`
}

// addReceipts adds one m.receipt for each room and thread: a user may have read up
// to one event in several threads, and there is room for one of them only.
func (r *reading) addReceipts(roomIDs []id.RoomID, since int64) error {
	if !r.filter.Room.Ephemeral.MatchesType("m.receipt") {
		return nil
	}
	receipts, err := r.s.ephemeral.Receipts(r.tx, r.userID, roomIDs, since, r.to)
	if err != nil {
		return err
	}
	type key struct {
		roomID id.RoomID
		thread string
	}
	contents := map[key]receiptContent{}
	var order []key
	for _, x := range receipts {
		if r.ignored[x.UserID] {
			continue
		}
		k := key{x.RoomID, x.ThreadID}
		if contents[k] == nil {
			contents[k] = receiptContent{}
			order = append(order, k)
		}
		kinds := contents[k][x.EventID]
		if kinds == nil {
			kinds = map[string]map[id.UserID]receipt{}
			contents[k][x.EventID] = kinds
		}
		if kinds[x.Type] == nil {
			kinds[x.Type] = map[id.UserID]receipt{}
		}
		kinds[x.Type][x.UserID] = receipt{x.TS, x.ThreadID}
	}
	for _, k := range order {
		if err := r.joined(k.roomID).Ephemeral.add(plainEvent{Type: "m.receipt", Content: contents[k]}); err != nil {
			return err
		}
	}
	return nil
}

type presenceContent struct {
	Presence        ephemeral.State `json:"presence"`
	LastActiveAgo   int64           `json:"last_active_ago"`
	StatusMsg       *string         `json:"status_msg,omitzero"`
	CurrentlyActive bool            `json:"currently_active"`
}

func (r *reading) addPresence() error {
	f := &r.filter.Presence
	if r.has&presences == 0 || !f.MatchesType("m.presence") {
		return nil
	}
	list, err := r.s.ephemeral.Presence(r.tx, r.userID, r.since, r.to)
	if err != nil {
		return err
	}
	now := r.tx.Now.UnixMilli()
	for _, p := range list {
		if r.ignored[p.UserID] || !f.Matches("m.presence", p.UserID, false) {
			continue
		}
		content := presenceContent{p.State, max(0, now-p.LastActive), p.StatusMsg, p.Active(now)}
		if err := r.answer.Presence.add(plainEvent{Type: "m.presence", Sender: p.UserID, Content: content}); err != nil {
			return err
		}
	}
	return nil
}

// addUnread adds the counts to the joined rooms that are told of.
func (r *reading) addUnread() error {
	reads := map[id.RoomID]*push.Read{}
	var roomIDs []id.RoomID
	for roomID := range r.answer.Rooms.Join {
		reads[roomID] = &push.Read{RoomID: roomID, Threads: map[id.EventID]int64{}}
		roomIDs = append(roomIDs, roomID)
	}
	if len(roomIDs) == 0 {
		return nil
	}
	own, err := r.ownReceipts(r.s.ephemeral, roomIDs, r.userID)
	if err != nil {
		return err
	}
	for _, x := range own {
		read := reads[x.RoomID]
		switch x.ThreadID {
		case "":
			read.Unthreaded = max(read.Unthreaded, x.EventPos)
		case ephemeral.MainThread:
			read.Main = max(read.Main, x.EventPos)
		default:
			root := id.EventID(x.ThreadID)
			read.Threads[root] = max(read.Threads[root], x.EventPos)
		}
	}
	list := make([]push.Read, 0, len(reads))
	for _, read := range reads {
		list = append(list, *read)
	}
	counts, err := r.s.push.Unread(r.tx, push.Reader{UserID: r.userID, Pos: r.pos, RulesPos: r.rulesPos, Ignored: r.ignored, Standings: r.standings}, list)
	if err != nil {
		return err
	}
	threads := r.filter.Room.Timeline.UnreadThreadNotifications
	for roomID, j := range r.answer.Rooms.Join {
		u := counts[roomID]
		total := u.Total()
		if threads {
			total = u.Main
			j.UnreadThread = map[id.EventID]*unread{}
			for root, c := range u.Threads {
				j.UnreadThread[root] = &unread{c.Notifications, c.Highlights}
			}
		}
		j.Unread = &unread{total.Notifications, total.Highlights}
	}
	return nil
}
