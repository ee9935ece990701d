package identityserver

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"slices"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/validation"
	"github.com/narthex-matrix/narthex/internal/xmatrix"
)

// notTrusted is the answer to a client that names a server that is not trusted.
func notTrusted() error {
	return errcode.ServerNotTrusted.New("This server does not work with that identity server. Its administrator decides which ones it trusts.")
}

// Bound is an association that an identity server has published.
type Bound struct {
	Medium  validation.Medium `json:"medium"`
	Address string            `json:"address"`
	UserID  id.UserID         `json:"mxid"`
}

// BindFailures are the codes that [Service.Bind] fails with, beside Unknown and
// LimitExceeded.
var BindFailures = []*errcode.Code{
	errcode.ServerNotTrusted, errcode.IdentityUnauthorized, errcode.NotYours, errcode.TermsNotSigned,
	errcode.NoValidSession, errcode.SessionExpired, errcode.SessionNotValidated, errcode.InvalidParam,
}

// Bind has an identity server publish that the address of one of its validation
// sessions is the user's. The token is the user's at the identity server.
func (s *Service) Bind(ctx context.Context, server, token, sid, clientSecret string, user id.UserID) (bound Bound, err error) {
	if !s.Trusts(server) {
		return bound, notTrusted()
	}
	err = s.do(ctx, request{method: http.MethodPost, server: server, path: bindPath, authorization: bearer(token), body: map[string]string{
		"sid": sid, "client_secret": clientSecret, "mxid": string(user),
	}}, &bound)
	if err == nil && (bound.UserID != user || bound.Medium == "" || bound.Address == "") {
		err = errors.New("the identity server does not say what it has bound to whom")
	}
	if err != nil {
		return Bound{}, passOn(err, BindFailures...)
	}
	return bound, nil
}

// ErrNoUnbinding says that an identity server does not take the association back, and
// will not do so later.
var ErrNoUnbinding = errors.New("the identity server does not support this")

// Unbind has an identity server take back that an address is the user's, by a request
// in the name of the homeserver. It succeeds where there was nothing to take back. It
// fails with ErrNoUnbinding, or with another error after which it may be tried again.
//
// Identity servers do not agree on how a request to them is signed: the specification
// and Sydent differ. Who refuses the one signature gets the other.
func (s *Service) Unbind(ctx context.Context, server string, medium validation.Medium, address string, user id.UserID) error {
	if !s.Trusts(server) {
		return ErrNoUnbinding
	}
	body, err := json.Marshal(map[string]any{
		"mxid": user, "threepid": map[string]any{"medium": medium, "address": address},
	}, json.Deterministic(true))
	if err != nil {
		return err
	}
	err = s.unbind(ctx, server, xmatrix.Destination, body)
	if refused, ok := errors.AsType[*refusal](err); ok && (refused.status == http.StatusUnauthorized || refused.status == http.StatusForbidden) {
		err = s.unbind(ctx, server, xmatrix.DestinationIs, body)
	}
	if refused, ok := errors.AsType[*refusal](err); ok && refused.status != http.StatusTooManyRequests {
		return errors.Join(ErrNoUnbinding, err)
	}
	return err
}

func (s *Service) unbind(ctx context.Context, server, destinationName string, body []byte) error {
	authorization, err := xmatrix.Request{
		Method: http.MethodPost, URI: unbindPath, Origin: string(s.signer.Server), Destination: server, DestinationName: destinationName, Body: body,
	}.Sign(s.signer.KeyID, s.signer.Key)
	if err != nil {
		return err
	}
	var nothing struct{}
	return s.send(ctx, request{method: http.MethodPost, server: server, path: unbindPath, authorization: authorization}, body, &nothing)
}

// The algorithms of look-ups (Identity Service API, "Association lookup").
const (
	Hashed = "sha256"
	Plain  = "none"
)

// LookupHash is the form of an address in look-ups by [Hashed].
func LookupHash(medium validation.Medium, address, pepper string) string {
	sum := sha256.Sum256([]byte(address + " " + string(medium) + " " + pepper))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// LookupFailures are the codes that [Service.Lookup] fails with, beside Unknown and
// LimitExceeded.
var LookupFailures = []*errcode.Code{errcode.ServerNotTrusted, errcode.IdentityUnauthorized, errcode.TermsNotSigned}

// Lookup asks an identity server whose address it is: "" if nobody has published it.
// The address is in its canonical form, and goes as a hash where the identity server
// takes one. The token is that of the user who asks.
func (s *Service) Lookup(ctx context.Context, server, token string, medium validation.Medium, address string) (id.UserID, error) {
	if !s.Trusts(server) {
		return "", notTrusted()
	}
	user, err := s.lookup(ctx, server, token, medium, address)
	if refused, ok := errors.AsType[*refusal](err); ok && refused.Errcode == errcode.InvalidPepper.Name {
		user, err = s.lookup(ctx, server, token, medium, address) // it changed in between
	}
	if err != nil {
		return "", passOn(err, LookupFailures...)
	}
	return user, nil
}

func (s *Service) lookup(ctx context.Context, server, token string, medium validation.Medium, address string) (id.UserID, error) {
	var how struct {
		Pepper     string   `json:"lookup_pepper"`
		Algorithms []string `json:"algorithms"`
	}
	if err := s.do(ctx, request{method: http.MethodGet, server: server, path: hashDetailsPath, authorization: bearer(token)}, &how); err != nil {
		return "", err
	}
	algorithm, asked := Hashed, LookupHash(medium, address, how.Pepper)
	if !slices.Contains(how.Algorithms, Hashed) {
		if !slices.Contains(how.Algorithms, Plain) {
			return "", errors.New("the identity server has no algorithm that is known")
		}
		algorithm, asked = Plain, address+" "+string(medium)
	}
	var found struct {
		Mappings map[string]id.UserID `json:"mappings"`
	}
	err := s.do(ctx, request{method: http.MethodPost, server: server, path: lookupPath, authorization: bearer(token), body: map[string]any{
		"algorithm": algorithm, "pepper": how.Pepper, "addresses": []string{asked},
	}}, &found)
	return found.Mappings[asked], err
}
