// Package demo plays, on throwaway servers, what Narthex is for: accounts that
// wait for approval and are told of it by mail, refusals in rooms that say why, mail
// addresses and phone numbers that are shown to be somebody's, and devices that are
// signed in with a QR code.
//
// It owns nothing that stays: its servers listen on loopback and keep their data
// in a temporary folder. It promises to fail if a story does not go as it is told:
// every answer is checked for its status, errcode and members, and every sign-in
// with a code for how it ends on both devices. Nobody waits for what takes minutes:
// the clocks of its servers can be moved.
package demo
