package app

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// writersOfRoom is how many requests that write to one room have a connection to
// PostgreSQL. One of them writes, and the other waits for the room's lock, ready to go
// on at once: more of them would only take connections from other rooms.
const writersOfRoom = 2

// admission bounds what the server does at once; nil if the configuration does not.
func (a *App) admission(cfg config.Config, seams Seams) *httpapi.Admission {
	l := cfg.Limits
	if l.Concurrency == 0 {
		return nil
	}
	perRoom := writersOfRoom
	if a.DB.Dialect() == db.SQLite { // there, writes to a room are no slower than others
		perRoom = max(1, l.Concurrency/2)
	}
	return httpapi.NewAdmission(httpapi.Capacity{
		AtOnce: l.Concurrency, Queue: l.Queue, Timeout: time.Duration(l.QueueTimeout),
		PerRoom: perRoom, RoomQueue: l.RoomQueue,
	}, seams.Now)
}

// Loads says what there is to do, by kinds of requests.
func (a *App) Loads() []httpapi.Load { return a.server.Admission.Loads() }
