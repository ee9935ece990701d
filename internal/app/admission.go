package app

import (
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// admission bounds what the server does at once; nil if the configuration does not. One
// room has half of the places of those who write: they share commits, so that more of
// them make it no slower, but other rooms need places, too.
func (a *App) admission(cfg config.Config, seams Seams) *httpapi.Admission {
	l := cfg.Limits
	if l.Concurrency == 0 {
		return nil
	}
	return httpapi.NewAdmission(httpapi.Capacity{
		AtOnce: l.Concurrency, Queue: l.Queue, Timeout: time.Duration(l.QueueTimeout),
		PerRoom: max(1, l.Concurrency/2), RoomQueue: l.RoomQueue,
	}, seams.Now)
}

// Loads says what there is to do, by kinds of requests.
func (a *App) Loads() []httpapi.Load { return a.server.Admission.Loads() }
