// Package db is the only way to the database: SQLite in the process, or PostgreSQL.
//
// It owns the connections, the transactions, the migrations and the tables
// `stream` and `migrations`. Feature packages own all other tables and write
// their SQL once, in the dialect that both engines share ($1 placeholders,
// ON CONFLICT, RETURNING); what is not portable has a function here.
//
// [DB.Read] and [DB.Write], and their forms [DB.ReadBriefly] and [DB.WriteLocked], are the
// only ways to a [Tx]. A read sees one snapshot.
// A write is on disk when Write returns nil. Writers on SQLite share commits: one
// goroutine runs the waiting closures one after the other, each in a savepoint of
// its own, commits once and then answers all of them, so that durability does not
// cost throughput. A closure may run more than once: it starts from clean
// variables and has no effect but through its Tx.
//
// Positions ([Tx.Next]) come from one counter row for all streams. They become
// visible in the order of the commits, on both engines, so that a reader that has
// seen position n never finds a row below n later.
package db
