package errcode

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"time"
)

// Code is one row of the catalogue. A *Code is itself an error, so that a test or
// a caller may ask errors.Is(err, errcode.Forbidden).
type Code struct {
	// Key names the row, in the Go spelling: two rows may share an errcode and
	// differ in status or members ("Unrecognized", "WrongMethod").
	Key string
	// Name is the stable errcode as the specification spells it; empty for
	// answers that carry none (the first answer of user-interactive authentication).
	Name string
	// OAuth is the error as the OAuth 2.0 endpoints spell it; empty for a row that
	// says there only that the request is not valid.
	OAuth string
	// Status is the HTTP status.
	Status int
	// Meaning says when the server sends it.
	Meaning string
	// Client says what a client should do on receiving it.
	Client string
	// Admin says what the administrator of the server can do, if anything.
	Admin string
	// Members lists the extra members of the body.
	Members []string
	// Source names the section of the specification, or the proposal.
	Source string
}

// Spelling is the code as clients see it: the errcode, the error of OAuth 2.0
// where there is none, or the row's key where there is neither.
func (c *Code) Spelling() string { return cmp.Or(c.Name, c.OAuth, c.Key) }

// Error makes a *Code usable with errors.Is.
func (c *Code) Error() string { return c.Key }

// New makes a failure of this row. The text is a sentence that the person using
// the client can act on; it carries no other person's data and no internals.
func (c *Code) New(format string, args ...any) *Error {
	return &Error{Code: c, Text: fmt.Sprintf(format, args...)}
}

// Wrap is New with a cause, which goes to the log and never to the client.
func (c *Code) Wrap(cause error, format string, args ...any) *Error {
	e := c.New(format, args...)
	e.cause = cause
	return e
}

// Error is a failure on its way to a client.
type Error struct {
	Code *Code
	Text string
	// Extra holds further members of the body.
	Extra []Member
	// RetryAfter, when positive, is sent as the Retry-After header in whole
	// seconds, rounded up.
	RetryAfter time.Duration

	cause error
}

// Member is one extra member of an error body. Value is marshalled as JSON.
type Member struct {
	Name  string
	Value any
}

// Error gives the row, the text and the cause: the form for logs.
func (e *Error) Error() string {
	s := e.Code.Key + ": " + e.Text
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is reports whether target is the error's row.
func (e *Error) Is(target error) bool {
	c, ok := target.(*Code)
	return ok && c == e.Code
}

// With adds a member to the body.
func (e *Error) With(name string, value any) *Error {
	e.Extra = append(e.Extra, Member{name, value})
	return e
}

// From gives the *Error inside err. Anything else becomes [Unknown], whose text
// tells the client nothing but the request's id; err stays as its cause.
func From(err error, requestID string) *Error {
	var e *Error
	if errors.As(err, &e) {
		return e
	}
	return Unknown.Wrap(err, "Internal server error. If it happens again, give the administrator of this server the request id %s.", requestID)
}

// TooManyRequests is a rate limit that is lifted after wait.
func TooManyRequests(wait time.Duration) *Error {
	seconds := RetrySeconds(wait)
	e := LimitExceeded.New("Too many requests. Try again in %s.", plural(seconds, "second"))
	e.RetryAfter = wait
	return e.With("retry_after_ms", seconds*1000)
}

// RetrySeconds rounds wait up to whole seconds, at least one, as the Retry-After
// header needs it.
func RetrySeconds(wait time.Duration) int64 {
	return max(1, int64(math.Ceil(wait.Seconds())))
}

func plural(n int64, unit string) string {
	if n == 1 {
		return "1 " + unit
	}
	return strconv.FormatInt(n, 10) + " " + unit + "s"
}
