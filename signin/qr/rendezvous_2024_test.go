package qr_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin"
	"github.com/narthex-matrix/narthex/signin/qr"
)

var _ qr.Mailbox = (*qr.Mailbox2024)(nil)

// both2024 gives the two sides of one session.
func both2024(t *testing.T, p *meetingPlace) (shows, scans *qr.Mailbox2024) {
	t.Helper()
	shows = must(qr.Create2024(t.Context(), p.URL+"/", p.options(nil)))(t)
	scans = must(qr.Open2024(t.Context(), shows.URL(), p.options(nil)))(t)
	return shows, scans
}

func TestMessagesGoBothWays2024(t *testing.T) {
	p := newPlace(t, place2024)
	shows, scans := both2024(t, p)
	if got, want := shows.URL(), p.URL+path2024+"/"+sessionID; got != want {
		t.Errorf("the session's URL is %q, want %q", got, want)
	}
	if shows.Remaining() != expiresFor || scans.Remaining() != expiresFor {
		t.Errorf("remaining %v and %v, want %v", shows.Remaining(), scans.Remaining(), expiresFor)
	}
	send(t, scans, "initiate")
	receive(t, shows, "initiate")
	send(t, shows, "ok")
	receive(t, scans, "ok")
	send(t, scans, "one")
	send(t, scans, "two") // only the last payload can be read
	receive(t, shows, "two")
	if shows.SealToken()+shows.OpenToken()+scans.SealToken()+scans.OpenToken() != "" {
		t.Error("there are tokens in 2024")
	}
	for _, m := range []qr.Mailbox{shows, scans} {
		if err := m.Close(t.Context()); err != nil {
			t.Errorf("closing: %v", err)
		}
	}
	if err := scans.Send(t.Context(), "late"); !errors.Is(err, qr.ErrMailboxGone) {
		t.Errorf("sending to a closed session: %v", err)
	}
	if _, err := shows.Receive(t.Context()); !errors.Is(err, qr.ErrMailboxGone) {
		t.Errorf("receiving from a closed session: %v", err)
	}
}

func TestReceivePollsEverySecond2024(t *testing.T) {
	p := newPlace(t, place2024)
	var waits []time.Duration
	o := p.options(&waits)
	m := must(qr.Create2024(t.Context(), p.URL, o))(t)
	send(t, m, "mine")
	polls := 0
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if polls++; polls == 4 {
			p.write("theirs")
		}
		return false
	}
	receive(t, m, "theirs")
	if want := []time.Duration{time.Second, time.Second, time.Second}; !slices.Equal(waits, want) {
		t.Errorf("waited %v, want %v", waits, want)
	}
	if want := []string{"GET 304", "GET 304", "GET 304", "GET 200"}; !slices.Equal(p.requests()[2:], want) {
		t.Errorf("asked %v, want %v", p.requests()[2:], want)
	}
}

func TestReceiveEndsWithItsContext2024(t *testing.T) {
	p := newPlace(t, place2024)
	m := must(qr.Create2024(t.Context(), p.URL, p.options(nil)))(t)
	ctx, cancel := context.WithCancel(t.Context())
	p.fault = func(http.ResponseWriter, *http.Request) bool { cancel(); return false }
	if _, err := m.Receive(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestWritingAtTheSameMomentConflicts2024(t *testing.T) {
	p := newPlace(t, place2024)
	m, _ := both2024(t, p)
	p.elsewhere("theirs")
	err := m.Send(t.Context(), "mine")
	if !errors.Is(err, qr.ErrMailboxConflict) || errors.Is(err, qr.ErrETagMangled) {
		t.Errorf("got %v, want ErrMailboxConflict alone", err)
	}
	receive(t, m, "theirs")
}

func TestLostAnswersAreMadeUpFor2024(t *testing.T) {
	p := newPlace(t, place2024)
	var waits []time.Duration
	m := must(qr.Create2024(t.Context(), p.URL, p.options(&waits)))(t)
	p.lost = 1
	send(t, m, "mine")
	if want := []string{"POST 201", "PUT 202", "PUT 412", "GET 200"}; !slices.Equal(p.requests(), want) {
		t.Errorf("asked %v, want %v", p.requests(), want)
	}
	p.elsewhere("theirs")
	receive(t, m, "theirs")
	send(t, m, "again")

	// The other side answers before this side knows that it has written.
	p.lost = 1
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "PUT" && p.payload == "question" {
			p.write("reply")
		}
		return false
	}
	if err := m.Send(t.Context(), "question"); !errors.Is(err, qr.ErrMailboxConflict) {
		t.Errorf("got %v", err)
	}
	receive(t, m, "reply")
}

func TestAnUnreachableServerIsAskedAgain2024(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter){
		"503":             answer(503, "<html>"),
		"500 from Matrix": matrix(500, "M_UNKNOWN"),
		"429":             matrix(429, "M_UNKNOWN"),
		"no answer":       func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2024)
			var waits []time.Duration
			m := must(qr.Create2024(t.Context(), p.URL, p.options(&waits)))(t)
			p.write("theirs")
			p.fault = answers("GET", fault, fault, fault, fault)
			receive(t, m, "theirs")
			if want := []time.Duration{1e9, 2e9, 4e9, 8e9}; !slices.Equal(waits, want) {
				t.Errorf("waited %v, want %v", waits, want)
			}
			p.fault = answers("GET", fault, fault, fault, fault, fault)
			if _, err := m.Receive(t.Context()); err == nil || errors.Is(err, qr.ErrMailboxGone) {
				t.Errorf("after five faults: %v", err)
			}
		})
	}
}

