package validation_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/validation"
)

func (w *world) use(sid string) error {
	return w.db.Write(w.t.Context(), func(tx *db.Tx) error { return w.Use(tx, sid) })
}

func TestTP28_TP31_UsingASession(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Add)
	req.Account = "@alice:narthex.test"
	sid := w.send(req)
	_, err := w.validated(sid, clientSecret, validation.Add)
	is(t, err, validation.ErrNotValidated)
	is(t, w.use(sid), validation.ErrUsed) // nothing to use
	if err := w.submit(w.submission(req, sid)); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		sid, secret string
		purposes    []validation.Purpose
	}{
		"another purpose": {sid, clientSecret, []validation.Purpose{validation.Register, validation.Password}},
		"no purpose":      {sid, clientSecret, nil},
		"another secret":  {sid, "another", []validation.Purpose{validation.Add}},
		"another sid":     {"another", clientSecret, []validation.Purpose{validation.Add}},
		"no secret":       {sid, "", []validation.Purpose{validation.Add}},
		"NUL":             {"\x00", "\x00", []validation.Purpose{validation.Add}},
	} {
		if v, err := w.validated(c.sid, c.secret, c.purposes...); !errors.Is(err, validation.ErrUnknown) || v != (validation.Validated{}) {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
	v, err := w.validated(sid, clientSecret, validation.Register, validation.Add)
	if err != nil || v.Address != address || v.Account != "@alice:narthex.test" || v.At.IsZero() {
		t.Errorf("got %+v, %v", v, err)
	}
	if err := w.use(sid); err != nil {
		t.Error(err)
	}
	is(t, w.use(sid), validation.ErrUsed)
	again, err := w.validated(sid, clientSecret, validation.Add)
	is(t, err, validation.ErrUsed)
	if again != v {
		t.Errorf("got %+v, want %+v", again, v)
	}
}

func TestTP30_SessionsSurviveARestartAndAreSwept(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	in := w.submission(req, w.send(req))
	later := over(t, w.store) // another process
	if err := later.submit(in); err != nil {
		t.Fatal(err)
	}
	runner := jobs.NewRunner(w.db, w.store.Log.Logger(), w.Jobs())
	if err := runner.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	sweep := func() {
		t.Helper()
		if n, err := runner.RunDue(t.Context()); err != nil || n != 1 {
			t.Fatal(n, err)
		}
	}
	w.store.Advance(24*time.Hour + 5*24*time.Hour - time.Minute)
	sweep()
	is(t, w.submit(in), errcode.SessionExpired)
	w.store.Advance(time.Hour + time.Minute)
	sweep()
	is(t, w.submit(in), errcode.InvalidParam)
}

// TestManySubmitsAtOnce holds over two replicas that no guess goes uncounted, and that
// a right token is good however often it comes.
func TestManySubmitsAtOnce(t *testing.T) {
	store := dbtest.Open(t)
	first := over(t, store)
	second := over(t, store)
	if store.DB.Dialect() == db.Postgres {
		second = over(t, dbtest.Over(t, store.Database))
	}
	at := func(n int, f func(w *world)) {
		var wait sync.WaitGroup
		for i := range n {
			wait.Go(func() { f([]*world{first, second}[i%2]) })
		}
		wait.Wait()
	}
	for _, c := range []struct {
		req  validation.Request
		most int64
	}{{byPhone(validation.Password), validation.WrongCodes}, {byMail(validation.Password), validation.WrongTokens}} {
		in := first.submission(c.req, first.open(c.req))
		var incorrect, burnt atomic.Int64
		at(int(c.most)+20, func(w *world) {
			switch err := w.submit(wrong(in)); {
			case errors.Is(err, errcode.TokenIncorrect):
				incorrect.Add(1)
			case errors.Is(err, errcode.SessionExpired):
				burnt.Add(1)
			default:
				t.Error(err)
			}
		})
		if incorrect.Load() != c.most || burnt.Load() != 20 {
			t.Errorf("%s: %d were compared, %d refused", c.req.Medium, incorrect.Load(), burnt.Load())
		}
		in = first.submission(c.req, first.open(c.req))
		at(20, func(w *world) {
			if err := w.submit(in); err != nil {
				t.Error(err)
			}
		})
		var used atomic.Int64
		at(20, func(w *world) {
			switch err := w.use(in.SID); {
			case err == nil:
				used.Add(1)
			case !errors.Is(err, validation.ErrUsed):
				t.Error(err)
			}
		})
		if used.Load() != 1 {
			t.Errorf("%s: used %d times", c.req.Medium, used.Load())
		}
	}
	// Of one attempt, one mail.
	var sids sync.Map
	at(20, func(w *world) {
		sid, err := w.Send(t.Context(), from("192.0.2.1"), byMail(validation.Register))
		if err != nil {
			t.Error(err)
		}
		sids.Store(sid, true)
	})
	n := 0
	sids.Range(func(any, any) bool { n++; return true })
	if mails := len(first.sent(tokensSent)) + len(second.sent(tokensSent)); n != 1 || mails != 1 {
		t.Errorf("%d sessions, %d mails", n, mails)
	}
}
