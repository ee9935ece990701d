// Package identity is the identity service: it knows which mail address or phone
// number belongs to which Matrix user, because the owners of the addresses have
// told it so, and tells whoever asks for an address that they know already.
//
// It owns the endpoints under the identity service's version 2, the tables
// `identity_keys`, `identity_tokens`, `identity_accepted_terms`, `identity_pepper`,
// `identity_associations` and `identity_invites`, and the jobs "identity.rotate",
// "identity.sweep" and "identity.onbind". It stands beside the homeserver and knows
// nothing of its accounts: users of any homeserver prove who they are by an OpenID
// token, and get a token of this service, of which only the hash is stored.
//
// An address is bound to one user at a time, by whoever has shown in a validation
// session (package validation) that it is theirs. Look-ups compare hashes under a
// pepper that changes: the pepper and all hashes change in one transaction, so that
// every look-up sees the old ones or the new ones. Invitations for addresses that
// belong to nobody are kept, and the homeserver of the user who binds the address
// later is told of them, once at least.
//
// What it signs, associations and notices, it signs with a key of its own, under
// the server's name. Requests to homeservers go through package outbound.
//
// Specification: Identity Service API, version 2.
package identity
