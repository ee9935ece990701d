// Package crosssigning holds the end-to-end identity of a Matrix user and of one
// of the user's devices: what a client needs so that a device it signs in is
// verified from its first moment.
//
// An [Identity] is the user's three cross-signing keys, a [Device] the keys of
// one device. A device that has the identity signs itself, and one upload to
// /keys/upload carries both signatures ([Device.KeysUpload]): nobody ever sees the
// device without the cross-signature. [Published] is what the server says about
// a user; everything in it is checked and nothing in it is believed.
//
// The package talks to nobody: it makes and reads the JSON bodies of the requests,
// and the caller sends them. It does not encrypt messages; the keys of a Device
// fit an implementation of Olm.
//
// Private keys are exported by the methods named Secrets only. A value that is
// printed shows public keys.
//
// Specification: client-server API, "Key Distribution" and "Cross-signing";
// appendices "Canonical JSON" and "Signing JSON".
package crosssigning
