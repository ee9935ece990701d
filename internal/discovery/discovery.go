package discovery

import (
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/event"
)

// Deps are what the service stands on.
type Deps struct {
	Config config.Config
	Signer event.Signer
}

// Service answers the endpoints of discovery.
type Service struct {
	cfg      config.Config
	signer   event.Signer
	features map[string]bool
}

// New makes the service.
func New(d Deps) *Service {
	return &Service{cfg: d.Config, signer: d.Signer, features: features(d.Config)}
}

// noRequest is the request of what takes no parameters.
type noRequest struct{}
