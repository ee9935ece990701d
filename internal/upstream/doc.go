// Package upstream has people vouched for by OpenID Connect providers of the
// operator's choice, and knows which account belongs to whom there.
//
// It owns the tables `upstream_logins` (browsers that are at a provider),
// `upstream_enrolments` (people who have come back and have no account yet),
// `upstream_links`, `upstream_closed` (people whose account is closed) and
// `upstream_logouts` (logout tokens that were used), and the jobs "upstream.sweep" and
// "upstream.forget". The pages on which it happens are those of package web.
//
// A browser is sent to the provider with a state that is good once, for ten minutes,
// and in that browser alone; the nonce and the verifier of PKCE are made from it and
// from a secret of the browser, so that none of the three is stored.
//
// It promises that nobody is vouched for but by a signed ID token of the provider
// that the browser was sent to, made for this server and this one sign-in; that an
// account is found by what the provider never gives to another person, or, where the
// operator says so, by an address that both sides have verified; and that a link is
// made in the same step as what it is made for. All requests go by the guarded client
// of package outbound.
//
// OpenID Connect Core 1.0, Discovery 1.0 and Back-Channel Logout 1.0; RFC 7636 (PKCE), RFC 9207 (issuer), RFC
// 9700 (best current practice).
package upstream
