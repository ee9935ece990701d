// Package e2ee carries what end-to-end encryption needs of a server: the identity
// keys of devices, cross-signing keys and signatures, one-time and fallback keys,
// messages from device to device, and backups of the keys of rooms.
//
// It owns the tables `device_keys`, `one_time_keys`, `fallback_keys`, `to_device`,
// `to_device_sent`, `cross_signing_keys`, `user_signatures`, `key_backups` and
// `key_backup_sessions`, and the jobs "e2ee.sweep" and "e2ee.forget". Keys go with
// their device, and the rest with the account. That a user's keys have changed is
// told through the stream of device lists, which package accounts owns; a signature
// of another user's key is told to the devices of whoever made it.
//
// Every signature of identity and cross-signing keys is verified before it is
// stored, and is gone when either of the two keys is replaced. A device that
// uploads its keys together with its cross-signature is seen with both or not at
// all. Cross-signing keys that are there already are replaced only after
// user-interactive authentication. Signatures of one-time keys, and what is in
// messages and backups, are between the clients.
//
// A one-time key is given out once, over all processes, in the order of the
// uploads, and does not come back with a repeated upload. A message to a device is
// kept until the device has acknowledged it by its next sync, and is sent once for
// each transaction id within a day. The count and etag of a backup change together
// with its keys.
//
// Client-server API: End-to-end encryption, Send-to-Device messaging.
package e2ee
