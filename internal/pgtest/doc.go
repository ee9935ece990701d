// Package pgtest gives a test process a PostgreSQL of its own. It is for tests
// only: nothing that ships imports it.
//
// It owns one temporary folder and one server process for each [Start]. The
// server is built from the PostgreSQL binaries that the machine has, listens
// on a socket inside that folder and nowhere else, and trades durability for
// speed, so its data is worth nothing after a crash.
//
// It promises that the server ends with the test process, however that one
// ends: by [Server.Stop], or on Linux by a signal that the kernel sends when
// the process dies. Folders that dead processes left behind are removed by the
// next Start. All methods may be called from several goroutines.
package pgtest
