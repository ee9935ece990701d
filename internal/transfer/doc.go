// Package transfer moves a whole server from one database into another, makes
// backups and restores them.
//
// It owns no table and no endpoint: it copies every table that the schema has, from
// any engine to any engine. It promises:
//
//   - What is copied is one snapshot. Counts and hashes of every table, computed
//     alike on both engines, are read back from the target and compared before
//     anything is committed.
//   - A target is filled in one transaction. An interrupted copy leaves it as empty as
//     it was, so it can be begun again, and no server can start from half of one.
//   - A backup is an SQLite file, whatever the engine of the server, and carries the
//     counts and hashes of its tables. It gets its name when it is whole, checked and
//     on disk; it replaces nothing.
//   - A restore corrects what must not go on as it was: see [Restore]. What it
//     replaces is kept aside.
//
// Invariant K18 of the tests: a backup that is made while people write holds a prefix
// of the history.
package transfer
