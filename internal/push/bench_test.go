package push

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/go-json-experiment/json/jsontext"
)

// BenchmarkEvaluate asks what the rules of one user say of one event: those that
// everybody has, and with thirty words, twenty rooms and twenty people of the
// user's own.
func BenchmarkEvaluate(b *testing.B) {
	own := maps.Clone(defaults)
	rule := func(id string) Rule {
		return Rule{RuleID: id, Enabled: true, Actions: []jsontext.Value{jsontext.Value(`"notify"`)}}
	}
	for i := range 30 {
		r := rule(fmt.Sprint("word", i))
		r.Pattern = fmt.Sprintf("word%d", i)
		own[Content] = append(slices.Clip(own[Content]), r)
	}
	for i := range 20 {
		own[InRoom] = append(slices.Clip(own[InRoom]), rule(fmt.Sprintf("!room%d:example.org", i)))
		own[FromUser] = append(slices.Clip(own[FromUser]), rule(fmt.Sprintf("@user%d:example.org", i)))
	}
	events := map[string]string{
		"message": `{"body":"Shall we meet at \"Café Zoë\" at eight? 🙂","format":"org.matrix.custom.html","formatted_body":"Shall we meet at <em>Café Zoë</em> at eight? 🙂","m.mentions":{},"msgtype":"m.text"}`,
		"mention": `{"body":"Alice, shall we meet?","m.mentions":{"user_ids":["@carol:example.org","@alice:example.org"]},"msgtype":"m.text"}`,
	}
	room := Room{UserID: alice, DisplayName: "Alice", Members: 300}
	for _, rules := range []struct {
		name  string
		rules *Rules
	}{{"default", defaultRules}, {"own", compile(own)}} {
		for _, name := range []string{"message", "mention"} {
			b.Run(rules.name+"/"+name, func(b *testing.B) {
				v := NewView(sent("m.room.message", events[name]))
				b.ReportAllocs()
				for b.Loop() {
					if !rules.rules.Evaluate(v, &room).Notify {
						b.Fatal("it does not notify")
					}
				}
			})
		}
	}
}

// BenchmarkNewView looks at an event, which is done once for all who evaluate it.
func BenchmarkNewView(b *testing.B) {
	ev := sent("m.room.message", `{"body":"Shall we meet?","m.mentions":{},"msgtype":"m.text"}`)
	b.ReportAllocs()
	for b.Loop() {
		NewView(ev)
	}
}
