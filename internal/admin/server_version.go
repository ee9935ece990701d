package admin

import (
	"context"
	"runtime/debug"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type getServerVersionRequest struct{}

type getServerVersionResponse struct {
	ServerVersion string `json:"server_version"`
}

func (s *Service) getServerVersion(context.Context, *httpapi.Call, getServerVersionRequest) (getServerVersionResponse, error) {
	return getServerVersionResponse{ServerVersion: Version()}, nil
}

// Version names the program and the version that it was built from.
func Version() string {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return "Narthex " + version
}
