package validation_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/mail"
	"github.com/narthex-matrix/narthex/internal/validation"
)

func TestTP18_TP23_TP26_OneTokenForASession(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	sid := w.send(req)
	if !regexp.MustCompile(`^[0-9a-zA-Z.=_-]{22,255}$`).MatchString(sid) {
		t.Errorf("the sid is %q", sid)
	}
	req.SendAttempt = 2
	if again := w.send(req); again != sid {
		t.Errorf("another sid: %q and %q", sid, again)
	}
	sent := w.sent(tokensSent)
	if len(sent) != 2 || sent[0] != sent[1] {
		t.Fatalf("sent: %q", sent)
	}
	in := validation.Submission{Purpose: validation.Register, Medium: validation.Email, SID: sid, ClientSecret: clientSecret, Token: sent[0]}
	if err := w.submit(in); err != nil {
		t.Error(err)
	}
}

func TestTP25_TheDatabaseTellsNoSecret(t *testing.T) {
	w := newWorld(t)
	mailed, texted := byMail(validation.Register), byPhone(validation.Register)
	for _, in := range []validation.Submission{w.submission(mailed, w.send(mailed)), w.submission(texted, w.open(texted))} {
		var all strings.Builder
		err := w.db.Read(t.Context(), func(tx *db.Tx) error {
			return db.Each(tx, func(r db.Row) error {
				var sid, seed, hash string
				if err := r.Scan(&sid, &seed, &hash); err != nil {
					return err
				}
				all.WriteString(sid + seed + hash)
				return nil
			}, `SELECT sid, seed, secret_hash FROM validation_sessions`)
		})
		if err != nil || strings.Contains(all.String(), in.Token) || strings.Contains(all.String(), clientSecret) {
			t.Errorf("%v: the rows have the secret: %q", err, all.String())
		}
	}
}

func TestTP28_WhatMakesASession(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	sids := map[string]string{w.send(req): "the first"}
	for name, change := range map[string]func(*validation.Request){
		"another purpose": func(r *validation.Request) { r.Purpose = validation.Add },
		"another address": func(r *validation.Request) { r.Address = "bob@example.org" },
		"another secret":  func(r *validation.Request) { r.ClientSecret = "another" },
		"another account": func(r *validation.Request) { r.Account = "@alice:narthex.test" },
	} {
		other := req
		change(&other)
		sid := w.send(other)
		if was := sids[sid]; was != "" {
			t.Errorf("%s has the session of %s", name, was)
		}
		sids[sid] = name
	}
	if got := len(w.sent(tokensSent)); got != len(sids) {
		t.Errorf("%d mails for %d sessions", got, len(sids))
	}
}

func TestTP32_TP33_TP35_Attempts(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Add)
	var first string
	for _, c := range []struct {
		attempt int64
		mails   int
	}{{0, 1}, {0, 1}, {1, 2}, {1, 2}, {0, 2}, {7, 3}, {6, 3}, {1 << 53, 4}, {8, 4}} {
		req.SendAttempt = c.attempt
		sid := w.send(req)
		if first == "" {
			first = sid
		}
		if got := len(w.sent(tokensSent)); got != c.mails || sid != first {
			t.Errorf("attempt %d: %d mails, want %d", c.attempt, got, c.mails)
		}
	}
	req.SendAttempt = -1
	_, err := w.Send(t.Context(), from("192.0.2.1"), req)
	is(t, err, errcode.InvalidParam)

	// TP-35: validated, expired, burnt.
	req.SendAttempt = 0
	if err := w.submit(w.submission(req, first)); err != nil {
		t.Fatal(err)
	}
	second := w.send(req)
	w.store.Advance(61 * time.Minute)
	third := w.send(req)
	for range validation.WrongTokens {
		is(t, w.submit(wrong(w.submission(req, third))), errcode.TokenIncorrect)
	}
	fourth := w.send(req)
	if first == second || second == third || third == fourth {
		t.Errorf("the sessions are %q %q %q %q", first, second, third, fourth)
	}
	if got := len(w.sent(tokensSent)); got != 7 {
		t.Errorf("%d mails", got)
	}
	if _, err := w.validated(first, clientSecret, validation.Add); err != nil {
		t.Errorf("the validated one is lost: %v", err)
	}
}

