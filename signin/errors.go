package signin

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

var (
	// ErrNoOAuth says that the homeserver does not offer OAuth 2.0.
	ErrNoOAuth = errors.New("the homeserver does not offer sign-in by OAuth 2.0")

	// ErrNoDeviceGrant says that the homeserver does not offer the device
	// authorization grant, without which there is no sign-in by QR code.
	ErrNoDeviceGrant = errors.New("the homeserver does not offer sign-in from another device (the OAuth 2.0 device authorization grant)")

	// ErrAccessDenied says that the user, or the server on the user's behalf,
	// refused. An *OAuthError with the code access_denied is this error.
	ErrAccessDenied = errors.New("the sign-in was refused")

	// ErrExpired says that the user did not agree in time. An *OAuthError with the
	// code expired_token is this error, and so is the end of the time that the
	// server gave by this program's clock.
	ErrExpired = errors.New("the time to approve the sign-in ran out; start again")

	// ErrWrongCallback says that a callback does not belong to the sign-in that
	// was started: its state or its issuer is another's. Nothing was sent to the
	// server.
	ErrWrongCallback = errors.New("the browser came back from another sign-in than the one that was started")

	// ErrLoggedOut says that the session is over: the server refused the refresh
	// token. The user has to sign in again.
	ErrLoggedOut = errors.New("the session is over; sign in again")
)

// An OAuthError is a refusal in the words of OAuth 2.0 (RFC 6749 §4.1.2.1, §5.2).
type OAuthError struct {
	Code        string // "invalid_grant" and the like
	Description string // for developers; may be empty
	Status      int    // of the HTTP answer; 0 if the error came through the browser
	RetryAfter  time.Duration
}

// Error gives the code and the server's description.
func (e *OAuthError) Error() string {
	text := "the authorization server refused: " + printable(e.Code)
	if e.Description != "" {
		text += " (" + printable(e.Description) + ")"
	}
	return text
}

// Is makes errors.Is find [ErrAccessDenied] and [ErrExpired].
func (e *OAuthError) Is(target error) bool {
	return target == ErrAccessDenied && e.Code == "access_denied" ||
		target == ErrExpired && e.Code == "expired_token"
}

// A MatrixError is a refusal by the client-server API ("Standard error response").
type MatrixError struct {
	Code       string // "M_FORBIDDEN" and the like
	Message    string // for people
	Status     int
	SoftLogout bool // with M_UNKNOWN_TOKEN: the session lives and wants a new token
	RetryAfter time.Duration
}

// Error gives the server's message and the code.
func (e *MatrixError) Error() string {
	return fmt.Sprintf("the homeserver refused: %s (%s, status %d)", printable(e.Message), printable(e.Code), e.Status)
}

// An AnswerError says that something answered, but not as the protocol demands:
// often a proxy or a page for people.
type AnswerError struct {
	URL        string
	Status     int
	Problem    string // "is not a JSON object"
	RetryAfter time.Duration
}

// Error says what answered and what is wrong with it.
func (e *AnswerError) Error() string {
	return fmt.Sprintf("the answer of %s (status %d) %s", e.URL, e.Status, e.Problem)
}

// A DiscoveryError says at which step the way from a server's name to its
// endpoints ends, and why.
type DiscoveryError struct {
	Step string // "server name", "well-known", "versions", "auth metadata", "issuer"
	URL  string // what was asked; empty if nothing was
	Err  error
}

// Error gives the step, the URL and the cause.
func (e *DiscoveryError) Error() string {
	if e.URL == "" {
		return fmt.Sprintf("finding the homeserver (%s): %v", e.Step, e.Err)
	}
	return fmt.Sprintf("finding the homeserver (%s, %s): %v", e.Step, e.URL, e.Err)
}

// Unwrap gives the cause.
func (e *DiscoveryError) Unwrap() error { return e.Err }

// A MetadataError lists everything that is wrong with the metadata of an
// authorization server.
type MetadataError struct {
	Problems []string // "token_endpoint is missing"
}

// Error lists the problems.
func (e *MetadataError) Error() string {
	return "the server's OAuth 2.0 metadata cannot be used: " + strings.Join(e.Problems, "; ")
}

// printable makes a text from a server fit for a terminal and for one line.
func printable(s string) string {
	const longest = 300
	s = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, s)
	if len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "") + "…"
	}
	return s
}
