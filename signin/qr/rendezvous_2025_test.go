package qr_test

import (
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin/qr"
)

var _ qr.Mailbox = (*qr.Mailbox2025)(nil)

func both2025(t *testing.T, p *meetingPlace) (shows, scans *qr.Mailbox2025) {
	t.Helper()
	o := p.options(nil)
	o.AccessToken = "secret"
	shows = must(qr.Create2025(t.Context(), p.URL+"/", o))(t)
	scans = must(qr.Open2025(t.Context(), shows.BaseURL(), shows.ID(), p.options(nil)))(t)
	return shows, scans
}

func TestMessagesGoBothWays2025(t *testing.T) {
	p := newPlace(t, place2025(path2025))
	shows, scans := both2025(t, p)
	if shows.ID() != sessionID || shows.BaseURL() != p.URL {
		t.Errorf("the session is %q at %q", shows.ID(), shows.BaseURL())
	}
	if shows.Remaining() != expiresFor || scans.Remaining() != time.Second {
		t.Errorf("remaining: %v and %v", shows.Remaining(), scans.Remaining())
	}
	// What one side seals with, the other opens with.
	turn := func(from, to *qr.Mailbox2025, payload string) {
		t.Helper()
		seal, open := from.SealToken(), to.OpenToken()
		if seal != open || seal == "" {
			t.Errorf("%q is sealed with %q and opened with %q", payload, seal, open)
		}
		send(t, from, payload)
		receive(t, to, payload)
	}
	turn(scans, shows, "initiate")
	turn(shows, scans, "ok")
	turn(scans, shows, "one")
	turn(shows, scans, "two")

	// Two in a row: the second is sealed as the first was, because the other side has
	// not written since.
	seal := scans.SealToken()
	send(t, scans, "three")
	send(t, scans, "four")
	if scans.SealToken() != seal || shows.OpenToken() != seal {
		t.Errorf("sealed with %q, opened with %q, want %q", scans.SealToken(), shows.OpenToken(), seal)
	}
	receive(t, shows, "four")

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
	if _, err := qr.Open2025(t.Context(), p.URL, sessionID, p.options(nil)); !errors.Is(err, qr.ErrMailboxGone) {
		t.Errorf("opening a closed session: %v", err)
	}
}

func TestReceivePollsEverySecond2025(t *testing.T) {
	p := newPlace(t, place2025(path2025))
	_, m := both2025(t, p)
	var waits []time.Duration
	m = must(qr.Open2025(t.Context(), m.BaseURL(), m.ID(), p.options(&waits)))(t)
	send(t, m, "mine")
	polls := 0
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if polls++; polls == 3 {
			p.write("theirs")
		}
		return false
	}
	receive(t, m, "theirs")
	if want := []time.Duration{time.Second, time.Second}; !slices.Equal(waits, want) {
		t.Errorf("waited %v, want %v", waits, want)
	}
}

func TestUnstablePaths2025(t *testing.T) {
	p := newPlace(t, place2025(path4388))
	o := p.options(nil)
	o.AccessToken, o.Unstable = "secret", true
	m := must(qr.Create2025(t.Context(), p.URL, o))(t)
	send(t, m, "x")
	if available, err := qr.CanCreate2025(t.Context(), p.URL, o); err != nil || !available {
		t.Errorf("CanCreate2025() = %v, %v", available, err)
	}
	o.Unstable = false
	if _, err := qr.Create2025(t.Context(), p.URL, o); !errors.Is(err, qr.ErrNoRendezvous) {
		t.Errorf("the stable paths of a server that has only the unstable ones: %v", err)
	}
	if _, err := qr.CanCreate2025(t.Context(), p.URL, o); !errors.Is(err, qr.ErrNoRendezvous) {
		t.Errorf("discovery: %v", err)
	}
}

