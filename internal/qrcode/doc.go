// Package qrcode draws QR codes for signing in a device.
//
// It owns how such a code looks: its mode, its error correction and its border. It
// promises that what is drawn can be read back to the same bytes.
package qrcode
