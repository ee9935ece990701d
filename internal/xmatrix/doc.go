// Package xmatrix signs and verifies requests between servers: the authentication
// scheme X-Matrix.
//
// A signature covers the method, the path and query as they go on the wire, who asks
// whom, and the body. Which key a server has is for the callers to know.
//
// Specification: server-server API, "Request Authentication".
package xmatrix
