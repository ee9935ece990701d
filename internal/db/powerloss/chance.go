package powerloss

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// What the environment may say of the tests of power loss: how many cuts there are in
// the long form, and the seed of a run that is to be seen again.
const (
	cutsVariable = "NARTHEX_POWERLOSS"
	seedVariable = "NARTHEX_POWERLOSS_SEED"
)

// Chance gives a random source whose seed the log of the test names.
func Chance(t testing.TB) *rand.Rand {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv(seedVariable); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("%s=%d", seedVariable, seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// Cuts is how often a test cuts the power: so often as the short form does, unless the
// environment says otherwise.
func Cuts(t testing.TB, short int) int {
	t.Helper()
	text := os.Getenv(cutsVariable)
	if text == "" {
		return short
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", cutsVariable, err)
	}
	return n
}
