// Package identityserver speaks to identity servers for this homeserver and its
// users: it has addresses published and taken back, looks them up, and stores
// invitations for those that belong to nobody yet.
//
// It owns no tables and keeps nothing. Only servers that the configuration trusts are
// asked (threepid.trusted_identity_servers), and this server's own identity service
// where it is switched on. Requests go through the client of package outbound; those
// to the own service stay in the process, since a machine may not reach itself by its
// public name.
//
// It promises that no request is made to a server that is not trusted, that what an
// identity server refuses reaches the client under the same errcode where that is one
// of the specification, and that nothing an identity server answers ends the session
// of a client here.
//
// Specification: Identity Service API, version 2; client-server API, "Adding Account
// Administrative Contact Information".
package identityserver
