// Package httpapi is the road between a request and a handler: routes, binding,
// the check of the access token, rate limits, and the one writer of errors.
//
// It promises that every answer under /_matrix, /_synapse and /_narthex is JSON
// with CORS headers, errors included; that a body reaches a handler only after
// its syntax, its size and each parameter have been checked; that an error has
// exactly the wire form that the catalogue gives it; and that a route answers no
// code that it does not declare (tests hold that, by [Server.Observe]).
//
// It knows nothing of Matrix features: who a token belongs to is asked of
// [Server.Authenticate].
package httpapi
