package mail_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/mail"
)

var note = mail.Message{To: "alice@example.org", Template: mail.Approved, Data: mail.Account{UserID: "@alice:narthex.test"}}

// TestK16KilledAfterTheCommit holds that a mail is sent although the process died
// before it could try.
func TestK16KilledAfterTheCommit(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none")
	p.queue(t, note)
	after := open(t, p.store, nil, func(c *config.Config) { m.configure(c, "none") }) // another process
	p.store.Advance(mail.HeadStart + time.Second)
	after.work(t)
	after.expect(t, m, 1, 0)
}

// TestK16KilledAfterTheSend holds that a process that dies before it has noted what
// it sent costs one mail too many, and that this one is the same.
func TestK16KilledAfterTheSend(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none")
	id := p.queue(t, note)
	is(t, p.SendAndDie(t.Context(), id), nil)
	p.expect(t, m, 1, 1)

	after := open(t, p.store, nil, func(c *config.Config) { m.configure(c, "none") })
	p.store.Advance(mail.HeadStart + time.Second)
	after.work(t)
	after.expect(t, m, 1, 1) // the dead process may still be sending
	p.store.Advance(mail.Lease + time.Minute)
	after.work(t)
	after.expect(t, m, 2, 0)
	p.store.Advance(24 * time.Hour)
	after.work(t)
	after.expect(t, m, 2, 0)
	for _, name := range []string{"Message-Id", "Date", "Subject"} {
		first, second := m.got()[0].message(t).Header.Get(name), m.got()[1].message(t).Header.Get(name)
		if first == "" || first != second {
			t.Errorf("%s: %q, then %q", name, first, second)
		}
	}
}

// TestK16NoAnswer holds that a mail server that takes mails and says nothing gets
// each at most twice.
func TestK16NoAnswer(t *testing.T) {
	m := startMail(t, "none")
	m.hangUp = true
	p := connected(t, m, "none")
	is(t, p.send(t, "alice@example.org"), mail.ErrLater)
	p.expect(t, m, 1, 1)
	for range 5 {
		p.store.Advance(time.Hour)
		p.work(t)
	}
	p.expect(t, m, 2, 0)
	if !strings.Contains(p.store.Log.String(), "a mail was sent twice, and is given up") {
		t.Errorf("the log does not say so:\n%s", p.store.Log.String())
	}
}

func TestK16NothingIsSentForATransactionThatFails(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none")
	broken := errors.New("broken")
	err := p.store.DB.Write(t.Context(), func(tx *db.Tx) error {
		if _, err := p.Queue(tx, note); err != nil {
			return err
		}
		return broken
	})
	is(t, err, broken)
	p.store.Advance(time.Hour)
	p.work(t)
	p.expect(t, m, 0, 0)
}

// TestOneMailIsSentByOne holds that Deliver leaves alone what somebody else sends.
func TestOneMailIsSentByOne(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none")
	id := p.queue(t, note)
	is(t, p.SendAndDie(t.Context(), id), nil) // holds the lease
	is(t, p.Deliver(t.Context(), id), mail.ErrLater)
	p.expect(t, m, 1, 1)

	is(t, p.Deliver(t.Context(), "gone"), nil)
	other := p.queue(t, note)
	is(t, p.Deliver(t.Context(), other), nil)
	is(t, p.Deliver(t.Context(), other), nil)
	p.expect(t, m, 2, 1)
}

func TestAMailIsGivenUpWhenItIsOfNoUse(t *testing.T) {
	m := startMail(t, "none")
	m.answers = []error{answer(450, smtp.EnhancedCode{4, 2, 0}, "later"), answer(450, smtp.EnhancedCode{4, 2, 0}, "later")}
	p := connected(t, m, "none")
	short := note
	err := p.store.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
		short.Expires = tx.Now.Add(time.Minute)
		return nil
	})
	is(t, err, nil)
	is(t, p.Deliver(t.Context(), p.queue(t, short)), mail.ErrLater)
	is(t, p.Deliver(t.Context(), p.queue(t, note)), mail.ErrLater)
	p.store.Advance(time.Hour)
	p.work(t)
	p.expect(t, m, 1, 0) // the other one, which had time
	if !strings.Contains(p.store.Log.String(), "could not be delivered in time and is given up") {
		t.Errorf("the log does not say so:\n%s", p.store.Log.String())
	}

	m.set(func() { m.answers = make([]error, 0) })
	p.queue(t, note)
	p.store.Advance(mail.Lifetime + time.Minute)
	p.work(t)
	p.expect(t, m, 1, 0)
}
