// Package factors knows what people prove themselves with beside their password:
// passkeys, one-time codes from an app, and recovery codes.
//
// It owns the tables of 0018_factors.sql and no paths: the pages are those of package
// web. Whether an account has a second factor is also a column of accounts, which this
// package keeps true in the same transaction. Its jobs are "factors.sweep" and
// "factors.forget", by which a deactivated account loses its factors.
//
// It promises that a one-time code, a recovery code and the answer to a challenge are
// good once, on all servers together; that whoever guesses codes is right within a
// day with a probability of less than 1 in 10,000; that a passkey whose counter goes
// back is refused; and that the secrets of one-time codes are of no use to whoever has
// the database and not the key file.
//
// RFC 4226 and RFC 6238 for one-time codes; Web Authentication Level 3 for passkeys;
// NIST SP 800-63B for both.
package factors
