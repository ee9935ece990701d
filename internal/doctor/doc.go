// Package doctor looks for mistakes in the setup of a server: configuration,
// files, database, names, and what the next start would meet ([Patient]); and,
// from outside, for what keeps sign-in with a QR code from working at any
// homeserver ([QR]).
//
// It owns no data and changes none of this server. It promises that each finding says in plain
// words what is wrong and what to do.
package doctor
