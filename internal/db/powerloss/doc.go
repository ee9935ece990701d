// Package powerloss stands between SQLite and its files, for tests that ask what is
// left after the power went.
//
// It owns a file layer (a VFS) for all of SQLite in the process, which remembers, for
// the folders that are watched, every write, truncation, sync and removal in their
// order, together with what a test has seen meanwhile ([Disk.Mark]). [Disk.Cut] then
// makes up what the disk may hold if the power goes at any moment of that history:
// all that was synced, and of what was not an arbitrary part. And it can be a disk that
// is full, or broken ([Disk.Refuse]).
//
// It does not ask the real disk to sync: a sync is an entry in the history, so that
// hundreds of cuts take seconds. What it cannot show is a disk that loses what it
// said to have synced.
//
// The layer is in the process, under the real SQLite and the real server, and so
// needs no privileges and sees the order of acknowledgements and syncs exactly.
// Tracing the system calls of a server would show the same calls, later and less
// surely ordered; a file system of its own (FUSE) needs rights that a test has not.
package powerloss