func TestCanCreate2025(t *testing.T) {
	for name, c := range map[string]struct {
		token string
		fault func(http.ResponseWriter)
		want  bool
		check func(error) bool
	}{
		"with a token":    {"secret", nil, true, is(nil)},
		"without":         {"", nil, false, is(nil)},
		"401 without":     {"", matrix(401, "M_MISSING_TOKEN"), false, is(nil)},
		"bad token":       {"bad", matrix(401, "M_UNKNOWN_TOKEN"), false, isMatrix(401, "M_UNKNOWN_TOKEN")},
		"barred":          {"secret", matrix(403, "M_FORBIDDEN"), false, isMatrix(403, "M_FORBIDDEN")},
		"off":             {"", matrix(404, "M_UNRECOGNIZED"), false, is(qr.ErrNoRendezvous)},
		"405":             {"", answer(405, ""), false, is(qr.ErrNoRendezvous)},
		"not JSON":        {"", answer(200, "yes"), false, isAnswer(200)},
		"redirect":        {"", answer(307, "", "Location", "https://example.org/"), false, isAnswer(307)},
		"wrong type":      {"", answer(200, `{"create_available":"yes"}`), false, isAnswer(200)},
		"nothing said":    {"", answer(200, `{}`), false, is(nil)},
		"not right away":  {"secret", answer(503, ""), true, is(nil)},
		"too often asked": {"secret", matrix(429, "M_LIMIT_EXCEEDED"), true, is(nil)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2025(path2025))
			if c.fault != nil {
				p.fault = answers("GET", c.fault)
			}
			o := p.options(nil)
			o.AccessToken = c.token
			got, err := qr.CanCreate2025(t.Context(), p.URL, o)
			if got != c.want || !c.check(err) {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
}

func TestCreate2025(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter)
		check func(error) bool
	}{
		"no token":       {matrix(401, "M_MISSING_TOKEN"), isMatrix(401, "M_MISSING_TOKEN")},
		"barred":         {matrix(403, "M_FORBIDDEN"), isMatrix(403, "M_FORBIDDEN")},
		"off":            {matrix(404, "M_UNRECOGNIZED"), is(qr.ErrNoRendezvous)},
		"no id":          {answer(200, `{"sequence_token":"a","expires_in_ms":1}`), isAnswer(200)},
		"id with slash":  {answer(200, `{"id":"a/b","sequence_token":"a","expires_in_ms":1}`), isAnswer(200)},
		"no token given": {answer(200, `{"id":"a","expires_in_ms":1}`), isAnswer(200)},
		"not JSON":       {answer(200, `ok`), isAnswer(200)},
		"without expiry": {answer(200, `{"id":"a","sequence_token":"a="}`), is(nil)},
		"redirect":       {answer(307, "", "Location", "https://example.org/"), isAnswer(307)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2025(path2025))
			p.fault = answers("POST", c.fault)
			if _, err := qr.Create2025(t.Context(), p.URL, p.options(nil)); !c.check(err) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestTheAccessTokenGoesToTheCollectionOnly(t *testing.T) {
	p := newPlace(t, place2025(path2025))
	var with []string
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Header.Get("Authorization") != "" {
			with = append(with, r.Method+" "+r.URL.Path)
		}
		return false
	}
	m, _ := both2025(t, p)
	send(t, m, "x")
	p.elsewhere("y")
	receive(t, m, "y")
	if err := m.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{"POST " + path2025}; !slices.Equal(with, want) {
		t.Errorf("the token was sent with %v, want %v", with, want)
	}
}

func TestWritingAtTheSameMomentConflicts2025(t *testing.T) {
	for _, code := range []string{"M_CONCURRENT_WRITE", "IO_ELEMENT_MSC4388_CONCURRENT_WRITE"} {
		p := newPlace(t, place2025(path2025))
		m, _ := both2025(t, p)
		p.elsewhere("theirs")
		p.fault = answers("PUT", matrix(409, code))
		if err := m.Send(t.Context(), "mine"); !errors.Is(err, qr.ErrMailboxConflict) {
			t.Errorf("%s: %v", code, err)
		}
		receive(t, m, "theirs")
	}
}

func TestLostAnswersAreMadeUpFor2025(t *testing.T) {
	p := newPlace(t, place2025(path2025))
	m, other := both2025(t, p)
	p.lost = 1
	send(t, m, "mine")
	receive(t, other, "mine")
	if m.OpenToken() != other.SealToken() {
		t.Errorf("opens with %q what is sealed with %q", m.OpenToken(), other.SealToken())
	}
	send(t, other, "theirs")
	receive(t, m, "theirs")

	// All answers are lost: Send gives up, and Receive does not take the message for
	// the other side's.
	p.mu.Lock()
	p.lost = 5
	p.mu.Unlock()
	if err := m.Send(t.Context(), "lost"); err == nil {
		t.Error("Send knows what it cannot know")
	}
	p.mu.Lock()
	p.fault = func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == "GET" && p.payload == "lost" {
			p.fault = func(http.ResponseWriter, *http.Request) bool { p.write("reply"); p.fault = nil; return false }
		}
		return false
	}
	p.mu.Unlock()
	receive(t, m, "reply")
}

func TestRefusals2025(t *testing.T) {
	for name, c := range map[string]struct {
		fault func(http.ResponseWriter)
		check func(error) bool
	}{
		"404":      {matrix(404, "M_NOT_FOUND"), is(qr.ErrMailboxGone)},
		"off":      {matrix(404, "M_UNRECOGNIZED"), is(qr.ErrNoRendezvous)},
		"400":      {matrix(400, "M_BAD_JSON"), isMatrix(400, "M_BAD_JSON")},
		"403":      {matrix(403, "M_FORBIDDEN"), isMatrix(403, "M_FORBIDDEN")},
		"413":      {matrix(413, "M_TOO_LARGE"), isMatrix(413, "M_TOO_LARGE")},
		"web page": {answer(200, "<html>"), isAnswer(200)},
		"no token": {answer(200, `{"data":"x"}`), isAnswer(200)},
		"redirect": {answer(307, "", "Location", "/elsewhere"), isAnswer(307)},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, place2025(path2025))
			m, _ := both2025(t, p)
			p.fault = answers("PUT", c.fault)
			if err := m.Send(t.Context(), "x"); !c.check(err) {
				t.Errorf("Send: %v", err)
			}
			p.fault = answers("GET", c.fault)
			if _, err := m.Receive(t.Context()); !c.check(err) {
				t.Errorf("Receive: %v", err)
			}
		})
	}
	p := newPlace(t, place2025(path2025))
	m, _ := both2025(t, p)
	p.fault = answers("GET", answer(200, `{"sequence_token":"x"}`))
	if _, err := m.Receive(t.Context()); !isAnswer(200)(err) {
		t.Errorf("an answer without data: %v", err)
	}
	if err := m.Send(t.Context(), long); !isMatrix(413, "M_TOO_LARGE")(err) {
		t.Errorf("a payload that is too long: %v", err)
	}
	var bad *qr.PayloadError
	if _, err := qr.Open2025(t.Context(), p.URL, "a/b", p.options(nil)); !errors.As(err, &bad) {
		t.Errorf("an ID that is none: %v", err)
	}
	if _, err := qr.Open2025(t.Context(), "http://example.org", "a", p.options(nil)); !errors.As(err, &bad) {
		t.Errorf("an insecure address: %v", err)
	}
}
