package reference

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes gives the endpoints in their order. It builds the server over a
// throwaway database, and needs no configuration.
func Routes(ctx context.Context, now func() time.Time) (routes []httpapi.Route, err error) {
	folder, err := os.MkdirTemp("", "narthex-routes-")
	if err != nil {
		return nil, fmt.Errorf("a folder for the throwaway database: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(folder)) }()
	cfg := config.Default()
	cfg.Identity.Enabled = true // its endpoints are to be listed, too
	cfg.Data, cfg.Database = folder, filepath.Join(folder, "narthex.db")
	a, err := app.Open(ctx, cfg, app.Seams{Now: now, Log: slog.New(slog.DiscardHandler), Unsynced: true})
	if err != nil {
		return nil, err
	}
	defer a.Close()
	return a.Routes(), nil
}
