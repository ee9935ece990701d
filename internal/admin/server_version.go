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

// getServerVersion names the program and the version that it was built from.
func (s *Service) getServerVersion(context.Context, *httpapi.Call, getServerVersionRequest) (getServerVersionResponse, error) {
	version := "(devel)"
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		version = info.Main.Version
	}
	return getServerVersionResponse{ServerVersion: "Narthex " + version}, nil
}
