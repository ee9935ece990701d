package discovery

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type nothing struct{}

// getTurnServer answers that there is no TURN server: calls then use what the
// clients' own networks allow.
func (s *Service) getTurnServer(context.Context, *httpapi.Call, noRequest) (nothing, error) {
	return nothing{}, nil
}

// getProtocols answers that the server bridges to no other networks.
func (s *Service) getProtocols(context.Context, *httpapi.Call, noRequest) (nothing, error) {
	return nothing{}, nil
}
