// Package e2ee carries what end-to-end encryption needs of a server: the identity
// keys of devices, one-time and fallback keys, and messages from device to device.
//
// It owns the tables `device_keys`, `one_time_keys`, `fallback_keys`, `to_device`
// and `to_device_sent`, and the job `e2ee.sweep`. Keys go with their device. That
// the keys of a device have changed is told through the stream of device lists,
// which package accounts owns.
//
// A one-time key is given out once, over all processes. A message to a device is
// kept until the device has acknowledged it by its next sync, and is sent once for
// each transaction id within a day. The server reads neither.
//
// Cross-signing and key backups are not served yet: there is never a backup.
//
// Client-server API: End-to-end encryption, Send-to-Device messaging.
package e2ee
