package signin

import (
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

const (
	stableScope   = "urn:matrix:client:"
	unstableScope = "urn:matrix:org.matrix.msc2967.client:"
)

// NewDeviceID makes an ID for a device that is about to sign in: 16 random letters
// and digits, 80 bits. The specification asks for 10 or more ("Device ID
// allocation").
func NewDeviceID() string { return rand.Text()[:16] }

// Scope is the scope of a full session on a device ("Allocated scope tokens").
func Scope(deviceID string) string { return scope(stableScope, deviceID) }

// UnstableScope is [Scope] in the spelling of MSC2967, which servers from before
// Matrix v1.15 want.
func UnstableScope(deviceID string) string { return scope(unstableScope, deviceID) }

func scope(namespace, deviceID string) string {
	return namespace + "api:* " + namespace + "device:" + deviceID
}

// ScopeDevice finds the device ID in a scope of either spelling. It fails if the
// scope names no device or two, or if the ID has characters that no scope may have.
func ScopeDevice(scope string) (string, error) {
	var devices []string
	for token := range strings.FieldsSeq(scope) {
		for _, namespace := range []string{stableScope, unstableScope} {
			if device, ok := strings.CutPrefix(token, namespace+"device:"); ok {
				devices = append(devices, device)
			}
		}
	}
	switch {
	case len(devices) == 0:
		return "", errors.New("the scope names no device")
	case len(devices) > 1:
		return "", errors.New("the scope names more than one device")
	case devices[0] == "" || strings.IndexFunc(devices[0], notInScope) >= 0:
		return "", fmt.Errorf("the device ID %q cannot be part of a scope", printable(devices[0]))
	}
	return devices[0], nil
}

// notInScope is RFC 6749 §3.3.
func notInScope(r rune) bool {
	return r < 0x21 || r > 0x7e || r == '"' || r == '\\'
}

// Scope is the scope of a full session on a device in the spelling that this
// server wants: the stable one, unless its metadata was found only by the names of
// before Matrix v1.15.
func (h *Homeserver) Scope(deviceID string) string {
	if h.Unstable {
		return UnstableScope(deviceID)
	}
	return Scope(deviceID)
}
