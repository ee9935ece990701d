// Package canonicaljson reads JSON strictly, writes it canonically, and signs
// and verifies objects.
//
// Three readers stand on one scanner: Strict checks a request body without
// building anything; Canonical and CanonicalLoose return the canonical bytes of a
// value; AppendMembers splits canonical bytes into members without copying. All
// of them refuse invalid UTF-8, lone surrogates, duplicate keys at any depth,
// nesting beyond a limit, and anything after the value.
//
// Errors come in two types, because the client-server API has two codes for
// them: *SyntaxError for bytes that are not JSON, and *ShapeError for JSON that
// may not be used here. Their texts name the place and never quote a value.
//
// The package has no state; every function may be called concurrently.
//
// Specification: appendices "Canonical JSON", "Signing JSON" and "Unpadded
// Base64".
package canonicaljson
