package oauth_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/oauth"
)

// TestOA16_GuessingIsLimitedAtOnce holds the limits of one account, of one address and of
// all, and that a right code is refused like the others.
func TestOA16_GuessingIsLimitedAtOnce(t *testing.T) {
	srv := apitest.New(t)
	alice, bob := srv.User(t, "alice"), srv.User(t, "bob")
	clientID, _ := registered(t, srv, element())
	a := ask(t, srv, clientID, newDevice)
	try := func(userID id.UserID, addr, code string) error {
		call := callOf()
		call.Addr = address(addr)
		_, err := srv.App.OAuth.FindDeviceRequest(t.Context(), call, userID, code)
		return err
	}
	var wait sync.WaitGroup
	for range 20 { // at once: no more than the limit are answered
		wait.Go(func() {
			if err := try(alice.UserID, "192.0.2.1", "BBBBBBBB"); !isCode(err, errcode.NotFound) && !isCode(err, errcode.LimitExceeded) {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if wrong := guesses(t, srv, "all"); wrong != 5 {
		t.Errorf("%d codes were compared", wrong)
	}
	for _, c := range []struct {
		name string
		who  id.UserID
		addr string
		want *errcode.Code
	}{
		{"the account", alice.UserID, "192.0.2.2", errcode.LimitExceeded},
		{"the address", bob.UserID, "192.0.2.1", errcode.LimitExceeded},
		{"neither", bob.UserID, "192.0.2.2", nil},
	} {
		if err := try(c.who, c.addr, a.UserCode); (c.want == nil) != (err == nil) || (c.want != nil && !isCode(err, c.want)) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
	srv.Advance(10 * time.Minute)
	if err := try(alice.UserID, "192.0.2.1", a.UserCode); err != nil {
		t.Error("after ten minutes:", err)
	}
	t.Run("one household counts as one", func(t *testing.T) {
		for i := range 5 {
			_ = try(id.UserID(fmt.Sprintf("@u%d:narthex.test", i)), fmt.Sprintf("2001:db8::%d", i), "BBBBBBBB")
		}
		if err := try(bob.UserID, "2001:db8::ffff", a.UserCode); !isCode(err, errcode.LimitExceeded) {
			t.Error(err)
		}
	})
	t.Run("everybody together", func(t *testing.T) {
		srv.Advance(2 * time.Hour)
		answered := 0
		for i := range 400 {
			if err := try(id.UserID(fmt.Sprintf("@v%d:narthex.test", i)), fmt.Sprintf("198.51.100.%d", i%250), "CCCCCCCC"); isCode(err, errcode.NotFound) {
				answered++
			}
		}
		if answered != 250 {
			t.Errorf("%d of 400 guesses were answered", answered)
		}
	})
}

// TestOddsOfGuessing computes what the limits mean, at most one right guess of a user
// code in 10,000 days, and plays it: in a space of codes that is smaller by a known
// factor, so that something happens, as many guesses are right as computed.
func TestOddsOfGuessing(t *testing.T) {
	const space, smaller, days = 25_600_000_000, 10_000, 200
	perDay := 24 * oauth.GuessesOfAll
	if odds := float64(perDay) * oauth.MaxPending / space; odds > 1e-4 {
		t.Errorf("somebody guesses right with %g a day", odds)
	}
	random := rand.New(rand.NewPCG(1, 2))
	right := 0
	for range days {
		good := map[int]bool{}
		for len(good) < oauth.MaxPending {
			good[random.IntN(space/smaller)] = true
		}
		for range perDay {
			if good[random.IntN(space/smaller)] {
				right++
			}
		}
	}
	want := float64(days*perDay) * oauth.MaxPending * smaller / space // 187.5
	if distance := math.Abs(float64(right) - want); distance > 4*math.Sqrt(want) {
		t.Errorf("%d guesses were right, and %.1f were computed", right, want)
	}
}