func TestRetryAfterIsHeeded2024(t *testing.T) {
	p := newPlace(t, place2024)
	var waits []time.Duration
	m := must(qr.Create2024(t.Context(), p.URL, p.options(&waits)))(t)
	p.fault = answers("PUT", answer(429, `{"errcode":"M_UNKNOWN"}`, "Retry-After", "7"))
	send(t, m, "mine")
	if want := []time.Duration{7 * time.Second}; !slices.Equal(waits, want) {
		t.Errorf("waited %v, want %v", waits, want)
	}
}

func TestRefusals2024(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter)
		check func(error) bool
	}{
		"404":              {matrix(404, "M_NOT_FOUND"), is(qr.ErrMailboxGone)},
		"404 of a proxy":   {answer(404, "not found"), is(qr.ErrMailboxGone)},
		"API switched off": {matrix(404, "M_UNRECOGNIZED"), is(qr.ErrNoRendezvous)},
		"400":              {matrix(400, "M_INVALID_PARAM"), isMatrix(400, "M_INVALID_PARAM")},
		"403":              {matrix(403, "M_FORBIDDEN"), isMatrix(403, "M_FORBIDDEN")},
		"413":              {matrix(413, "M_TOO_LARGE"), isMatrix(413, "M_TOO_LARGE")},
		"redirect":         {answer(307, "", "Location", "/elsewhere"), isAnswer(307)},
		"web page":         {answer(401, "<html>"), isAnswer(401)},
		"too long":         {answer(200, strings.Repeat("x", 300<<10), "Content-Type", "text/plain", "ETag", `"a"`), isAnswer(200)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2024)
			m, _ := both2024(t, p)
			p.fault = answers("PUT", c.fault)
			if err := m.Send(t.Context(), "x"); !c.check(err) {
				t.Errorf("Send: %v", err)
			}
			p.fault = answers("GET", c.fault)
			if _, err := m.Receive(t.Context()); !c.check(err) {
				t.Errorf("Receive: %v", err)
			}
			p.fault = answers("GET", c.fault)
			if _, err := qr.Open2024(t.Context(), m.URL(), p.options(nil)); !c.check(err) {
				t.Errorf("Open2024: %v", err)
			}
		})
	}
	p := newPlace(t, place2024)
	m, _ := both2024(t, p)
	if err := m.Send(t.Context(), long); !isMatrix(413, "M_TOO_LARGE")(err) {
		t.Errorf("a payload that is too long: %v", err)
	}
	p.fault = answers("DELETE", matrix(403, "M_FORBIDDEN"))
	if err := m.Close(t.Context()); !isMatrix(403, "M_FORBIDDEN")(err) {
		t.Errorf("Close: %v", err)
	}
}

