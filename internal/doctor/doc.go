// Package doctor looks for mistakes in the setup of a server: configuration,
// files, database, names, and what the next start would meet.
//
// It owns no data and changes none. It promises that each finding says in plain
// words what is wrong and what to do.
package doctor
