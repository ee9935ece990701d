// Package validation finds out whether a mail address or a phone number belongs to
// the person who claims it: it sends a link or a code there, and takes it back.
//
// It owns the tables `validation_sessions` and `validation_budgets`, and serves the
// homeserver and the identity service alike: both declare their endpoints with
// [Service.SubmitRoutes], begin sessions with [Service.Send] and ask for the result
// with [Service.Validated].
//
// It promises that a session is good for one purpose, one address and one client
// secret; that no token or secret can be read from its tables; that whoever
// knows a session's id but not its secret learns nothing about it; that nobody
// guesses a six-digit code with a chance of more than 1 in 10,000 a day (see
// budgets.go); and that a link leads nowhere but to hosts that the configuration
// names. It knows nothing of accounts: the caller says whether an address may be
// validated, and what to pretend if not.
package validation
