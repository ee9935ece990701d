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

// budgetOf names the budget of a request with a token; one without has an address's, and
// one with something else in its place is refused for that.
func budgetOf(r *http.Request, route *Route) (key spentKey, ok bool) {
	token, err := AccessToken(r)
	if err != nil || token == "" {
		return key, false
	}
	return spentKey{route.Class, sha256.Sum256([]byte(token))}, true
}

// stillSpent refuses a request whose token was refused before, as long as its budget has
// nothing. A nil Limiter refuses nothing.
func (l *Limiter) stillSpent(r *http.Request, route *Route, now time.Time) error {
	if l == nil || route.OwnLimit || !l.hasSpent.Load() {
		return nil
	}
	key, ok := budgetOf(r, route)
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if b := l.spent[key]; now.Before(b.ready) && now.Before(b.until) {
		return errcode.TooManyRequests(b.ready.Sub(now))
	}
	return nil
}

// noteSpent remembers that a request was refused, with an error that says for how long.
func (l *Limiter) noteSpent(r *http.Request, route *Route, now time.Time, refusal error) {
	var e *errcode.Error
	key, ok := budgetOf(r, route)
	if !ok || !errors.As(refusal, &e) {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.spent) >= maxSpent {
		l.forgetSpent(now)
	}
	if len(l.spent) < maxSpent {
		l.spent[key] = spent{now.Add(e.RetryAfter), now.Add(spentFor)}
	}
	l.hasSpent.Store(true)
}

// forgetSpent forgets the tokens that are looked at again anyway. The lock is held.
func (l *Limiter) forgetSpent(now time.Time) {
	maps.DeleteFunc(l.spent, func(_ spentKey, b spent) bool { return !now.Before(b.until) })
	l.hasSpent.Store(len(l.spent) > 0)
}
