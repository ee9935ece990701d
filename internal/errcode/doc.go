// Package errcode is the catalogue of every failure that a client can see.
//
// It owns the rows: one [Code] for each error code and condition, with its HTTP
// status, when it is sent, what a client and an administrator can do about it,
// and where it is specified. docs/reference/errors.md, `narthex errors` and the
// coverage report are made from these rows.
//
// A failure is born where the rule is known, as an [Error] made from a row, and
// travels up unchanged; only package httpapi writes it. The package knows
// nothing of HTTP but the status.
//
// Codes of proposals that are not merged have a second, unstable form. How a row
// goes on the wire is one table, in wire.go, switched by [Forms]; no handler
// knows which form is in use.
package errcode
