package xmatrix

import (
	"crypto/ed25519"
	"fmt"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
)

const scheme = "X-Matrix"

// The names under which servers sign whom they ask. The specification says
// Destination. Synapse and Sydent say DestinationIs where an identity service is
// asked.
const (
	Destination   = "destination"
	DestinationIs = "destination_is"
)

// Request is what a signature covers.
type Request struct {
	Method      string
	URI         string // "/path?query" as it goes on the wire
	Origin      string // the name of the server that asks
	Destination string // the name of the server that is asked
	// DestinationName is the name under which the destination is signed.
	DestinationName string
	Body            []byte // JSON; empty where the request has none
}

// object is the JSON that is signed.
func (r Request) object() []byte {
	var members []canonicaljson.Member
	for name, value := range map[string]string{"method": r.Method, "uri": r.URI, "origin": r.Origin, r.DestinationName: r.Destination} {
		members = canonicaljson.Set(members, name, canonicaljson.AppendString(nil, value))
	}
	if len(r.Body) > 0 {
		members = canonicaljson.Set(members, "content", r.Body)
	}
	return canonicaljson.AppendObject(nil, members)
}

// Sign gives the Authorization header of the request.
func (r Request) Sign(keyID string, key ed25519.PrivateKey) (string, error) {
	canon, err := canonicaljson.Canonical(r.object())
	if err != nil {
		return "", err
	}
	signature := canonicaljson.EncodeBase64(ed25519.Sign(key, canon))
	return fmt.Sprintf(`%s origin="%s",destination="%s",key="%s",sig="%s"`, scheme, r.Origin, r.Destination, keyID, signature), nil
}

// Verify fails with canonicaljson.ErrBadSignature if the signature, in base64, is not
// the key's.
func (r Request) Verify(signature string, key ed25519.PublicKey) error {
	raw, err := canonicaljson.DecodeBase64(signature)
	if err != nil {
		return canonicaljson.ErrBadSignature
	}
	canon, err := canonicaljson.CanonicalLoose(r.object())
	if err != nil {
		return err
	}
	if !ed25519.Verify(key, canon, raw) {
		return canonicaljson.ErrBadSignature
	}
	return nil
}
