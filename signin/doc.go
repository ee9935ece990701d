// Package signin signs a program in to any Matrix homeserver by OAuth 2.0, and
// keeps it signed in.
//
// A tour, in the order of a sign-in:
//
//   - [Client.Discover] takes what a person types, a server name or a base URL,
//     and finds the homeserver and the endpoints of its OAuth 2.0 server.
//   - [Homeserver.Register] makes the program known there and gives a client ID.
//   - [NewDeviceID] and [Homeserver.Scope] say what to ask for.
//   - With a browser on this device: [Homeserver.StartCode] gives the URL to open,
//     [Homeserver.Exchange] takes the URL that the browser was sent back to.
//   - Without one: [Homeserver.StartDevice] gives a URL and a code to show, and
//     [Homeserver.WaitDevice] waits until the user has agreed on another device.
//   - [Homeserver.Begin] stores the new session, asks whose it is, and gives a
//     [Transport]: an http.RoundTripper that adds the access token to requests and
//     replaces it in time. After a restart, [Client.Resume] gives the Transport.
//   - [Transport.SignOut] revokes the tokens.
//
// # What it promises
//
// New tokens are handed to the program's Save function before they are used. A
// server accepts the old refresh token until one of the new tokens has been used,
// so a crash at any point leaves a token that works.
//
// Tokens go to the homeserver's origin and to the endpoints in its metadata, and
// nowhere else: redirects of requests that carry a token or a code are not
// followed. All URLs are https; http is accepted for a homeserver on the loopback
// interface, for development.
//
// Every answer is limited in size and every request in time. Errors are values of
// few types: [*DiscoveryError] and [*MetadataError] while looking for the server,
// [*OAuthError] and [*MatrixError] for what the server refused, [*AnswerError] for
// answers that cannot be understood; errors.Is finds [ErrNoOAuth],
// [ErrNoDeviceGrant], [ErrAccessDenied], [ErrExpired], [ErrWrongCallback] and
// [ErrLoggedOut].
//
// # Where to read on
//
// Client-server API, "OAuth 2.0 API" and "Server discovery"; RFC 6749, 7009, 7591,
// 7636, 8414, 8628, 9207; MSC2964, MSC2965, MSC2966, MSC2967, MSC4341.
package signin
