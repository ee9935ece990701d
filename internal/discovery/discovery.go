package discovery

import (
	"github.com/narthex-matrix/narthex/internal/config"
)

// Deps are what the service stands on.
type Deps struct {
	Config config.Config
}

// Service answers the endpoints of discovery.
type Service struct {
	cfg      config.Config
	features map[string]bool
}

// New makes the service.
func New(d Deps) *Service { return &Service{cfg: d.Config, features: features(d.Config)} }

// noRequest is the request of what takes no parameters.
type noRequest struct{}
