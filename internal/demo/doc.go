// Package demo plays, on throwaway servers, what Narthex is for: accounts that
// wait for approval, and refusals in rooms that say why.
//
// It owns nothing that stays: its servers listen on loopback and keep their data
// in a temporary folder. It promises to fail if a story does not go as it is told:
// every answer is checked for its status, errcode and members.
package demo
