// Package secretstorage keeps a user's secrets on the server without the server
// being able to read them, and describes the backup of message keys.
//
// A [Key] encrypts secrets for account data by m.secret_storage.v1.aes-hmac-sha2;
// a person writes it down as a recovery key. A [BackupKey] belongs to one version
// of a key backup by m.megolm_backup.v1.curve25519-aes-sha2: whoever has it reads
// the backup, and [BackupKey.Fits] tells whether it is the right one before
// anything is stored by it.
//
// The package talks to nobody: it makes and reads the JSON bodies of the requests,
// and the caller sends them. A value that is printed shows nothing secret.
//
// Specification: client-server API, "Secrets" and "Server-side key backups";
// appendix "Cryptographic key representation".
package secretstorage
