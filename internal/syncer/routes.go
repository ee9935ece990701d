package syncer

import "github.com/narthex-matrix/narthex/internal/httpapi"

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("GET /_matrix/client/v3/sync", "sync", httpapi.User, httpapi.Cheap, s.sync).Waits().Guests().Suspended(),
	}
}
