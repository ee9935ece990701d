// Package archtest holds the rules of this source tree as tests: what may import
// what, names, lengths, doors to time and randomness, comments, SQL that both
// engines can prepare, tables with one owner, and references that are current.
//
// It has no code outside its tests. A rule that is broken names the file and line
// and says what to do instead; an exception is a row in the rule's own table,
// with its reason.
package archtest
