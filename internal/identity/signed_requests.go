package identity

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

// scheme is the authentication scheme of requests between servers (server-server
// API, "Request Authentication").
const scheme = "X-Matrix"

// signRequest gives the Authorization header of a request to a homeserver.
func (s *Service) signRequest(method, uri string, destination id.ServerName, body []byte) (string, error) {
	object, err := canonicaljson.Canonical(requestObject(method, uri, string(s.name), "destination", string(destination), body))
	if err != nil {
		return "", err
	}
	signature := canonicaljson.EncodeBase64(ed25519.Sign(s.key.Private, object))
	return fmt.Sprintf(`%s origin="%s",destination="%s",key="%s",sig="%s"`, scheme, s.name, destination, s.key.ID, signature), nil
}

// requestObject is what the signature of a request covers. The destination is a
// member of its own name.
func requestObject(method, uri, origin, destinationName, destination string, body []byte) []byte {
	var members []canonicaljson.Member
	for name, value := range map[string]string{"method": method, "uri": uri, "origin": origin, destinationName: destination} {
		members = canonicaljson.Set(members, name, canonicaljson.AppendString(nil, value))
	}
	return canonicaljson.AppendObject(nil, canonicaljson.Set(members, "content", body))
}

// isSigned reports whether a request claims to come from a homeserver.
func isSigned(r *http.Request) bool {
	name, _, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	return strings.EqualFold(name, scheme)
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
	claims, ok := parseXMatrix(r.Header.Get("Authorization"))
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
		for _, name := range []string{"destination", "destination_is"} {
			object := requestObject(r.Method, r.URL.RequestURI(), string(server), name, string(destination), body)
			if err = verify(object, string(server), claims["key"], claims["sig"], key); err == nil {
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

// verify checks a signature that stands beside its object.
func verify(object []byte, server, keyID, signature string, key ed25519.PublicKey) error {
	raw, err := canonicaljson.DecodeBase64(signature)
	if err != nil {
		return canonicaljson.ErrBadSignature
	}
	canon, err := canonicaljson.CanonicalLoose(object)
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, canon, raw) {
		return canonicaljson.ErrBadSignature
	}
	return nil
}
