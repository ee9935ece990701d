package cache_test

import (
	"fmt"
	"testing"

	"github.com/narthex-matrix/narthex/internal/cache"
)

func TestCache(t *testing.T) {
	c := cache.New[string, int](10)
	if v, ok := c.Get("a"); ok {
		t.Errorf("empty, and gave %d", v)
	}
	c.Set("a", 1)
	c.Set("a", 2)
	if v, ok := c.Get("a"); !ok || v != 2 {
		t.Errorf("got %d, %t, want what was put last", v, ok)
	}
}

// TestItIsBounded puts in a thousand times what may be in it. What is too much is thrown
// out beside that, so a few more are there for a moment.
func TestItIsBounded(t *testing.T) {
	for name, c := range map[string]*cache.Cache[string, int]{
		"by number": cache.New[string, int](100),
		"by weight": cache.Weighed(1000, func(string, int) uint32 { return 10 }),
	} {
		const put = 100_000
		for i := range put {
			c.Set(fmt.Sprint(i), i)
		}
		there := 0
		for i := range put {
			v, ok := c.Get(fmt.Sprint(i))
			if ok && v != i {
				t.Errorf("%s: got %d for %d", name, v, i)
			}
			if ok {
				there++
			}
		}
		if there == 0 || there > put/10 {
			t.Errorf("%s: %d of %d are there", name, there, put)
		}
	}
}
