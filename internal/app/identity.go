package app

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/event"
	"github.com/narthex-matrix/narthex/internal/identity"
	"github.com/narthex-matrix/narthex/internal/outbound"
)

func (a *App) openOutbound(cfg config.Config) error {
	roots, err := outbound.Roots(cfg.Outbound.Authorities)
	if err != nil {
		return fmt.Errorf("outbound.authorities: %w", err)
	}
	a.out = outbound.New(outbound.Options{Allowed: config.Networks(cfg.Outbound.AllowedNetworks), Roots: roots})
	a.closers = append(a.closers, a.out.CloseIdleConnections)
	return nil
}

// loadIdentityKey gives the key of the identity service, if there is to be one.
func loadIdentityKey(ctx context.Context, d *db.DB, cfg config.Config) (key identity.Key, err error) {
	if !cfg.Identity.Enabled {
		return key, nil
	}
	if key, err = identity.Load(ctx, d); err != nil {
		err = fmt.Errorf("the key of the identity service: %w", err)
	}
	return key, err
}

// homeserver is what the identity service in this process asks the homeserver in it.
func (a *App) homeserver(signer event.Signer) *identity.Homeserver {
	return &identity.Homeserver{
		OpenIDUser: a.OAuth.OpenIDUser,
		Keys:       map[string]ed25519.PublicKey{signer.KeyID: signer.Key.Public().(ed25519.PublicKey)},
		// The rooms are built after the identity service.
		OnBind: func(ctx context.Context, notice []byte) error { return a.Rooms.OnBind(ctx, notice) },
	}
}
