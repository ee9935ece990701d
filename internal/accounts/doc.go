// Package accounts holds the people of this server: accounts, passwords, approval,
// devices, registration tokens, and user-interactive authentication.
//
// It owns the tables `users`, `profile_fields`, `devices`, `device_list_changes`,
// `registration_tokens`, `user_threepids`, `threepid_bindings`,
// `interactive_sessions`, `cross_signing_resets`, `password_guesses` and
// `audit_log`, the stream of changed device lists, and the jobs "accounts.sweep" and
// "accounts.unbind". A deactivated account leaves its rooms by the job
// "rooms.leave_all", which package rooms works, loses its keys by the job
// "e2ee.forget", and its second factors by the job "factors.forget"; an erased one loses
// its account data by the job "accountdata.erase", which package accountdata works. The
// administrators hear of one that begins to wait for approval by the job
// "notices.waiting", which package notices works.
//
// It promises that an account is either whole or not there; that what an account
// may do (approved, locked, suspended, deactivated) is read from its row and
// nowhere else; that a pending account looks to everyone else like one that does
// not exist; and that an administrator's act and its line in the audit log are
// written together or not at all. Acts on one account from several places at once
// have the effect of some order of them.
//
// Specification: client-server API, "Client Authentication" and its legacy API;
// MSC3866 for approval.
package accounts
