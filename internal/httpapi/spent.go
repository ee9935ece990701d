package httpapi

import (
	"crypto/sha256"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Who is refused for a budget and goes on asking is refused again without a place and
// without the database: until the budget can have one more request, nothing that the
// database says could change that.

// spentKey is a budget as a request names it, before it is known who asks.
type spentKey struct {
	class Class
	token [sha256.Size]byte
}

// spent is a budget that had nothing left.
type spent struct {
	ready time.Time // when it has one request again
	until time.Time // when the token is looked at again: its session may have ended
}

const (
	spentFor = time.Second
	maxSpent = 4096 // tokens that are remembered; further ones are asked for
)

// stillSpent refuses a request whose token was refused before, as long as its budget has
// nothing.
func (s *Server) stillSpent(r *http.Request, route *Route, now time.Time) error {
	l := s.Limits
	if l == nil || route.OwnLimit || !l.hasSpent.Load() {
		return nil
	}
	token, err := AccessToken(r)
	if err != nil || token == "" {
		return nil // it is refused for that, or has an address's budget
	}
	key := spentKey{route.Class, sha256.Sum256([]byte(token))}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.spent[key]; now.Before(b.ready) && now.Before(b.until) {
		return errcode.TooManyRequests(b.ready.Sub(now))
	}
	return nil
}

// noteSpent remembers that a request was refused, with an error that says for how long.
func (s *Server) noteSpent(r *http.Request, route *Route, call *Call, refusal error) {
	var e *errcode.Error
	token, err := AccessToken(r)
	if err != nil || token == "" || !errors.As(refusal, &e) {
		return
	}
	l := s.Limits
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spent) >= maxSpent {
		maps.DeleteFunc(l.spent, func(_ spentKey, b spent) bool { return !call.Now.Before(b.until) })
	}
	if len(l.spent) < maxSpent {
		l.spent[spentKey{route.Class, sha256.Sum256([]byte(token))}] = spent{call.Now.Add(e.RetryAfter), call.Now.Add(spentFor)}
		l.hasSpent.Store(true)
	}
}
