package rooms

import (
	"errors"
	"strconv"
)

// errPosition says that a token is none of this server's.
var errPosition = errors.New("not a position of this server")

// Tokens on the wire are a letter and a position: one counter orders everything
// that a client can wait for or page through.

// Token is the token of a position, as since, next_batch, from, to and at.
func Token(pos int64) string { return "s" + strconv.FormatInt(pos, 10) }

// ParsePosition reads a token. It fails for anything that this server would not
// have given out.
func ParsePosition(token string) (int64, error) {
	if len(token) < 2 || len(token) > 20 || token[0] != 's' {
		return 0, errPosition
	}
	pos, err := strconv.ParseUint(token[1:], 10, 63)
	if err != nil || Token(int64(pos)) != token {
		return 0, errPosition
	}
	return int64(pos), nil
}
