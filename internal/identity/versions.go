package identity

import (
	"context"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// versions are those of the specification whose identity service is served, which
// has hardly changed since version 2 came.
var versions = []string{"r0.3.0", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11", "v1.12", "v1.13", "v1.14", "v1.15", "v1.16", "v1.17", "v1.18"}

type noRequest struct{}

type noResponse struct{}

type getVersionsResponse struct {
	Versions []string `json:"versions"`
}

func (s *Service) getVersions(context.Context, *httpapi.Call, noRequest) (getVersionsResponse, error) {
	return getVersionsResponse{versions}, nil
}

func (s *Service) ping(context.Context, *httpapi.Call, noRequest) (noResponse, error) {
	return noResponse{}, nil
}
