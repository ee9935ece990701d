package timeline

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/event"
)

// Matches reports whether a filter lets an event through, as far as that can be
// said without the events that relate to it.
func Matches(f *accountdata.EventFilter, ev *event.Event) bool {
	hasURL := false
	if f.ContainsURL != nil {
		var content struct {
			URL jsontext.Value `json:"url"`
		}
		hasURL = json.Unmarshal(ev.Content, &content) == nil && content.URL.Kind() == '"'
	}
	return f.Matches(ev.Type, ev.Sender, hasURL)
}

// hasNewContent holds of a valid edit. That of an encrypted one cannot be seen.
func hasNewContent(ev *event.Event) bool {
	if ev.Type == "m.room.encrypted" {
		return true
	}
	var content struct {
		New jsontext.Value `json:"m.new_content"`
	}
	return json.Unmarshal(ev.Content, &content) == nil && content.New.Kind() == '{'
}
