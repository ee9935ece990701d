package identity

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

// signRequest gives the Authorization header of a request to a homeserver.
func (s *Service) signRequest(method, uri string, destination id.ServerName, body []byte) (string, error) {
	return xmatrix.Request{Method: method, URI: uri, Origin: string(s.name), Destination: string(destination), DestinationName: xmatrix.Destination, Body: body}.
		Sign(s.key.ID, s.key.Private)
}

var (
	errHeader      = errors.New("the Authorization header cannot be read")
	errOrigin      = errors.New("the request comes from another homeserver than the user's")
	errDestination = errors.New("the request is for another server")
)

// verifyRequest checks that a request was signed by a homeserver, with a key that
// the homeserver has now.
//
// Homeservers do not agree on what the destination of a request to an identity
// service is: the specification says `destination`, while Synapse signs
// `destination_is`; and some name the server, others the host that clients were
// given. Each of these is taken, since all of them name this service.
func (s *Service) verifyRequest(ctx context.Context, call *httpapi.Call, r *http.Request, body []byte, server id.ServerName) error {
	claims, ok := xmatrix.Parse(r.Header.Get("Authorization"))
	if !ok || len(r.Header.Values("Authorization")) != 1 {
		return errHeader
	}
	destinations := s.names()
	if named := id.ServerName(claims["destination"]); named != "" {
		if !slices.Contains(destinations, named) {
			return errDestination
		}
		destinations = []id.ServerName{named}
	}
	if claims["origin"] != string(server) {
		return errOrigin
	}
	key, err := s.homeserverKey(ctx, call, server, claims["key"])
	if err != nil {
		return err
	}
	for _, destination := range destinations {
		for _, name := range []string{xmatrix.Destination, xmatrix.DestinationIs} {
			signed := xmatrix.Request{Method: r.Method, URI: r.URL.RequestURI(), Origin: string(server), Destination: string(destination), DestinationName: name, Body: body}
			if err = signed.Verify(claims["sig"], key); err == nil {
				return nil
			}
		}
	}
	return err
}

func (s *Service) homeserverKey(ctx context.Context, call *httpapi.Call, server id.ServerName, keyID string) (ed25519.PublicKey, error) {
	if !s.isHome(server) {
		return s.remote.key(ctx, server, keyID, call.Now)
	}
	key, ok := s.home.Keys[keyID]
	if !ok {
		return nil, fmt.Errorf("%w: it has no such key", errRefused)
	}
	return key, nil
}
