package qr

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
)

// A message is one JSON object of the login protocol (MSC4108).
type message interface {
	// write gives the members; type is added by writeMessage.
	write(g Generation) map[string]any
	kind() string
}

const (
	kindProtocols = "m.login.protocols"
	kindProtocol  = "m.login.protocol"
	kindAccepted  = "m.login.protocol_accepted"
	kindSuccess   = "m.login.success"
	kindDeclined  = "m.login.declined"
	kindFailure   = "m.login.failure"
	kindSecrets   = "m.login.secrets"
)

// deviceGrant is the one protocol there is: RFC 8628.
const deviceGrant = "device_authorization_grant"

// protocolsMessage says, from the existing device, how to sign in and where.
type protocolsMessage struct {
	protocols  []string
	homeserver Homeserver
}

// protocolMessage says, from the new device, which way it takes.
type protocolMessage struct {
	protocol string
	deviceID string
	// The page on which to approve; complete may be empty.
	verificationURI, complete string
}

// acceptedMessage says, from the existing device, that the page is open.
type acceptedMessage struct{}

// successMessage says, from the new device, that it has a session.
type successMessage struct{}

// declinedMessage says that the person refused; from the new device, or from an
// old existing one.
type declinedMessage struct{}

// failureMessage ends the sign-in, from either device.
type failureMessage struct {
	reason Reason
	// homeserver is only written, to be of help with UnsupportedProtocol.
	homeserver Homeserver
}

// secretsMessage hands the keys over, from the existing device.
type secretsMessage struct {
	secrets Secrets
}

// oddMessage is whatever cannot be read.
type oddMessage struct{}

// Secrets are the private keys of an account, which the existing device gives the
// new one. Keys are unpadded base64.
type Secrets struct {
	// CrossSigning is nil only if the other device follows MSC4108 of April 2024
	// and has no keys.
	CrossSigning *CrossSigning `json:"cross_signing,omitempty"`
	// Backup is nil if there is no key backup, or none that the device has.
	Backup *Backup `json:"backup,omitempty"`
}

// CrossSigning is the three private seeds of cross-signing.
type CrossSigning struct {
	MasterKey      string `json:"master_key"`
	SelfSigningKey string `json:"self_signing_key"`
	UserSigningKey string `json:"user_signing_key"`
}

// Backup is what opens the key backup.
type Backup struct {
	// Algorithm is that of the backup's version; a reader skips a backup whose
	// algorithm it does not know.
	Algorithm string `json:"algorithm"`
	// Key is the private key of the backup.
	Key string `json:"key"`
	// Version is the backup's version at the homeserver.
	Version string `json:"backup_version"`
}

func (protocolsMessage) kind() string { return kindProtocols }
func (protocolMessage) kind() string  { return kindProtocol }
func (acceptedMessage) kind() string  { return kindAccepted }
func (successMessage) kind() string   { return kindSuccess }
func (declinedMessage) kind() string  { return kindDeclined }
func (failureMessage) kind() string   { return kindFailure }
func (secretsMessage) kind() string   { return kindSecrets }
func (oddMessage) kind() string       { return "" }

func (acceptedMessage) write(Generation) map[string]any { return map[string]any{} }
func (successMessage) write(Generation) map[string]any  { return map[string]any{} }
func (declinedMessage) write(Generation) map[string]any { return map[string]any{} }
func (oddMessage) write(Generation) map[string]any      { return map[string]any{} }

// write names the homeserver as the generation has it. In 2024 that is a base URL
// wherever there is one: the first text says so, and half of the clients cannot
// read a server name.
func (m protocolsMessage) write(g Generation) map[string]any {
	out := map[string]any{"protocols": append([]string{}, m.protocols...)}
	if g == Gen2024 {
		out["homeserver"] = either(m.homeserver.BaseURL, m.homeserver.ServerName)
	} else {
		out["base_url"] = m.homeserver.BaseURL
	}
	return out
}

