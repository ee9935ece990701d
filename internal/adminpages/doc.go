// Package adminpages answers the browsers of administrators: the queue of accounts
// that wait for approval, users, registration tokens, the audit log, and an overview.
//
// It owns the paths under /admin and their forms; no tables. How the pages look is
// package page's matter, who comes to them package visitor's, and what is done there
// that of packages admin and accounts, which write the audit log in the same
// transaction.
//
// It promises that nobody but an administrator who is approved, not locked and not
// suspended sees more than that there is such a page; that a GET changes nothing;
// that a POST does nothing unless its form was made for this browser and session;
// that whatever gives power or cannot be undone is asked about on a page of its own,
// and needs a proof of who asks that is at most a quarter of an hour old; and that
// the first administrator comes by a link that is good once, for a day, and only
// while there is no other.
package adminpages
