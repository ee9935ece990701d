// Package admin is the administrators' API: who may come in (registrations that
// wait for approval, registration tokens), what accounts, devices and rooms there
// are, and the acts on accounts: create, change, lock, suspend, deactivate.
//
// It owns no tables. Its endpoints are those of the specification ("Server
// administration"), the ones of Synapse's admin API that tools for
// administrators use (docs/reference/synapse-admin-api.md lists them), and a few
// of its own under /_narthex.
//
// It promises that every act and its line in the audit log are written in one
// transaction; that the token is checked before anything is looked up; and that
// no administrator can lock themselves out: nobody demotes, locks, suspends or
// deactivates their own account here, so that one administrator remains, unless
// two remove each other at the same moment.
//
// Specification: client-server API, "Server administration"; MSC3866 for approval.
package admin