func (m protocolMessage) write(Generation) map[string]any {
	grant := map[string]any{"verification_uri": m.verificationURI}
	if m.complete != "" {
		grant["verification_uri_complete"] = m.complete
	}
	return map[string]any{"protocol": m.protocol, "device_id": m.deviceID, deviceGrant: grant}
}

func (m failureMessage) write(g Generation) map[string]any {
	out := map[string]any{"reason": m.reason}
	home := either(m.homeserver.ServerName, m.homeserver.BaseURL)
	if g == Gen2024 {
		home = either(m.homeserver.BaseURL, m.homeserver.ServerName)
	}
	if home != "" {
		out["homeserver"] = home
	}
	return out
}

func (m secretsMessage) write(Generation) map[string]any {
	out := map[string]any{}
	if m.secrets.CrossSigning != nil {
		out["cross_signing"] = m.secrets.CrossSigning
	}
	if m.secrets.Backup != nil {
		out["backup"] = m.secrets.Backup
	}
	return out
}

func either(first, second string) string {
	if first != "" {
		return first
	}
	return second
}

// writeMessage gives the JSON of a message.
func writeMessage(m message, g Generation) ([]byte, error) {
	members := m.write(g)
	members["type"] = m.kind()
	return json.Marshal(members)
}

// wire is every member that is read; what is missing stays empty.
type wire struct {
	Type       string   `json:"type"`
	Protocols  []string `json:"protocols"`
	Homeserver string   `json:"homeserver"`
	BaseURL    string   `json:"base_url"`
	Protocol   string   `json:"protocol"`
	DeviceID   string   `json:"device_id"`
	Grant      struct {
		URI      string `json:"verification_uri"`
		Complete string `json:"verification_uri_complete"`
	} `json:"device_authorization_grant"`
	Reason Reason `json:"reason"`
	Secrets
}

var errOdd = errors.New("not a message of the login protocol")

// readMessage reads either generation's form. Whatever is not a message, or lacks
// what it must have, is an oddMessage: it has no place at any step.
func readMessage(plaintext []byte) message {
	var w wire
	if !bytes.HasPrefix(bytes.TrimLeft(plaintext, " \t\r\n"), []byte("{")) || json.Unmarshal(plaintext, &w) != nil {
		return oddMessage{}
	}
	m, err := w.message()
	if err != nil {
		return oddMessage{}
	}
	return m
}

func (w *wire) message() (message, error) {
	switch w.Type {
	case kindProtocols:
		home, problem := parseHomeserver(either(w.BaseURL, w.Homeserver))
		if problem != 0 || w.Protocols == nil {
			return nil, errOdd
		}
		return protocolsMessage{protocols: w.Protocols, homeserver: home}, nil
	case kindProtocol:
		if w.Protocol == "" || w.DeviceID == "" || w.Protocol == deviceGrant && w.Grant.URI == "" {
			return nil, errOdd
		}
		return protocolMessage{protocol: w.Protocol, deviceID: w.DeviceID, verificationURI: w.Grant.URI, complete: w.Grant.Complete}, nil
	case kindAccepted:
		return acceptedMessage{}, nil
	case kindSuccess:
		return successMessage{}, nil
	case kindDeclined:
		return declinedMessage{}, nil
	case kindFailure:
		return failureMessage{reason: foreignReason(w.Reason)}, nil
	case kindSecrets:
		return secretsMessage{secrets: w.Secrets}, w.complete()
	}
	return nil, errOdd
}

// complete holds that what is there is whole.
func (s *Secrets) complete() error {
	if c := s.CrossSigning; c != nil && (c.MasterKey == "" || c.SelfSigningKey == "" || c.UserSigningKey == "") {
		return errOdd
	}
	if b := s.Backup; b != nil && (b.Algorithm == "" || b.Key == "" || b.Version == "") {
		return errOdd
	}
	return nil
}

var reasonForm = regexp.MustCompile(`^[a-zA-Z0-9_.-]{1,100}$`)

// foreignReason keeps a reason that looks like one, so that a program can log it:
// it is another device's text.
func foreignReason(r Reason) Reason {
	if !reasonForm.MatchString(string(r)) {
		return "unknown"
	}
	return r
}
