// Package dbtest is a database in a test: a fresh one for each, over SQLite and over a
// real PostgreSQL.
//
// A test package has
//
//	func TestMain(m *testing.M) { dbtest.Main(m) }
//
// which runs its tests twice: over SQLite, and over a PostgreSQL that it starts
// itself. Where PostgreSQL is not installed the second run is skipped with one
// line; with CI=true that is a failure.
//
// It knows nothing of the server: package apitest has that. So the tests of a package
// that most others import, and that has tests inside it, are not the reason for
// compiling the whole server once more against them.
package dbtest
