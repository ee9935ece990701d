package httpapi

import (
	"net/netip"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// Budget is how many requests a second are allowed on average, and how many at once.
type Budget struct {
	PerSecond float64
	Burst     int
}

// Limiter holds the budgets of one process. Limits against guessing are rows in
// the database; these protect the machine.
type Limiter struct {
	budgets map[Class]Budget
	mu      sync.Mutex
	buckets map[bucketKey]*rate.Limiter
	swept   time.Time
}

type bucketKey struct {
	class Class
	who   string
}

// NewLimiter makes a limiter. A class without a budget is not limited.
func NewLimiter(budgets map[Class]Budget) *Limiter {
	return &Limiter{budgets: budgets, buckets: map[bucketKey]*rate.Limiter{}}
}

const sweepEvery = time.Minute

// maxBuckets is how many budgets are remembered before further addresses share
// one of each class: about 20 MB. A device of a user always has its own.
const maxBuckets = 100_000

// allow takes one request from the budget of the caller, or says when to come back.
func (l *Limiter) allow(class Class, call *Call) error {
	if l == nil || class == Unlimited {
		return nil
	}
	budget, ok := l.budgets[class]
	if !ok {
		return nil
	}
	who := string(call.UserID) + " " + string(call.DeviceID)
	if call.UserID == "" {
		who = network(call.Addr).String()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(call.Now)
	key := bucketKey{class, who}
	bucket := l.buckets[key]
	if bucket == nil && call.UserID == "" && len(l.buckets) >= maxBuckets {
		key.who = ""
		bucket = l.buckets[key]
	}
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Limit(budget.PerSecond), max(1, budget.Burst))
		l.buckets[key] = bucket
	}
	if bucket.AllowN(call.Now, 1) {
		return nil
	}
	missing := 1 - bucket.TokensAt(call.Now)
	return errcode.TooManyRequests(time.Duration(missing / max(budget.PerSecond, 1e-6) * float64(time.Second)))
}

// sweep forgets the callers whose budget is whole again.
func (l *Limiter) sweep(now time.Time) {
	if now.Sub(l.swept) < sweepEvery {
		return
	}
	l.swept = now
	for k, b := range l.buckets {
		if b.TokensAt(now) >= float64(b.Burst()) {
			delete(l.buckets, k)
		}
	}
}

// network is the part of an address that one customer has: all of an IPv4
// address, half of an IPv6 one. It is the zero Prefix for the zero Addr.
func network(a netip.Addr) netip.Prefix {
	p, _ := a.Prefix(min(a.BitLen(), 64)) // never fails: it has so many bits
	return p
}
