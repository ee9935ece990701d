package cache

import "github.com/maypok86/otter/v2"

// A Cache keeps values by key. It holds functions rather than what they are functions of:
// a package that imports one which has a generic type in a struct compiles all methods of
// that, and the cache underneath has a thousand.
type Cache[K comparable, V any] struct {
	get func(K) (V, bool)
	set func(K, V) (V, bool)
}

// New makes a cache of at most so many values.
func New[K comparable, V any](entries int) *Cache[K, V] {
	return over(&otter.Options[K, V]{MaximumSize: entries})
}

// Weighed makes a cache of values that weigh at most so much together.
func Weighed[K comparable, V any](weight uint64, weigh func(K, V) uint32) *Cache[K, V] {
	return over(&otter.Options[K, V]{MaximumWeight: weight, Weigher: weigh})
}

func over[K comparable, V any](o *otter.Options[K, V]) *Cache[K, V] {
	c := otter.Must(o)
	return &Cache[K, V]{get: c.GetIfPresent, set: c.Set}
}

// Get gives the value of a key, and whether there is one.
func (c *Cache[K, V]) Get(key K) (V, bool) { return c.get(key) }

// Set puts a value, in place of the one that is there.
func (c *Cache[K, V]) Set(key K, value V) { c.set(key, value) }
