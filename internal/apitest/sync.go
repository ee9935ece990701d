package apitest

import (
	"encoding/json"
	"testing"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Event is an event as clients get it, as far as tests look at it.
type Event struct {
	Type     string          `json:"type"`
	StateKey *string         `json:"state_key"`
	EventID  id.EventID      `json:"event_id"`
	Sender   id.UserID       `json:"sender"`
	Content  json.RawMessage `json:"content"`
	Unsigned json.RawMessage `json:"unsigned"`
}

// Events is a list of events in an answer.
type Events struct {
	Events []Event `json:"events"`
}

// SyncRoom is a joined or left room in the answer of /sync.
type SyncRoom struct {
	Summary struct {
		Heroes  []id.UserID `json:"m.heroes"`
		Joined  *int        `json:"m.joined_member_count"`
		Invited *int        `json:"m.invited_member_count"`
	} `json:"summary"`
	State      *Events `json:"state"`
	StateAfter *Events `json:"state_after"`
	Timeline   struct {
		Events
		Limited   bool   `json:"limited"`
		PrevBatch string `json:"prev_batch"`
	} `json:"timeline"`
	Ephemeral   Events `json:"ephemeral"`
	AccountData Events `json:"account_data"`
	Unread      *struct {
		Notifications int `json:"notification_count"`
		Highlights    int `json:"highlight_count"`
	} `json:"unread_notifications"`
	UnreadThreads map[id.EventID]struct {
		Notifications int `json:"notification_count"`
	} `json:"unread_thread_notifications"`
}

// Sync is an answer of /sync.
type Sync struct {
	NextBatch   string `json:"next_batch"`
	AccountData Events `json:"account_data"`
	Presence    Events `json:"presence"`
	ToDevice    Events `json:"to_device"`
	Rooms       struct {
		Join   map[id.RoomID]*SyncRoom `json:"join"`
		Leave  map[id.RoomID]*SyncRoom `json:"leave"`
		Invite map[id.RoomID]struct {
			State Events `json:"invite_state"`
		} `json:"invite"`
		Knock map[id.RoomID]struct {
			State Events `json:"knock_state"`
		} `json:"knock"`
	} `json:"rooms"`
	DeviceLists struct {
		Changed []id.UserID `json:"changed"`
		Left    []id.UserID `json:"left"`
	} `json:"device_lists"`
	OneTimeKeys  map[string]int `json:"device_one_time_keys_count"`
	FallbackKeys []string       `json:"device_unused_fallback_key_types"`

	Body string `json:"-"`
}

// Sync asks /sync with a query such as "since=s5&timeout=0".
func (c *Client) Sync(t testing.TB, query string) *Sync {
	t.Helper()
	s := &Sync{}
	s.Body = string(c.Do(t, "GET", "/_matrix/client/v3/sync?"+query, nil).OK(t, s).Body)
	return s
}
