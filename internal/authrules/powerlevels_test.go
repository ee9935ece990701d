package authrules

import (
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/id"
)

// levels returns an attempt to replace the standard levels, changed by pairs of old
// and new text.
func levels(sender id.UserID, pairs ...string) func(*room) *event.Event {
	content := strings.NewReplacer(pairs...).Replace(standardLevels)
	return sets(sender, event.TypePowerLevels, "", content)
}

func TestPowerLevelsForm(t *testing.T) {
	const scalar, maps, users = "10.1 9.1 9.1 9.1 9.1 10.1", "10.1 9.1 9.1 9.1 9.2 10.2", "10.1 9.1 9.1 9.1 9.3 10.3"
	set := func(content string) func(*room) *event.Event { return sets(admin, event.TypePowerLevels, "", content) }
	first := noState(event.TypePowerLevels)
	asCreator := func(content string) func(*room) *event.Event {
		return sets(creator, event.TypePowerLevels, "", content)
	}
	runCases(t, []testCase{
		{name: "the first levels", setup: first, try: asCreator(`{"users":{"@user:s":100}}`), rules: "ok"},
		{name: "the first levels, empty", setup: first, try: asCreator(`{}`), rules: "ok"},
		{name: "users is a list", try: set(`{"users":[]}`), rules: users, kind: Content},
		{name: "users holds a word", try: set(`{"users":{"@a:b":"x"}}`), rules: users, kind: Content},
		{name: "users names no user", try: set(`{"users":{"a":1}}`), rules: users, kind: Content},
		{name: "users is null", try: set(`{"users":null}`), rules: users, kind: Content},
		{name: "ban is an object", try: set(`{"ban":{}}`), rules: scalar, kind: Content},
		{name: "ban is true", try: set(`{"ban":true}`), rules: scalar, kind: Content},
		{name: "ban is null", try: set(`{"ban":null}`), rules: scalar, kind: Content},
		{name: "events is a list", try: set(`{"events":[]}`), rules: maps, kind: Content},
		{name: "notifications holds a list", try: set(`{"notifications":{"room":[]}}`), rules: maps, kind: Content},
		{name: "RE-94 ban is a string", try: set(`{"ban":" +050 "}`), rules: "ok ok ok ok 9.1 10.1", kind: Content},
		{name: "RE-94 a user's level is a string", try: levels(admin, `"@mod:s":50`, `"@mod:s":"50"`), rules: "ok ok ok ok 9.3 10.3", kind: Content},
		{name: "an event's level is a string", try: levels(admin, `"m.mine":0`, `"m.mine":"0"`), rules: "ok ok ok ok 9.2 10.2", kind: Content},
		{name: "ban is a fraction", try: func(r *room) *event.Event {
			if r.v.StrictJSON {
				return r.event(admin, event.TypePowerLevels, str(""), `{"ban":[]}`)
			}
			return r.event(admin, event.TypePowerLevels, str(""), `{"ban":60.9}`)
		}, rules: "ok 9.1 9.1 9.1 9.1 10.1", kind: Content},
		{name: "RE-57 the creator has a level", try: levels(admin, `"@mod:s":50`, `"@mod:s":50,"@creator:s":100`), rules: "ok ok ok ok ok 10.4", kind: Content},
	})
}

