package oauth

import (
	"strings"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Scope is what a session may do and which device it is.
type Scope struct {
	DeviceID id.DeviceID
	// Text is the scope that is granted, in the namespace that was asked for.
	Text string
}

// The namespaces of scopes: the specification's, and the one of MSC2967 before it
// was merged, which many clients still use.
const (
	scopes         = "urn:matrix:client:"
	unstableScopes = "urn:matrix:org.matrix.msc2967.client:"
)

const (
	fullAccess  = "api:*"
	deviceScope = "device:"
)

// parseScope reads the scope that a client asks for: full access and exactly one
// device, both in one namespace. The scope openid, which old clients add, is left
// out of what is granted. The error is errcode.InvalidScope.
// Specification: client-server API, "Scope"; MSC2967.
func parseScope(text string) (Scope, error) {
	var namespace, device string
	access := false
	for token := range strings.SplitSeq(text, " ") {
		if token == "" || token == "openid" {
			continue
		}
		in, name := scopeName(token)
		if namespace != "" && in != "" && in != namespace {
			return Scope{}, badScope("it mixes %s and %s; use one of them", scopes, unstableScopes)
		}
		switch {
		case in != "" && name == fullAccess:
			access = true
		case in != "" && strings.HasPrefix(name, deviceScope):
			if device != "" {
				return Scope{}, badScope("it names a device twice; a session has one")
			}
			if device = strings.TrimPrefix(name, deviceScope); !isScopedDevice(device) {
				return Scope{}, badScope("the device ID has to be 10 to 255 letters, digits and -._~ characters")
			}
		default:
			return Scope{}, badScope("this server knows openid, %s and %s alone", scopes+fullAccess, scopes+deviceScope)
		}
		namespace = in
	}
	switch {
	case !access:
		return Scope{}, badScope("%s is missing", scopes+fullAccess)
	case device == "":
		return Scope{}, badScope("it names no device; add %s and a device ID", scopes+deviceScope)
	}
	return Scope{DeviceID: id.DeviceID(device), Text: namespace + fullAccess + " " + namespace + deviceScope + device}, nil
}

func scopeName(token string) (namespace, name string) {
	for _, namespace := range []string{scopes, unstableScopes} {
		if name, ok := strings.CutPrefix(token, namespace); ok {
			return namespace, name
		}
	}
	return "", token
}

// isScopedDevice checks a device ID that a client chose. Ten characters keep two
// clients from choosing the same by chance. Beyond the characters that MSC2967
// names there are those of a path (RFC 3986), because some clients use a key in
// base64.
func isScopedDevice(device string) bool {
	if len(device) < 10 || len(device) > id.MaxLength {
		return false
	}
	return !strings.ContainsFunc(device, func(r rune) bool {
		return !isAlphanumeric(r) && !strings.ContainsRune("-._~!$&'()*+,;=:@/", r)
	})
}

func isAlphanumeric(r rune) bool {
	return '0' <= r && r <= '9' || 'a' <= r|0x20 && r|0x20 <= 'z' && r < 0x80
}

func badScope(format string, args ...any) error {
	return errcode.InvalidScope.New("The scope is not valid: "+format+".", args...)
}
