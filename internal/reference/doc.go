// Package reference writes what can be told from the program itself: the lists
// of errors, endpoints and keys, the OpenAPI document and the schema, in
// docs/reference; and it compares what tests provoked with what routes declare.
//
// It owns no data. It promises that the same program writes the same text, so
// that a test can hold the files against it.
package reference