func TestTP37_NextLinks(t *testing.T) {
	w := newWorld(t)
	listed := newWorld(t, func(c *config.Config) { c.Threepid.NextLinkHosts = []string{"App.example.org", "localhost:8080"} })
	for _, link := range []string{"", "https://matrix.narthex.test", "https://MATRIX.narthex.test:443/x?y#z", "http://matrix.narthex.test/"} {
		if err := w.CheckNextLink(link); err != nil {
			t.Errorf("%q: %v", link, err)
		}
	}
	for _, link := range []string{"https://app.example.org/", "http://localhost:8080/#/x"} {
		if err := listed.CheckNextLink(link); err != nil {
			t.Errorf("%q: %v", link, err)
		}
	}
	is(t, listed.CheckNextLink("https://matrix.narthex.test/"), errcode.InvalidParam)
	is(t, listed.CheckNextLink("http://localhost/"), errcode.InvalidParam)
	for _, link := range []string{
		"/x", "//matrix.narthex.test/", "matrix.narthex.test", "javascript:alert(1)", "javascript://matrix.narthex.test/%0aalert(1)", "data:text/html,x", "ftp://matrix.narthex.test/",
		"https:matrix.narthex.test", "https:///x", "https://", "https://evil.example/", "https://evil.example/?https://matrix.narthex.test", "https://matrix.narthex.test.evil.example/",
		"https://matrix.narthex.test@evil.example/", "https://a@matrix.narthex.test/", "https://a:b@matrix.narthex.test/", "https://matrix.narthex.test:8443/",
		`https://matrix.narthex.test\@evil.example/`, `https://evil.example\.matrix.narthex.test/`, "https://matrix.narthex.test/\r\nX: y", "https://matrix.narthex.test/\t", " https://matrix.narthex.test/",
		"https://matrix.narthex.test/ü", "https://xmatrix.narthex.test/", "https://matrix.narthex.test./", "https://matrix.narthex.test/" + strings.Repeat("x", 2048),
	} {
		is(t, w.CheckNextLink(link), errcode.InvalidParam)
		req := byMail(validation.Register)
		req.NextLink = link
		_, err := w.Send(t.Context(), from("192.0.2.1"), req)
		is(t, err, errcode.InvalidParam)
	}
	if got := len(w.sent(tokensSent)); got != 0 {
		t.Errorf("%d mails", got)
	}
}

func TestTP38_TheSIDIsAppended(t *testing.T) {
	for link, want := range map[string]string{
		"": "", "https://a.example": "https://a.example?sid=s", "https://a.example/?b=c": "https://a.example/?b=c&sid=s", "https://a.example/#/x?y": "https://a.example/?sid=s#/x?y",
	} {
		if got := validation.WithSID(link, "s"); got != want {
			t.Errorf("%q becomes %q, want %q", link, got, want)
		}
	}
}

func TestTP40_ALaterNextLinkCounts(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	req.NextLink = "https://matrix.narthex.test/1"
	sid := w.send(req)
	req.NextLink = "https://matrix.narthex.test/not-sent"
	w.send(req)
	req.SendAttempt, req.NextLink = 2, "https://matrix.narthex.test/2"
	w.send(req)
	req.SendAttempt, req.NextLink = 3, ""
	w.send(req)
	next, err := w.Submit(t.Context(), from("192.0.2.1"), w.submission(req, sid))
	if want := "https://matrix.narthex.test/2?sid=" + sid; err != nil || next != want {
		t.Errorf("got %q, %v; want %q", next, err, want)
	}
}

