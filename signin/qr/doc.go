// Package qr signs a device in to Matrix with a QR code that another device shows
// or scans (MSC4108).
package qr
