package timeline

import (
	"errors"
	"strconv"

	"github.com/narthex-matrix/narthex/internal/accountdata"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/rooms"
)

const (
	messagesLimit  = 10 // of /messages and /context, which the specification gives
	relationsLimit = 50 // of relations and threads
	largestLimit   = 1000
)

// position is a token.
type position int64

// UnmarshalText reads a token.
func (p *position) UnmarshalText(text []byte) error {
	pos, err := rooms.ParsePosition(string(text))
	if err != nil {
		return errors.New("it must be a token from this server")
	}
	*p = position(pos)
	return nil
}

// or gives the position, or another one if the parameter is not there.
func (p *position) or(otherwise int64) int64 {
	if p == nil {
		return otherwise
	}
	return int64(*p)
}

// direction says whether the oldest events come first.
type direction struct{ forward bool }

// UnmarshalText reads "f" or "b".
func (d *direction) UnmarshalText(text []byte) error {
	switch string(text) {
	case "f":
		d.forward = true
	case "b":
		d.forward = false
	default:
		return errors.New(`it must be "f" or "b"`)
	}
	return nil
}

// limit is how many events are wanted.
type limit int

// UnmarshalText reads a positive number. One that is too large is made smaller.
func (l *limit) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 1 {
		return errors.New("it must be a whole number, and at least 1")
	}
	*l = limit(min(n, largestLimit))
	return nil
}

// or gives the limit, or another one if the parameter is not there.
func (l *limit) or(otherwise int) int {
	if l == nil {
		return otherwise
	}
	return int(*l)
}

// contextLimit is a limit that may be 0: the event alone is wanted.
type contextLimit int

// UnmarshalText reads a number that is not negative.
func (l *contextLimit) UnmarshalText(text []byte) error {
	n, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || n < 0 {
		return errors.New("it must be a whole number, and not negative")
	}
	*l = contextLimit(min(n, largestLimit))
	return nil
}

// or gives the limit, or another one if the parameter is not there.
func (l *contextLimit) or(otherwise int) int { return (*limit)(l).or(otherwise) }

// filter is a RoomEventFilter in a query.
type filter struct{ accountdata.EventFilter }

// UnmarshalText reads the filter's JSON.
func (f *filter) UnmarshalText(text []byte) error {
	parsed, err := accountdata.ParseEventFilter(text)
	var failure *errcode.Error
	if errors.As(err, &failure) {
		return errors.New(failure.Text)
	}
	if err != nil {
		return err
	}
	f.EventFilter = *parsed
	return nil
}