func TestAnswersThatAreNotFromASession2024(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter)
		check func(error) bool
	}{
		"portal":          {answer(200, "<html>", "Content-Type", "text/html", "ETag", `"a"`), isAnswer(200)},
		"no content type": {answer(200, "x", "Content-Type", "", "ETag", `"a"`), isAnswer(200)},
		"no tag":          {answer(200, "x", "Content-Type", "text/plain"), is(qr.ErrETagMissing)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2024)
			m, _ := both2024(t, p)
			p.fault = answers("GET", c.fault)
			if _, err := m.Receive(t.Context()); !c.check(err) {
				t.Errorf("got %v", err)
			}
		})
	}
	p := newPlace(t, place2024)
	m, _ := both2024(t, p)
	p.fault = answers("PUT", answer(202, ""))
	if err := m.Send(t.Context(), "x"); !errors.Is(err, qr.ErrETagMissing) {
		t.Errorf("a PUT whose answer has no tag: %v", err)
	}
}

func TestTolerated2024(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter){
		"304 without headers":      answer(304, ""),
		"304 with another tag":     answer(304, "", "ETag", `"other"`),
		"200 for what is the same": answer(200, "older", "Content-Type", "text/plain", "ETag", `"r2"`),
		"own payload, other tag":   answer(200, "mine", "Content-Type", "text/plain", "ETag", `"r9"`),
		"empty payload":            answer(200, "", "Content-Type", "text/plain", "ETag", `"r2"`),
		"charset":                  answer(200, "", "Content-Type", "text/plain; charset=utf-8", "ETag", `"r2"`),
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2024)
			m, _ := both2024(t, p)
			send(t, m, "mine")
			p.fault = func(w http.ResponseWriter, r *http.Request) bool {
				fault(w)
				p.write("theirs")
				p.fault = nil
				return true
			}
			receive(t, m, "theirs")
			send(t, m, "next")
		})
	}
}

func TestMangledTags(t *testing.T) {
	for name, c := range map[string]struct {
		tag   func(string) string
		warns bool
	}{
		"as they are":      {func(s string) string { return s }, false},
		"weak, as nginx":   {func(s string) string { return "W/" + s }, true},
		"suffix, Apache":   {func(s string) string { return strings.TrimSuffix(s, `"`) + `-gzip"` }, true},
		"both":             {func(s string) string { return "W/" + strings.TrimSuffix(s, `"`) + `--gzip"` }, true},
		"space around":     {func(s string) string { return " " + s }, false},
		"other suffix, br": {func(s string) string { return strings.TrimSuffix(s, `"`) + `;br"` }, true},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2024)
			p.tag = c.tag
			o := p.options(nil)
			var warned []error
			o.Warn = func(err error) { warned = append(warned, err) }
			m := must(qr.Create2024(t.Context(), p.URL, o))(t)
			other := must(qr.Open2024(t.Context(), m.URL(), p.options(nil)))(t)
			for range 3 {
				send(t, other, "a")
				receive(t, m, "a")
				send(t, m, "b")
				receive(t, other, "b")
			}
			if c.warns != (len(warned) == 1 && errors.Is(warned[0], qr.ErrETagMangled)) || !c.warns && warned != nil {
				t.Errorf("warnings: %v", warned)
			}
		})
	}
}

func TestATagRewrittenOnceIsMended(t *testing.T) {
	p := newPlace(t, place2024)
	m, _ := both2024(t, p)
	p.tag = func(string) string { return `"rewritten"` }
	send(t, m, "one") // its answer has a tag that nobody can read
	p.tag = nil
	send(t, m, "two")
	if p.content() != "two" {
		t.Errorf("the session holds %q", p.content())
	}
}

func TestTagsRewrittenAlwaysAreNamedAsTheCause(t *testing.T) {
	p := newPlace(t, place2024)
	p.tag = func(s string) string { return `"proxy-` + s[1:] }
	m, _ := both2024(t, p)
	err := m.Send(t.Context(), "x")
	if !errors.Is(err, qr.ErrMailboxConflict) || !errors.Is(err, qr.ErrETagMangled) {
		t.Errorf("got %v, want both", err)
	}
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func notNil(err error) bool { return err != nil }

func isMatrix(status int, code string) func(error) bool {
	return func(err error) bool {
		var refusal *signin.MatrixError
		return errors.As(err, &refusal) && refusal.Status == status && refusal.Code == code
	}
}

func isAnswer(status int) func(error) bool {
	return func(err error) bool {
		var unusable *signin.AnswerError
		return errors.As(err, &unusable) && unusable.Status == status
	}
}
