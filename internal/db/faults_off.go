//go:build !faults

package db

// earlyAck is false but in a program that is to be caught lying.
const earlyAck = false

// fault does nothing here.
func fault(string) {}

// hesitate does nothing here.
func hesitate() {}
