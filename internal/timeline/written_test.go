package timeline

import (
	"testing"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// TestPagesAreWrittenAsEncoded holds that a page that writes itself is what an encoder
// would make of it.
func TestPagesAreWrittenAsEncoded(t *testing.T) {
	list := []jsontext.Value{jsontext.Value(`{"a":1}`), jsontext.Value(`{"b":"é\n"}`)}
	for _, page := range []getRoomEventsResponse{
		{},
		{Start: "s1", Chunk: list},
		{Start: "s1", End: "s2", Chunk: []jsontext.Value{}, State: []jsontext.Value{}},
		{Start: "s1", End: "s2", Chunk: list, State: list[:1]},
	} {
		want, err := json.Marshal(page)
		if err != nil {
			t.Fatal(err)
		}
		if got := page.AppendJSON(nil); string(got) != string(want) {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
}
