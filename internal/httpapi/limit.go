package httpapi

import (
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// Budget is how many requests a second are allowed on average, and how many at once.
type Budget struct {
	PerSecond float64
	Burst     int
}

// Address is the budget of what one address may ask for before it has shown who it
// is. It makes a flood of wrong tokens cheap, and is for no route.
const Address Class = "address"

// Limiter holds the budgets of one process. Limits against guessing are rows in
// the database; these protect the machine.
type Limiter struct {
	budgets map[Class]Budget
	devices int
	mu      sync.Mutex
	buckets map[bucketKey]*rate.Limiter
	swept   time.Time

	spent    map[spentKey]spent
	hasSpent atomic.Bool // there may be some: who asks no more than he may need not lock
}

// bucketKey is who has a budget: a device, all devices of a user together, or the
// network of somebody without an account.
type bucketKey struct {
	class  Class
	user   id.UserID
	device id.DeviceID
	all    bool
	from   netip.Prefix
}

// NewLimiter makes a limiter. A class without a budget is not limited. All devices
// of a user together have as much as so many devices; 0 means without a limit.
func NewLimiter(budgets map[Class]Budget, devices int) *Limiter {
	return &Limiter{budgets: budgets, devices: devices, buckets: map[bucketKey]*rate.Limiter{}, spent: map[spentKey]spent{}}
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
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(call.Now)
	if call.UserID == "" {
		return take(call.Now, l.ofAddress(class, call.Addr, budget), nil)
	}
	device := l.bucket(bucketKey{class: class, user: call.UserID, device: call.DeviceID}, budget)
	if l.devices == 0 {
		return take(call.Now, device, nil)
	}
	all := Budget{budget.PerSecond * float64(l.devices), budget.Burst * l.devices}
	return take(call.Now, device, l.bucket(bucketKey{class: class, user: call.UserID, all: true}, all))
}

// allowAddress takes one request from the budget that an address has for all classes,
// whoever asks. What comes from this machine is a proxy or a tool of its owner's.
func (l *Limiter) allowAddress(addr netip.Addr, now time.Time) error {
	if l == nil || addr.IsLoopback() {
		return nil
	}
	budget, ok := l.budgets[Address]
	if !ok {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sweep(now)
	return take(now, l.ofAddress(Address, addr, budget), nil)
}

func (l *Limiter) ofAddress(class Class, addr netip.Addr, budget Budget) *rate.Limiter {
	key := bucketKey{class: class, from: network(addr)}
	if l.buckets[key] == nil && len(l.buckets) >= maxBuckets {
		key.from = netip.Prefix{}
	}
	return l.bucket(key, budget)
}

func (l *Limiter) bucket(key bucketKey, budget Budget) *rate.Limiter {
	bucket := l.buckets[key]
	if bucket == nil {
		bucket = rate.NewLimiter(rate.Limit(budget.PerSecond), max(1, budget.Burst))
		l.buckets[key] = bucket
	}
	return bucket
}

// take takes one request from both budgets or from none; the second may be nil.
func take(now time.Time, one, other *rate.Limiter) error {
	wait := missing(now, one)
	if other != nil {
		wait = max(wait, missing(now, other))
	}
	if wait > 0 {
		return errcode.TooManyRequests(wait)
	}
	one.AllowN(now, 1)
	if other != nil {
		other.AllowN(now, 1)
	}
	return nil
}

// missing is how long a budget takes to have one request, 0 if it has one.
func missing(now time.Time, b *rate.Limiter) time.Duration {
	if tokens := b.TokensAt(now); tokens < 1 {
		return max(1, time.Duration((1-tokens)/max(float64(b.Limit()), 1e-6)*float64(time.Second)))
	}
	return 0
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
	l.forgetSpent(now)
}

// network is the part of an address that one customer has: all of an IPv4
// address, half of an IPv6 one. It is the zero Prefix for the zero Addr.
func network(a netip.Addr) netip.Prefix {
	p, _ := a.Prefix(min(a.BitLen(), 64)) // never fails: it has so many bits
	return p
}
