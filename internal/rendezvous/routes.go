package rendezvous

import (
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// Routes are the endpoints of the package, as far as the configuration has them.
func (s *Service) Routes() []httpapi.Route {
	if !s.cfg.Enabled {
		return nil
	}
	const anyone, optional, cheap, expensive = httpapi.Anyone, httpapi.Optional, httpapi.Cheap, httpapi.Expensive
	routes := []httpapi.Route{
		// MSC4108 of 2024. Sessions have one path, whichever path made them.
		httpapi.Raw("POST /_matrix/client/unstable/org.matrix.msc4108/rendezvous", "createRendezvousETag", anyone, expensive, s.createByUnstablePath).SelfLimited().SigningIn().
			Fails(errcode.RendezvousLimit, errcode.Forbidden, errcode.MissingParam, errcode.InvalidParam, errcode.TooLarge),
		httpapi.Raw("GET /_matrix/client/unstable/org.matrix.msc4108/rendezvous/{sessionId}", "getRendezvousETag", anyone, cheap, s.readByETag).SelfLimited().
			Fails(errcode.RendezvousLimit, errcode.Forbidden, errcode.InvalidParam, errcode.NotFound),
		httpapi.Raw("PUT /_matrix/client/unstable/org.matrix.msc4108/rendezvous/{sessionId}", "putRendezvousETag", anyone, cheap, s.writeByETag).SelfLimited().
			Fails(errcode.RendezvousLimit, errcode.MissingParam, errcode.InvalidParam, errcode.TooLarge, errcode.NotFound, errcode.StaleETag, errcode.StaleETagUnstable),
		httpapi.Raw("DELETE /_matrix/client/unstable/org.matrix.msc4108/rendezvous/{sessionId}", "deleteRendezvousETag", anyone, cheap, s.removeByETag).SelfLimited().
			Fails(errcode.RendezvousLimit, errcode.NotFound),
	}
	if s.cfg.StablePaths {
		routes = append(routes,
			httpapi.JSON("GET /_matrix/client/v1/rendezvous", "getRendezvousAvailability", optional, cheap, s.discover).Guests().Suspended().
				Fails(errcode.Unrecognized, errcode.Forbidden),
			httpapi.Raw("POST /_matrix/client/v1/rendezvous", "createRendezvous", optional, expensive, s.createByStablePath).SelfLimited().SigningIn().Guests().Suspended().
				Fails(errcode.LimitExceeded, errcode.Unrecognized, errcode.MissingToken, errcode.Forbidden, errcode.NotJSON, errcode.BadJSON,
					errcode.RendezvousLimit, errcode.MissingParam, errcode.InvalidParam, errcode.TooLarge),
		)
	}
	if s.cfg.Mode == modeOff {
		return routes
	}
	// MSC4388.
	routes = append(routes,
		httpapi.JSON("GET /_matrix/client/unstable/io.element.msc4388/rendezvous", "getRendezvousAvailabilityUnstable", optional, cheap, s.discover).Guests().Suspended().
			Fails(errcode.Forbidden),
		httpapi.Raw("POST /_matrix/client/unstable/io.element.msc4388/rendezvous", "createRendezvousUnstable", optional, expensive, s.createBySequence).SigningIn().Guests().Suspended().
			Fails(errcode.MissingToken, errcode.Forbidden, errcode.NotJSON, errcode.BadJSON, errcode.MissingParam, errcode.InvalidParam, errcode.TooLarge),
		httpapi.Raw("GET /_matrix/client/unstable/io.element.msc4388/rendezvous/{id}", "getRendezvousUnstable", anyone, cheap, s.readBySequence).
			Fails(errcode.Forbidden, errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/unstable/io.element.msc4388/rendezvous/{id}", "putRendezvousUnstable", anyone, cheap, s.writeBySequenceUnstable).Body(maxBody).
			Fails(errcode.NotFound, errcode.StaleSequenceUnstable),
		httpapi.JSON("DELETE /_matrix/client/unstable/io.element.msc4388/rendezvous/{id}", "deleteRendezvousUnstable", anyone, cheap, s.removeBySequence).
			Fails(errcode.NotFound),
	)
	if !s.cfg.StablePaths {
		return routes
	}
	return append(routes,
		httpapi.Raw("GET /_matrix/client/v1/rendezvous/{id}", "getRendezvous", anyone, cheap, s.readBySequence).
			Fails(errcode.Forbidden, errcode.NotFound),
		httpapi.JSON("PUT /_matrix/client/v1/rendezvous/{id}", "putRendezvous", anyone, cheap, s.writeBySequence).Body(maxBody).
			Fails(errcode.NotFound, errcode.StaleSequence),
		httpapi.JSON("DELETE /_matrix/client/v1/rendezvous/{id}", "deleteRendezvous", anyone, cheap, s.removeBySequence).
			Fails(errcode.NotFound),
	)
}

// sessionURL is where a session of MSC4108 is, for its clients an opaque address.
func (s *Service) sessionURL(id string) string {
	return s.base + "/_matrix/client/unstable/org.matrix.msc4108/rendezvous/" + id
}
