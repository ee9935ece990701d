package rooms_test

import (
	"math/big"
	"regexp"
	"testing"

	"github.com/narthex-matrix/narthex/internal/rooms"
)

var plainPosition = regexp.MustCompile(`^s(0|[1-9][0-9]*)$`)

// FuzzParsePosition: a token is accepted exactly if the server would have given it
// out, and stands for its number: since, next_batch, from, to and at.
func FuzzParsePosition(f *testing.F) {
	for _, token := range []string{"s0", "s1", "s9223372036854775807", "s9223372036854775808", "s01", "s-1", "s+1", "s1 ", "S1", "s", "", "t1", "s1_2", "s１", "s99999999999999999999"} {
		f.Add(token, int64(len(token)))
	}
	f.Fuzz(func(t *testing.T, token string, number int64) {
		pos, err := rooms.ParsePosition(token)
		want, ok := big.NewInt(-1), plainPosition.MatchString(token)
		if ok {
			want, _ = want.SetString(token[1:], 10)
			ok = want.IsInt64()
		}
		if (err == nil) != ok || ok && want.Int64() != pos || !ok && pos != 0 {
			t.Errorf("%q: got %d, %v, want %v", token, pos, err, want)
		}
		if number >= 0 {
			if pos, err := rooms.ParsePosition(rooms.Token(number)); err != nil || pos != number {
				t.Errorf("%d: got %d, %v", number, pos, err)
			}
		}
	})
}
