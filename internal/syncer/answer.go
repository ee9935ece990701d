package syncer

import (
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/id"
)

// eventList is a list of events of any kind.
type eventList struct {
	Events []jsontext.Value `json:"events"`
}

// plainEvent is an event that is in no room's history.
type plainEvent struct {
	Type    string    `json:"type"`
	Sender  id.UserID `json:"sender,omitempty"`
	Content any       `json:"content"`
}

type syncResponse struct {
	NextBatch   string       `json:"next_batch"`
	AccountData eventList    `json:"account_data"`
	Presence    eventList    `json:"presence"`
	Rooms       roomSections `json:"rooms"`
	ToDevice    eventList    `json:"to_device"`
	DeviceLists *deviceLists `json:"device_lists,omitzero"`

	OneTimeKeys  map[string]int64 `json:"device_one_time_keys_count"`
	FallbackKeys []string         `json:"device_unused_fallback_key_types"`
}

type roomSections struct {
	Join   map[id.RoomID]*joinedRoom  `json:"join"`
	Invite map[id.RoomID]*invitedRoom `json:"invite"`
	Knock  map[id.RoomID]*knockedRoom `json:"knock"`
	Leave  map[id.RoomID]*leftRoom    `json:"leave"`
}

type joinedRoom struct {
	Summary      *summary               `json:"summary,omitzero"`
	State        *eventList             `json:"state,omitzero"`
	StateAfter   *eventList             `json:"state_after,omitzero"`
	Timeline     timelineBatch          `json:"timeline"`
	Ephemeral    eventList              `json:"ephemeral"`
	AccountData  eventList              `json:"account_data"`
	Unread       *unread                `json:"unread_notifications,omitzero"`
	UnreadThread map[id.EventID]*unread `json:"unread_thread_notifications,omitempty"`
}

type leftRoom struct {
	State       *eventList    `json:"state,omitzero"`
	StateAfter  *eventList    `json:"state_after,omitzero"`
	Timeline    timelineBatch `json:"timeline"`
	AccountData eventList     `json:"account_data"`
}

type invitedRoom struct {
	State eventList `json:"invite_state"`
}

type knockedRoom struct {
	State eventList `json:"knock_state"`
}

type timelineBatch struct {
	Events    []jsontext.Value `json:"events"`
	Limited   bool             `json:"limited"`
	PrevBatch string           `json:"prev_batch"`
}

type summary struct {
	Heroes  []id.UserID `json:"m.heroes,omitempty"`
	Joined  int64       `json:"m.joined_member_count"`
	Invited int64       `json:"m.invited_member_count"`
}

type unread struct {
	Notifications int `json:"notification_count"`
	Highlights    int `json:"highlight_count"`
}

type deviceLists struct {
	Changed []id.UserID `json:"changed"`
	Left    []id.UserID `json:"left"`
}

// empty reports whether there is nothing for which to end the waiting.
func (a *syncResponse) empty() bool {
	return len(a.AccountData.Events) == 0 && len(a.Presence.Events) == 0 && len(a.ToDevice.Events) == 0 && a.DeviceLists == nil &&
		len(a.Rooms.Join) == 0 && len(a.Rooms.Invite) == 0 && len(a.Rooms.Knock) == 0 && len(a.Rooms.Leave) == 0
}
