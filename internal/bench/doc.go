// Package bench measures a Matrix homeserver over its client-server API: what an
// operation costs the server in CPU time, how long answers take, how much memory
// it has, and how all that grows with rooms and members.
//
// It owns no data that stays: unless it is given the URL of a server it starts this
// program's own in a second process, with a folder that is removed at the end. It
// knows nothing of the inside of a server, so any homeserver can be measured; the
// CPU time comes from the operating system, by process id, on Linux alone.
//
// The main figure is CPU milliseconds of the server for one operation. It counts
// what the server does after it answered, since a stretch of operations ends only
// when the server is calm again, and it changes little with what else the machine
// does. Rates and latencies share the cores with the client and the neighbours.
//
// Bounds on costs are of one machine. So [Measure] also measures the one that it runs on:
// an Ed25519 signature, and a floor, which is what some stretches cost [ServeBare] in
// another process: a program that does the least that a homeserver has to.
//
// It promises to talk to loopback addresses alone, and that all it does is bounded
// in count and in time. Results are JSON, one [Result] a line; [WriteTables] and
// [WritePlots] make tables and pictures of them.
package bench
