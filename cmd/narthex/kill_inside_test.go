package main

import (
	"cmp"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
)

// open opens the database as it is, beside a server that runs or without one.
func (g grave) open(t *testing.T, f func(d *db.DB) error) {
	t.Helper()
	d, err := db.Open(t.Context(), db.Options{Database: cmp.Or(g.database, filepath.Join(g.data, "narthex.db")), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		err = errors.Join(f(d), d.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// halves are rows of which one should have been written with another, and was not. No
// moment, and so no kill, may show any.
var halves = []struct{ what, count string }{
	{"K1: rooms do not know their last event", `SELECT COUNT(*) FROM rooms r
		WHERE r.extremities <> (SELECT e.event_id FROM events e WHERE e.room_id = r.room_id ORDER BY e.pos DESC LIMIT 1)`},
	{"K1: events have a position that was not given out", `SELECT COUNT(*) FROM events WHERE pos > (SELECT pos FROM stream)`},
	{"K1: redactions have redacted nothing", `SELECT COUNT(*) FROM events r WHERE r.type = 'm.room.redaction'
		AND NOT EXISTS (SELECT 1 FROM events e WHERE e.event_id = r.redacts AND e.redacted_by IS NOT NULL)`},
	{"K1: state events are not in the state", `SELECT COUNT(*) FROM events e WHERE e.state_key IS NOT NULL
		AND NOT EXISTS (SELECT 1 FROM room_state st WHERE st.room_id = e.room_id AND st.type = e.type AND st.state_key = e.state_key AND st.event_pos = e.pos)`},
	{"K2: memberships are not those of the state", `SELECT COUNT(*) FROM room_state st
		LEFT JOIN room_members m ON m.room_id = st.room_id AND m.user_id = st.state_key AND m.event_pos = st.event_pos
		WHERE st.type = 'm.room.member' AND st.until_pos = 9223372036854775807 AND m.user_id IS NULL`},
	{"K2: rooms do not know how many are in them", `SELECT COUNT(*) FROM rooms r
		WHERE r.joined_count <> (SELECT COUNT(*) FROM room_members m WHERE m.room_id = r.room_id AND m.membership = 'join')`},
	{"rooms show an old name, and no job changes that", `SELECT COUNT(*) FROM room_members m WHERE m.membership = 'join' AND m.user_id LIKE '@namer:%'
		AND EXISTS (SELECT 1 FROM profile_fields p WHERE p.user_id = m.user_id AND p.name = 'displayname' AND p.searched <> lower(COALESCE(m.displayname, '')))
		AND NOT EXISTS (SELECT 1 FROM jobs j WHERE j.kind = 'profile.update_rooms' AND j.id LIKE m.user_id || ' %')`},
}

// lookForHalves reads the database as the last kill has left it.
func (w *world) lookForHalves() {
	w.t.Helper()
	w.grave.open(w.t, func(d *db.DB) error {
		return d.Read(w.t.Context(), func(tx *db.Tx) error {
			for _, h := range halves {
				n, err := db.Value[int64](tx, h.count)
				if err != nil {
					return err
				}
				if n > 0 {
					w.find("%s: %d", h.what, n)
				}
			}
			return nil
		})
	})
}

// lookInside ends the server and looks at what it leaves.
func (w *world) lookInside(t *testing.T) {
	for _, h := range w.halls {
		if err := h.whole(w); err != nil {
			w.find("history: %v", err)
		}
	}
	w.process.end()
	w.grave.inside(t, func(tx *db.Tx, a *app.App) error {
		if err := a.Accounts.CheckAuditLog(tx); err != nil {
			w.find("K15: %v", err)
		}
		if a.DB.Dialect() == db.Postgres {
			return nil
		}
		sound, err := db.Value[string](tx, `PRAGMA integrity_check`)
		if err == nil && sound != "ok" {
			w.find("the database is damaged: %s", sound)
		}
		return err
	})
}
