// Package cache is a bounded cache in memory, for what can be had again: correct when it
// is empty, and as large as it is allowed to be, however long the server runs.
//
// It owns nothing but what is put into it, and promises that this is soon no more than
// was allowed, by number or by weight, and that what is asked for often stays longer. It
// may be used by several goroutines.
package cache
