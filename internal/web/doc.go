// Package web answers the browsers of people: the pages on which they sign in, make
// an account, let an app or another device use it, and look after it.
//
// It owns the paths of the pages and their forms; no tables. How the pages look is
// package page's matter, who comes to them package visitor's, and what they do is that
// of accounts, oauth and profile.
//
// It promises that a GET changes nothing, but for one that comes back from a provider of
// single sign-on with what only the provider and this browser know; that a POST does nothing unless its form
// was made for the browser that sends it, in the session that it has now; that
// nobody is sent anywhere but to a path of this server, to an address that an app
// has registered, or to one that the page has shown and asked about; and that
// whoever waits for approval sees that they wait, and nothing more of the account.
//
// Specification: client-server API, "OAuth 2.0 API", "Account management" and
// "Client login via SSO"; RFC 6749, RFC 8628.
package web
