package notices

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package.
func (s *Service) Routes() []httpapi.Route {
	return []httpapi.Route{
		httpapi.JSON("POST /_synapse/admin/v1/send_server_notice", "sendServerNotice", httpapi.Admin, httpapi.Sending, s.sendServerNotice).
			Fails(errcode.NotFound, errcode.TooLarge),
	}
}
