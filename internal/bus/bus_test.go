package bus_test

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/bus"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// woken reports whether a wake-up is waiting.
func woken(w *bus.Waiter) bool {
	select {
	case <-w.C:
		return true
	default:
		return false
	}
}

func TestLocal(t *testing.T) {
	b := bus.NewLocal()
	alice, room := b.Subscribe("ualice"), b.Subscribe("ualice", "rhall")
	b.Wake([]string{"rhall", "rhall"})
	if woken(alice) || !woken(room) || woken(room) {
		t.Error("a key wakes its waiters, once, and no other")
	}
	b.Wake([]string{"ualice"})
	if !woken(alice) || !woken(room) {
		t.Error("both wait for the user")
	}
	alice.Add("rporch")
	b.Wake([]string{"rporch"})
	if !woken(alice) {
		t.Error("a key that was added wakes")
	}
	alice.Close()
	b.Wake([]string{"ualice", "rporch"})
	if woken(alice) || !woken(room) {
		t.Error("a closed waiter is not woken, the others are")
	}
	b.WakeAll()
	if !woken(room) {
		t.Error("WakeAll wakes everyone")
	}
}

// TestPostgres holds that a wake-up of one process reaches another, and that a
// broken connection is made again with a wake-up for everyone.
func TestPostgres(t *testing.T) {
	server := pgtest.StartFor(t)
	url := server.DatabaseFor(t, "")
	open := func() *bus.Postgres {
		b, err := bus.NewPostgres(t.Context(), url, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(b.Close)
		return b
	}
	here, there := open(), open()
	w := there.Subscribe("rhall")
	defer w.Close()
	here.Wake([]string{"rhall", "r" + strings.Repeat("x", 200)})
	<-w.C

	// What comes back of one's own wake-ups wakes nobody again. Notifications come in
	// the order of their commits.
	own, later := here.Subscribe("rhall"), here.Subscribe("rporch")
	defer own.Close()
	defer later.Close()
	here.Wake([]string{"rhall"})
	<-own.C
	<-w.C
	there.Wake([]string{"rporch"})
	<-later.C
	if woken(own) {
		t.Error("a wake-up was heard twice")
	}

	if err := server.DropConnections(url); err != nil {
		t.Fatal(err)
	}
	<-w.C // everyone is woken when the connection is back
	here.Wake([]string{"rhall"})
	<-w.C
}

// TestSubscribeSince holds that nothing is missed between a moment and the subscription.
func TestSubscribeSince(t *testing.T) {
	for _, c := range []struct {
		name      string
		meanwhile func(b *bus.Local)
		want      bool
	}{
		{"nothing", func(*bus.Local) {}, false},
		{"one of the keys", func(b *bus.Local) { b.Wake([]string{"rporch", "rhall"}) }, true},
		{"another key", func(b *bus.Local) { b.Wake([]string{"rporch"}) }, false},
		{"everyone", func(b *bus.Local) { b.WakeAll() }, true},
		{"more than is remembered", func(b *bus.Local) { b.Wake(make([]string, 10_000)) }, true},
	} {
		b := bus.NewLocal()
		b.Wake([]string{"ualice", "rhall"})
		since := b.Now()
		c.meanwhile(b)
		w := b.SubscribeSince(since, "ualice", "rhall")
		if got := woken(w); got != c.want {
			t.Errorf("%s meanwhile: woken is %t, want %t", c.name, got, c.want)
		}
		b.Wake([]string{"rhall"})
		if !woken(w) {
			t.Errorf("%s meanwhile: what comes later wakes as well", c.name)
		}
	}
}
