package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// drainTimeout is how long a request under way may take when the server stops.
const drainTimeout = 10 * time.Second

var errStopping = errors.New("the server is stopping")

// Ready reports why the server cannot answer requests, or nil.
func (a *App) Ready(ctx context.Context) error {
	if a.stopping.Load() {
		return errStopping
	}
	return a.DB.Ping(ctx)
}

// Serve answers requests on the listeners and works jobs until the context ends.
// Then it drains: [App.Ready] fails, long polls are answered, requests under way
// have ten seconds, and SQLite's log is written into its file. It closes the
// listeners, and returns nil after an orderly end.
func (a *App) Serve(ctx context.Context, listeners []net.Listener) error {
	a.server.Admission.Watch()
	gate := httpapi.NewGate(a.Config.Limits.MaxConnections, a.server.TrustedProxies)
	web := a.server.HTTPServer()
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	web.BaseContext = func(net.Listener) context.Context { return work }

	failed := make(chan error, len(listeners))
	var running sync.WaitGroup
	for _, l := range listeners {
		running.Go(func() {
			if err := web.Serve(gate.Guard(l)); !errors.Is(err, http.ErrServerClosed) {
				failed <- fmt.Errorf("listening on %s: %w", l.Addr(), err)
			}
		})
	}
	running.Go(func() { a.Run(work) })

	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
	}
	a.drain(work, web)
	stopWork()
	running.Wait()
	if a.DB.Dialect() == db.SQLite {
		err = errors.Join(err, a.DB.Checkpoint(context.WithoutCancel(ctx)))
	}
	return err
}

// drain lets the requests under way end, and cuts off those that do not.
func (a *App) drain(ctx context.Context, web *http.Server) {
	a.stopping.Store(true)
	ctx, cancel := context.WithTimeout(ctx, drainTimeout)
	defer cancel()
	if err := a.server.Shutdown(ctx, web); err != nil {
		a.log.Warn("requests were cut off", "err", err)
		_ = web.Close() // nothing is left to be lost
	}
}
