package rooms

import (
	"context"
	"errors"
	"maps"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/authrules"
	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

const tombstone = "m.room.tombstone"

type upgradeRoomRequest struct {
	RoomID             id.RoomID   `path:"roomId"`
	NewVersion         string      `json:"new_version" required:"true"`
	AdditionalCreators []id.UserID `json:"additional_creators"`
}

type upgradeRoomResponse struct {
	ReplacementRoom id.RoomID `json:"replacement_room"`
}

func (s *Service) upgradeRoom(ctx context.Context, call *httpapi.Call, req upgradeRoomRequest) (out upgradeRoomResponse, err error) {
	v, err := supportedVersion(req.NewVersion)
	if err != nil {
		return out, err
	}
	err = s.db.Write(ctx, func(tx *db.Tx) error {
		old, err := s.open(tx, req.RoomID)
		if errors.Is(err, db.ErrNoRow) {
			return notJoined(call.UserID, req.RoomID)
		}
		if err != nil {
			return err
		}
		u := upgrade{caller: call.UserID, additional: req.AdditionalCreators, old: old, next: s.begin(tx, v)}
		if err := u.run(); err != nil {
			return err
		}
		out.ReplacementRoom = u.next.id
		return errors.Join(old.close(), u.next.close())
	})
	return out, err
}

// upgrade replaces a room by one of another version (client-server API, Room
// upgrades).
type upgrade struct {
	caller     id.UserID
	additional []id.UserID
	old, next  *room
}

// carried is the state that goes into the new room. Memberships do not: nobody is
// spoken for. Power levels are written last, so that until then the creator may
// set everything, whatever power they have in the old room.
var carried = []authrules.Key{
	joinRulesKey, {Type: event.TypeHistoryVisibility}, guestAccessKey, {Type: "m.room.server_acl"}, {Type: "m.room.encryption"},
	{Type: "m.room.name"}, {Type: "m.room.topic"}, {Type: "m.room.avatar"}, canonicalAliasKey,
}

func (u *upgrade) run() error {
	if err := u.old.load(append([]authrules.Key{createKey, levelsKey, memberKey(u.caller), {Type: tombstone}}, carried...)...); err != nil {
		return err
	}
	if u.old.membership(u.caller) != event.Join {
		return notJoined(u.caller, u.old.id)
	}
	if err := u.old.needs(u.caller, u.old.levels().EventLevel(tombstone, true), "replace it by a new one"); err != nil {
		return err
	}
	// A room of version 12 has no id before it has its create event. Before that
	// version the new room names the last event of the old one, its tombstone.
	steps := []func() error{u.bury, u.create}
	if u.next.version.RoomIDIsCreateEvent {
		steps = []func() error{u.create, u.bury}
	}
	for _, step := range append(steps, u.carryState, u.moveAliases, u.silence) {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// bury puts the tombstone into the old room.
func (u *upgrade) bury() error {
	return u.append(u.old, tombstone, map[string]any{"body": "This room has been replaced", "replacement_room": u.next.id})
}

// create makes the new room and lets its creator join.
func (u *upgrade) create() error {
	v, before := u.next.version, u.old.get(event.TypeCreate, "").Create()
	predecessor := map[string]any{"room_id": u.old.id}
	content := map[string]any{"room_version": v.ID, "predecessor": predecessor}
	if !v.RoomIDIsCreateEvent {
		predecessor["event_id"] = u.old.get(tombstone, "").ID
	}
	if !v.ImplicitCreator {
		content["creator"] = u.caller
	}
	if v.PrivilegedCreators && len(u.additional) > 0 {
		content["additional_creators"] = u.additional
	}
	if before.Type != "" {
		content["type"] = before.Type
	}
	if !before.Federate {
		content["m.federate"] = false
	}
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	published, err := movePublication(u.old.tx, u.old.id)
	if err != nil {
		return err
	}
	if err := u.next.create(u.caller, raw, published); err != nil {
		return err
	}
	return u.next.setMembership(change{caller: u.caller, target: u.caller}, event.Join)
}

// carryState copies the state that makes the room what it is. What the new
// version cannot hold is left behind.
func (u *upgrade) carryState() error {
	for _, key := range carried {
		ev := u.old.state[key]
		if ev == nil {
			continue
		}
		content := []byte(ev.Content)
		if key == joinRulesKey && !knowsJoinRule(u.next.version, ev.JoinRule()) {
			content = []byte(`{"join_rule":"invite"}`)
		}
		_, err := u.next.append(Draft{Type: key.Type, StateKey: ev.StateKey, Sender: u.caller, Content: content})
		if err != nil && !refused(err) {
			return err
		}
	}
	return u.append(u.next, event.TypePowerLevels, u.levels())
}

func knowsJoinRule(v *event.Version, rule string) bool {
	switch rule {
	case "knock":
		return v.Knock
	case "restricted":
		return v.Restricted
	case "knock_restricted":
		return v.KnockRestricted
	}
	return true
}

// levels are the power levels of the old room in the form of the new version.
// Creators above all levels have none of their own; where the new version has no
// such creators, those of the old room get the highest level that anything needs.
func (u *upgrade) levels() map[string]any {
	levels := event.DefaultPowerLevels()
	creators := u.old.get(event.TypeCreate, "").Create().Creators
	users := map[id.UserID]int64{}
	if ev := u.old.get(event.TypePowerLevels, ""); ev == nil {
		for _, c := range creators {
			users[c] = 100
		}
	} else if stated, err := ev.PowerLevels(); err == nil {
		levels = stated
		maps.Copy(users, levels.Users)
	}
	events := maps.Clone(levels.Events)
	if events == nil {
		events = map[string]int64{}
	}
	switch {
	case u.next.version.PrivilegedCreators:
		delete(users, u.caller)
		for _, c := range u.additional {
			delete(users, c)
		}
		if !u.old.version.PrivilegedCreators {
			// As in other rooms with such creators, only they replace the room.
			events[tombstone] = max(levels.Event(tombstone, true), levels.StateDefault+1, creatorsLevel)
		}
	case u.old.version.PrivilegedCreators:
		highest := max(100, levels.StateDefault, levels.EventsDefault, levels.Ban, levels.Kick, levels.Redact, levels.Invite)
		for _, level := range events {
			highest = max(highest, level)
		}
		for _, c := range creators {
			users[c] = highest
		}
	}
	content := map[string]any{"users": writable(users), "events": writable(events), "notifications": writable(levels.Notifications)}
	for _, name := range event.LevelNames {
		level, _ := levels.Named(name)
		content[name] = writableLevel(level)
	}
	return content
}

// writable keeps levels within what a number in an event can be: as strings, up to
// version 9, they could be more.
func writable[K ~string](levels map[K]int64) map[K]int64 {
	out := make(map[K]int64, len(levels))
	for name, level := range levels {
		out[name] = writableLevel(level)
	}
	return out
}

func writableLevel(level int64) int64 {
	return max(-canonicaljson.MaxInteger, min(level, canonicaljson.MaxInteger))
}

// moveAliases lets the aliases of this server lead to the new room. The old one
// keeps none as its own.
func (u *upgrade) moveAliases() error {
	if err := moveAliases(u.old.tx, u.old.id, u.next.id); err != nil {
		return err
	}
	if u.old.state[canonicalAliasKey] == nil {
		return nil
	}
	return u.attempt(u.old, canonicalAlias, map[string]any{})
}

// silence raises what is needed to speak and to invite in the old room above what
// everyone has, if the caller may do that.
func (u *upgrade) silence() error {
	ev := u.old.get(event.TypePowerLevels, "")
	if ev == nil {
		return nil
	}
	levels, err := ev.PowerLevels()
	if err != nil {
		return nil //nolint:nilerr // such levels cannot be improved
	}
	content := map[string]any{}
	if err := addMembers(content, jsontext.Value(ev.Content)); err != nil {
		return err
	}
	quiet := max(50, levels.UsersDefault+1)
	content["events_default"] = max(quiet, levels.EventsDefault)
	content["invite"] = max(quiet, levels.Invite)
	return u.attempt(u.old, event.TypePowerLevels, content)
}

// append writes state with an empty key in the caller's name.
func (u *upgrade) append(r *room, eventType string, content map[string]any) error {
	raw, err := json.Marshal(content)
	if err != nil {
		return err
	}
	key := ""
	_, err = r.append(Draft{Type: eventType, StateKey: &key, Sender: u.caller, Content: raw})
	return err
}

// attempt is append for what may be refused without harm.
func (u *upgrade) attempt(r *room, eventType string, content map[string]any) error {
	if err := u.append(r, eventType, content); err != nil && !refused(err) {
		return err
	}
	return nil
}
