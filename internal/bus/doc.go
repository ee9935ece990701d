// Package bus carries wake-ups: "something for this key may have changed, read
// again". A wake-up carries a key and never data, so a lost one costs latency and
// not correctness.
//
// A waiter subscribes, then reads the database, then waits, and reads again at
// least every [Reread]. The local bus serves one process; over PostgreSQL, LISTEN
// and NOTIFY join the processes.
package bus

import "time"

// Reread is how long a waiter waits at most before it reads again anyway.
const Reread = 10 * time.Second
