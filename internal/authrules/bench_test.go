package authrules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/event"
)

// BenchmarkCheck authorizes what rooms see most, in one with a hundred users whose
// power levels are stated. The last of the cases is refused.
func BenchmarkCheck(b *testing.B) {
	var users strings.Builder
	for i := range 100 {
		fmt.Fprintf(&users, `"@user%d:s":10,`, i)
	}
	levels := func(of string) string {
		return `{"ban":50,"events":{"m.room.name":50,"m.room.power_levels":50},"users":{` + users.String() + of + `}}`
	}
	r := newRoom(b, "12")
	r.set(admin, event.TypePowerLevels, "", levels(`"@admin:s":100,"@mod:s":50`))
	for _, c := range []struct {
		name string
		ev   *event.Event
		rule string
	}{
		{"message", r.event(user, "m.room.message", nil, `{"msgtype":"m.text","body":"hi"}`), ""},
		{"state", r.event(mod, "m.room.name", str(""), `{"name":"Kitchen"}`), ""},
		{"join", r.event(never, event.TypeMember, str(string(never)), `{"membership":"join","displayname":"Never"}`), ""},
		{"ban", r.event(mod, event.TypeMember, str(string(user)), `{"membership":"ban"}`), ""},
		{"levels", r.event(admin, event.TypePowerLevels, str(""), levels(`"@admin:s":100,"@mod:s":50,"@user:s":50`)), ""},
		{"refused", r.event(user, "m.room.name", str(""), `{"name":"Mine"}`), "8"},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if got := Check(c.ev, r.state); (got == nil) != (c.rule == "") || got != nil && got.Rule != c.rule {
					b.Fatal(got)
				}
			}
		})
	}
}

// BenchmarkAuthEventKeys selects the auth events of a message and of a join.
func BenchmarkAuthEventKeys(b *testing.B) {
	v, _ := event.VersionByID("12")
	for name, d := range map[string]event.Draft{
		"message": {Type: "m.room.message", Sender: user},
		"join":    {Type: event.TypeMember, Sender: user, StateKey: str(string(user)), Content: []byte(`{"displayname":"User","membership":"join"}`)},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if len(AuthEventKeys(v, d)) < 2 {
					b.Fatal("too few")
				}
			}
		})
	}
}
