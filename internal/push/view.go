package push

import (
	"strconv"
	"strings"
	"sync"

	cj "github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/event"
)

// View is an event as push rules look at it. It does not change and may be shared
// between goroutines: it is made once for an event, for all who evaluate it.
type View struct {
	ev      *event.Event
	content []cj.Member
	body    func() (text string, there bool) // content.body in lower case
}

// NewView looks at an event.
func NewView(ev *event.Event) *View {
	v := &View{ev: ev}
	v.content, _ = cj.AppendMembers(nil, ev.Content) // the event was parsed before
	v.body = sync.OnceValues(func() (string, bool) {
		text, ok := cj.Text(cj.Get(v.content, "body"))
		return strings.ToLower(text), ok
	})
	return v
}

// text gives the string at a path, and false if there is none.
func (v *View) text(path []string) (string, bool) {
	if len(path) != 1 {
		return cj.Text(v.value(path))
	}
	switch path[0] {
	case "type":
		return v.ev.Type, true
	case "sender":
		return string(v.ev.Sender), true
	case "room_id":
		return string(v.ev.RoomID), true
	case "event_id":
		return string(v.ev.ID), true
	case "redacts":
		return string(v.ev.Redacts), v.ev.Redacts != ""
	case "state_key":
		if v.ev.StateKey != nil {
			return *v.ev.StateKey, true
		}
	}
	return "", false
}

// value gives the JSON at a path, or nil. An event has the members of its client
// form, without unsigned.
func (v *View) value(path []string) []byte {
	if path[0] == "content" {
		return v.inContent(path[1:])
	}
	if len(path) != 1 {
		return nil
	}
	if path[0] == "origin_server_ts" {
		return strconv.AppendInt(nil, v.ev.OriginServerTS, 10)
	}
	if text, ok := v.text(path); ok {
		return quote(text)
	}
	return nil
}

func (v *View) inContent(path []string) []byte {
	if len(path) == 0 {
		return v.ev.Content
	}
	value := cj.Get(v.content, path[0])
	for _, name := range path[1:] {
		members, err := cj.AppendMembers(nil, value)
		if err != nil {
			return nil // not an object
		}
		value = cj.Get(members, name)
	}
	return value
}

// splitPath splits a dot-separated path; "\." and "\\" stand for a dot and a
// backslash in a name, and any other backslash for itself (appendices,
// Dot-separated property paths).
func splitPath(key string) []string {
	var path []string
	var name strings.Builder
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key) && (key[i+1] == '.' || key[i+1] == '\\'):
			i++
			name.WriteByte(key[i])
		case key[i] == '.':
			path = append(path, name.String())
			name.Reset()
		default:
			name.WriteByte(key[i])
		}
	}
	return append(path, name.String())
}

// quote writes a text as canonical JSON.
func quote(text string) []byte { return cj.AppendString(nil, text) }