func TestPowerLevelChanges(t *testing.T) {
	const (
		scalarOld, scalarNew = "10.3.1 9.3.1 9.3.1 9.3.1 9.5.1 10.6.1", "10.3.2 9.3.2 9.3.2 9.3.2 9.5.2 10.6.2"
		eventOld, eventNew   = "10.4.1 9.4.1 9.4.1 9.4.1 9.6.1 10.7.1", "10.5.1 9.5.1 9.5.1 9.5.1 9.7.1 10.8.1"
		userOld, userNew     = "10.6.1 9.6.1 9.6.1 9.6.1 9.8.1 10.9.1", "10.7.1 9.7.1 9.7.1 9.7.1 9.9.1 10.10.1"
		noticeOld, noticeNew = "ok 9.4.1 9.4.1 9.4.1 9.6.1 10.7.1", "ok 9.5.1 9.5.1 9.5.1 9.7.1 10.8.1"
	)
	room60 := func(r *room) {
		r.set(creator, event.TypePowerLevels, "", strings.Replace(standardLevels, `"room":50`, `"room":60`, 1))
	}
	runCases(t, []testCase{
		{name: "no change", try: levels(mod), rules: "ok"},
		{name: "without the level for it", try: levels(user), rules: "8 7 7 7 7 8", kind: Power},
		{name: "a level above one's own is lowered", try: levels(mod, `"ban":60`, `"ban":50`), rules: scalarOld, kind: Power},
		{name: "a level above one's own is removed", try: levels(mod, `,"ban":60`, ``), rules: scalarOld, kind: Power},
		{name: "a level is raised above one's own", try: levels(mod, `"kick":50`, `"kick":51`), rules: scalarNew, kind: Power},
		{name: "a level is added above one's own", try: levels(mod, `"kick":50`, `"kick":50,"state_default":51`), rules: scalarNew, kind: Power},
		{name: "a default is written out", try: levels(mod, `"kick":50`, `"kick":50,"state_default":50`), rules: "ok"},
		{name: "a level is lowered", try: levels(mod, `"kick":50`, `"kick":20`), rules: "ok"},
		{name: "a level is removed", try: levels(mod, `"kick":50,`, ``), rules: "ok"},
		{name: "an event above one's own is lowered", try: levels(mod, `"m.special":100`, `"m.special":1`), rules: eventOld, kind: Power},
		{name: "an event above one's own is removed", try: levels(mod, `"m.special":100,`, ``), rules: eventOld, kind: Power},
		{name: "an event is raised above one's own", try: levels(mod, `"m.mine":0`, `"m.mine":51`), rules: eventNew, kind: Power},
		{name: "an event is added above one's own", try: levels(mod, `"m.mine":0`, `"m.mine":0,"m.new":51`), rules: eventNew, kind: Power},
		{name: "an event is added", try: levels(mod, `"m.mine":0`, `"m.mine":0,"m.new":50`), rules: "ok"},
		{name: "a notification is raised above one's own", try: levels(mod, `"room":50`, `"room":51`), rules: noticeNew, kind: Power},
		{name: "a notification above one's own is lowered", setup: room60, try: levels(mod), rules: noticeOld, kind: Power},
		{name: "an equal is lowered", try: levels(mod, `"@mod2:s":50`, `"@mod2:s":0`), rules: userOld, kind: Power},
		{name: "an equal is removed", try: levels(mod, `,"@mod2:s":50`, ``), rules: userOld, kind: Power},
		{name: "a superior is lowered", try: levels(mod, `"@admin:s":100`, `"@admin:s":0`), rules: userOld, kind: Power},
		{name: "an equal is lowered by a superior", try: levels(admin, `"@mod2:s":50`, `"@mod2:s":0`), rules: "ok"},
		{name: "oneself is lowered", try: levels(mod, `"@mod:s":50`, `"@mod:s":49`), rules: "ok"},
		{name: "oneself is removed", try: levels(mod, `"@mod:s":50,`, ``), rules: "ok"},
		{name: "oneself is raised", try: levels(mod, `"@mod:s":50`, `"@mod:s":51`), rules: userNew, kind: Power},
		{name: "a user is raised above oneself", try: levels(mod, `"@mod:s":50`, `"@mod:s":50,"@user:s":51`), rules: userNew, kind: Power},
		{name: "a user is raised to one's own level", try: levels(mod, `"@mod:s":50`, `"@mod:s":50,"@user:s":50`), rules: "ok"},
		{name: "the creator changes all", try: levels(creator, `"@admin:s":100`, `"@admin:s":500`), rules: "8 7 7 7 7 ok", kind: Power},
	})
}
