package validation_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// guess types wrong codes for a number from an address, in as many sessions as it
// takes, and gives how many were answered before the first refusal.
func (w *world) guess(purpose validation.Purpose, number, ip string, most int) (answered int) {
	w.t.Helper()
	req := byPhone(purpose)
	req.Address = number
	in := w.submission(req, w.open(req))
	for range most {
		_, err := w.Submit(w.t.Context(), from(ip), wrong(in))
		if errors.Is(err, errcode.SessionExpired) {
			in = w.submission(req, w.open(req))
			_, err = w.Submit(w.t.Context(), from(ip), wrong(in))
		}
		if errors.Is(err, errcode.LimitExceeded) {
			// Neither does the right one help now.
			_, err = w.Submit(w.t.Context(), from(ip), in)
			is(w.t, err, errcode.LimitExceeded)
			return answered
		}
		is(w.t, err, errcode.TokenIncorrect)
		answered++
	}
	return answered
}

func TestTP10_GuessesAreCounted(t *testing.T) {
	t.Run("one number, from many networks", func(t *testing.T) {
		w := newWorld(t)
		answered := 0
		for i := range 20 {
			answered += w.guess(validation.Add, number, fmt.Sprintf("192.0.2.%d", i), 3)
		}
		if answered != validation.CodesOfAddress {
			t.Errorf("%d were answered", answered)
		}
		w.store.Advance(24*time.Hour + time.Second)
		if got := w.guess(validation.Add, number, "192.0.2.99", 1); got != 1 {
			t.Error("the next day does not come")
		}
	})
	t.Run("many numbers, from one network", func(t *testing.T) {
		w := newWorld(t)
		answered := 0
		for i := range 20 {
			answered += w.guess(validation.Register, fmt.Sprint(442079460000+i), fmt.Sprintf("2001:db8::%d", i), 3)
		}
		if answered != validation.CodesOfNetwork {
			t.Errorf("%d were answered", answered)
		}
	})
	t.Run("passwords, many numbers from many networks", func(t *testing.T) {
		w := newWorld(t)
		answered := 0
		for i := range 25 {
			answered += w.guess(validation.Password, fmt.Sprint(442079460000+i), fmt.Sprintf("192.0.2.%d", i), 3)
		}
		if answered != validation.CodesOfEverybody {
			t.Errorf("%d were answered", answered)
		}
		if got := w.guess(validation.Add, "442079461000", "198.51.100.1", 1); got != 1 {
			t.Error("other purposes are refused, too")
		}
		mailed := byMail(validation.Password)
		if err := w.submit(w.submission(mailed, w.open(mailed))); err != nil {
			t.Errorf("by mail: %v", err)
		}
	})
	t.Run("typing errors are given back", func(t *testing.T) {
		w := newWorld(t)
		req := byPhone(validation.Password)
		for range validation.CodesOfEverybody {
			in := w.submission(req, w.open(req))
			is(t, w.submit(wrong(in)), errcode.TokenIncorrect)
			if err := w.submit(in); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Run("an unknown session is refused before", func(t *testing.T) {
		w := newWorld(t)
		w.guess(validation.Add, number, "192.0.2.1", 99)
		w.guess(validation.Add, "442079460019", "192.0.2.1", 99)
		is(t, w.submit(validation.Submission{Purpose: validation.Add, Medium: validation.Phone, SID: "s", ClientSecret: "c", Token: "1"}), errcode.LimitExceeded)
	})
}

// TestOddsOfGuessing computes what the limits mean: within any 24 hours, in which two
// windows of a budget may end and begin, a code is guessed with a chance of at most
// 1 in 10,000: of one number by anybody, of any number by one network, and of any
// account's by everybody. And it plays it, in a space of codes that is smaller by a
// known factor, so that something happens: as many guesses are right as computed.
func TestOddsOfGuessing(t *testing.T) {
	const space, smaller, days = 1_000_000, 1000, 20_000
	for name, most := range map[string]int{"a number": validation.CodesOfAddress, "a network": validation.CodesOfNetwork, "everybody": validation.CodesOfEverybody} {
		if odds := 2 * float64(most) / space; odds > 1e-4 {
			t.Errorf("%s: %g within 24 hours", name, odds)
		}
		random := rand.New(rand.NewPCG(1, uint64(most)))
		right := 0
		for range days {
			good, tried := random.IntN(space/smaller), map[int]bool{}
			for i := range most {
				if i%validation.WrongCodes == 0 { // another session, another code
					good, tried = random.IntN(space/smaller), map[int]bool{}
				}
				guess := random.IntN(space / smaller)
				for tried[guess] { // the best there is to do
					guess = random.IntN(space / smaller)
				}
				tried[guess] = true
				if guess == good {
					right++
				}
			}
		}
		want := float64(days*most) * smaller / space
		if distance := math.Abs(float64(right) - want); distance > 4*math.Sqrt(want) {
			t.Errorf("%s: %d guesses were right, and %.1f were computed", name, right, want)
		}
	}
}

// TestCodesAreEven holds that no code is likelier than another.
func TestCodesAreEven(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	const draws = 100_000
	count := map[rune]int{}
	for range draws {
		number := make([]byte, 64)
		for i := range number {
			number[i] = byte(random.IntN(256))
		}
		for _, r := range validation.Spell(number, 6, "0123456789") {
			count[r]++
		}
	}
	for r := '0'; r <= '9'; r++ {
		if distance := math.Abs(float64(count[r]) - draws*6/10); distance > 4*math.Sqrt(draws*6/10) {
			t.Errorf("%c comes up %d times", r, count[r])
		}
	}
}
