// Package apitest is a server in a test: the whole server over a real database,
// answering real HTTP on loopback.
//
// A test package of a feature has
//
//	func TestMain(m *testing.M) { apitest.Main(m) }
//
// which runs its tests twice, as package dbtest does: over SQLite, and over a
// PostgreSQL that it starts itself.
//
// Every answer is held against what its route declares: an undeclared code fails
// the test at once. With NARTHEX_TEST_COVERAGE set to a folder, what was answered is
// written there for `narthex errors coverage`.
package apitest
