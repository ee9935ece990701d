// Package accounts holds the people of this server: accounts, passwords, approval,
// devices, and user-interactive authentication.
//
// It owns the tables `users` and `devices`. It promises that an account is either
// whole or not there, that what an account may do (approved, locked, suspended,
// deactivated) is read from its row and nowhere else, and that a pending account
// looks to everyone else like one that does not exist.
package accounts
