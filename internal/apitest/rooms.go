package apitest

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/narthex-matrix/narthex/internal/id"
)

// Room is a room as its creator sees it.
type Room struct {
	ID      id.RoomID
	Creator *Client
}

// CreateRoom makes a room. Each body is an object of createRoom's members, as Go
// value or JSON text; without one the room is public.
func (c *Client) CreateRoom(t testing.TB, body ...any) *Room {
	t.Helper()
	var request any = map[string]any{"preset": "public_chat"}
	if len(body) > 0 {
		request = body[0]
	}
	var created struct {
		RoomID id.RoomID `json:"room_id"`
	}
	c.Do(t, "POST", "/_matrix/client/v3/createRoom", request).OK(t, &created)
	return &Room{ID: created.RoomID, Creator: c}
}

// Path is a path below the room: Path("/invite").
func (r *Room) Path(rest string) string {
	return "/_matrix/client/v3/rooms/" + Escape(r.ID) + rest
}

// Join brings users in.
func (r *Room) Join(t testing.TB, users ...*Client) *Room {
	t.Helper()
	for _, u := range users {
		u.Do(t, "POST", r.Path("/join"), map[string]any{}).OK(t, nil)
	}
	return r
}

// Invite invites users in the creator's name.
func (r *Room) Invite(t testing.TB, users ...*Client) *Room {
	t.Helper()
	for _, u := range users {
		r.Creator.Do(t, "POST", r.Path("/invite"), map[string]any{"user_id": u.UserID}).OK(t, nil)
	}
	return r
}

var transactions atomic.Int64

// TxnID is a transaction id that no other request has.
func TxnID() string { return fmt.Sprint("t", transactions.Add(1)) }

// Send sends a text message and gives the event's id.
func (r *Room) Send(t testing.TB, as *Client, text string) id.EventID {
	t.Helper()
	return r.SendEvent(t, as, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

// SendEvent sends an event and gives its id.
func (r *Room) SendEvent(t testing.TB, as *Client, eventType string, content any) id.EventID {
	t.Helper()
	var sent struct {
		EventID id.EventID `json:"event_id"`
	}
	as.Do(t, "PUT", r.Path("/send/"+Escape(eventType)+"/"+TxnID()), content).OK(t, &sent)
	return sent.EventID
}

// SetState sets state and gives the event's id. The key is "type" or "type/key".
func (r *Room) SetState(t testing.TB, as *Client, key string, content any) id.EventID {
	t.Helper()
	eventType, stateKey, _ := strings.Cut(key, "/")
	var sent struct {
		EventID id.EventID `json:"event_id"`
	}
	as.Do(t, "PUT", r.Path("/state/"+Escape(eventType)+"/"+Escape(stateKey)), content).OK(t, &sent)
	return sent.EventID
}
