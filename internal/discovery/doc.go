// Package discovery tells clients and other servers what this server is and can
// do: the versions of the specification, capabilities, the well-known files, its
// signing key, TURN servers and third-party protocols.
//
// It owns no table. Nearly all of its answers follow from the configuration alone.
// What it claims must be true: a version of the specification is listed when what
// clients do by that version's number works.
//
// Client-server API: Server discovery, API versions, Capabilities negotiation;
// server-server API: Publishing Keys.
package discovery