func TestTP57_AMediumWithoutATransport(t *testing.T) {
	w := newWorld(t)
	req := byMail(validation.Register)
	req.Medium = "pigeon"
	_, err := w.Send(t.Context(), from("192.0.2.1"), req)
	is(t, err, errcode.ThreepidMediumNotSupported)
	req = byMail(validation.Register)
	for _, secret := range []string{"", "a b", "ä", strings.Repeat("x", 256), "a\x00"} {
		req.ClientSecret = secret
		_, err := w.Send(t.Context(), from("192.0.2.1"), req)
		is(t, err, errcode.InvalidParam)
	}
}

func TestTP61_Sends(t *testing.T) {
	w := newWorld(t, func(c *config.Config) { c.RateLimits.Enabled = true })
	send := func(ip, address string, attempt int64) error {
		req := byMail(validation.Register)
		req.Address, req.SendAttempt = address, attempt
		_, err := w.Send(t.Context(), from(ip), req)
		return err
	}
	for i := range int64(validation.SendsOfAddress) {
		for range 3 { // the same attempt costs nothing
			if err := send("192.0.2."+string('1'+byte(i)), address, i); err != nil {
				t.Fatal(err)
			}
		}
	}
	is(t, send("192.0.2.9", address, 99), errcode.LimitExceeded)
	for i := range validation.SendsOfNetwork {
		if err := send("2001:db8::1", "a"+strings.Repeat("b", i)+"@example.org", 1); err != nil {
			t.Fatal(err)
		}
	}
	is(t, send("2001:db8::2", "bob@example.org", 1), errcode.LimitExceeded) // one network
	if err := send("2001:db8:0:1::1", "bob@example.org", 1); err != nil {
		t.Error(err)
	}
	w.store.Advance(61 * time.Minute)
	for _, ip := range []string{"192.0.2.9", "2001:db8::1"} {
		if err := send(ip, address, 99); err != nil {
			t.Error(err)
		}
		w.store.Advance(time.Second)
	}
}

func TestTP64_Pretences(t *testing.T) {
	w := newWorld(t)
	unused, used := byMail(validation.Register), byMail(validation.Password)
	unused.Pretend, unused.Notice = validation.PretendUnused, mail.Account{UserID: "@alice:narthex.test", Link: "https://matrix.narthex.test/login"}
	used.Pretend = validation.PretendUsed
	real := byMail(validation.Add)
	real.Pretend, real.Address = validation.Discreet, "bob@example.org"
	for name, req := range map[string]validation.Request{"unused": unused, "used": used} {
		sid := w.send(req)
		if again := w.send(req); again != sid {
			t.Errorf("%s: another sid", name)
		}
		in := w.submission(req, sid) // even the token that it would have
		for range validation.WrongTokens {
			is(t, w.submit(in), errcode.TokenIncorrect)
		}
		is(t, w.submit(in), errcode.SessionExpired)
		_, err := w.validated(sid, clientSecret, req.Purpose)
		is(t, err, validation.ErrExpired)
	}
	sid := w.send(real)
	if err := w.submit(w.submission(real, sid)); err != nil {
		t.Error(err)
	}
	if len(w.waited) != 5 {
		t.Errorf("%d waits", len(w.waited))
	}
	for _, d := range w.waited {
		if d < 100*time.Millisecond || d > time.Second {
			t.Errorf("it waits %v", d)
		}
	}
	var outbox []string
	err := w.db.Read(t.Context(), func(tx *db.Tx) (err error) {
		outbox, err = db.All(tx, db.Scalar[string], `SELECT address || ' ' || template FROM mail_outbox ORDER BY template`)
		return err
	})
	if err != nil || strings.Join(outbox, ", ") != "alice@example.org already_registered, bob@example.org validation_add" {
		t.Errorf("the outbox has %q, %v", outbox, err)
	}
}
