package app_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// The most guesses that package validation answers, with which its tests compute the
// odds.
const (
	codesOfSession = 5
	codesOfNumber  = 20
	codesOfNetwork = 30
	tokensOfMail   = 20
)

// generous is a gateway for text messages whose own limits stop nobody, behind a
// proxy that says who asks.
func generous(cfg *config.Config) {
	cfg.SMS.Limits = config.SMSLimits{PerNumber: 1000, PerCountry: 1000, PerDay: 1000, Spend: 1000}
	cfg.TrustedProxies = []string{"127.0.0.0/8"}
}

// from is the client as the proxy shows it.
func from(c *apitest.Client, ip string) *apitest.Client {
	other := *c
	other.Header = http.Header{"X-Forwarded-For": {ip}}
	return &other
}

// wrong is another token of the same form.
func wrong(token string) string {
	last := "1"
	if strings.HasSuffix(token, last) {
		last = "2"
	}
	return token[:len(token)-1] + last
}

// is reports whether an answer is the failure.
func is(r *apitest.Response, code *errcode.Code) bool {
	return r.Status == code.Status && strings.Contains(string(r.Body), `"`+code.Name+`"`)
}

// guess gives how many wrong codes are answered in as many sessions as next opens,
// and holds that after the last of them the right one is refused, too.
func (w town) guess(t *testing.T, next func(i int) (*apitest.Client, session, string)) (answered int) {
	t.Helper()
	for i := range 10 {
		as, s, code := next(i)
		for range codesOfSession + 1 {
			r := as.Do(t, "POST", s.path("msisdn"), s.with("token", wrong(code)))
			switch {
			case is(r, errcode.TokenIncorrect):
				answered++
				continue
			case is(r, errcode.LimitExceeded):
				as.Do(t, "POST", s.path("msisdn"), s.with("token", code)).Fails(t, w.Server, errcode.LimitExceeded)
				return answered
			}
			r.Fails(t, w.Server, errcode.SessionExpired)
			as.Do(t, "POST", s.path("msisdn"), s.with("token", code)).Fails(t, w.Server, errcode.SessionExpired)
		}
	}
	return answered
}

func TestMistake_UnlimitedGuessesAtOneSession(t *testing.T) {
	w := newTown(t, generous)
	alice := w.User(t, "alice")
	byText := w.beginPhone(t, alice, forAdd, "07400 123456", oneSecret)
	code := w.phones.Code(t, "+447400123456")
	for range codesOfSession {
		alice.Do(t, "POST", byText.path(""), byText.with("token", wrong(code))).Fails(t, w.Server, errcode.TokenIncorrect)
	}
	alice.Do(t, "POST", byText.path(""), byText.with("token", code)).Fails(t, w.Server, errcode.SessionExpired)
	// Asking for another message opens another session, and no more tries at this one.
	again := w.beginPhone(t, alice, forAdd, "07400 123456", oneSecret)
	if again.SID == byText.SID {
		t.Error("a session that was guessed at goes on")
	}
	alice.Do(t, "POST", byText.path(""), byText.with("token", code)).Fails(t, w.Server, errcode.SessionExpired)

	mailed := w.begin(t, alice, forAdd, "alice@example.org", oneSecret)
	token := w.token(t, "alice@example.org")
	for range tokensOfMail {
		w.submit(t, alice, mailed, wrong(token)).Fails(t, w.Server, errcode.TokenIncorrect)
	}
	w.submit(t, alice, mailed, token).Fails(t, w.Server, errcode.SessionExpired)
	// In a browser, too.
	alice.Do(t, "GET", w.mails.Last(t, "alice@example.org").Link(t, w.Server), nil).Fails(t, w.Server, errcode.SessionExpired)
}

// TestMistake_UnlimitedGuessesOverSessions guesses the code of one number, in ways
// that open a new session each time. All of them count together.
func TestMistake_UnlimitedGuessesOverSessions(t *testing.T) {
	const typed, number = "07400 123456", "+447400123456"
	for name, next := range map[string]func(w town, alice *apitest.Client, i int) (*apitest.Client, session){
		"the same secret, sent again": func(w town, alice *apitest.Client, _ int) (*apitest.Client, session) {
			return alice, w.beginPhone(t, alice, forAdd, typed, oneSecret)
		},
		"another secret each time": func(w town, alice *apitest.Client, i int) (*apitest.Client, session) {
			return alice, w.beginPhone(t, alice, forAdd, typed, fmt.Sprint("secret", i))
		},
		"another network each time": func(w town, alice *apitest.Client, i int) (*apitest.Client, session) {
			elsewhere := from(alice, fmt.Sprintf("192.0.2.%d", i))
			return elsewhere, w.beginPhone(t, elsewhere, forAdd, typed, fmt.Sprint("secret", i))
		},
		"another account each time": func(w town, _ *apitest.Client, i int) (*apitest.Client, session) {
			another := w.User(t, fmt.Sprint("user", i))
			return another, w.beginPhone(t, another, forAdd, typed, oneSecret)
		},
		"registering and adding in turn": func(w town, alice *apitest.Client, i int) (*apitest.Client, session) {
			return alice, w.beginPhone(t, alice, []string{forAdd, forRegister}[i%2], typed, fmt.Sprint("secret", i))
		},
		"homeserver and identity service in turn": func(w town, alice *apitest.Client, i int) (*apitest.Client, session) {
			if there := w.atIdentity(t, alice); i%2 == 1 {
				return there, w.beginPhone(t, there, forIdentity, typed, fmt.Sprint("secret", i))
			}
			return alice, w.beginPhone(t, alice, forAdd, typed, fmt.Sprint("secret", i))
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, generous)
			alice := w.User(t, "alice")
			answered := w.guess(t, func(i int) (*apitest.Client, session, string) {
				as, s := next(w, alice, i)
				return as, s, w.phones.Code(t, number)
			})
			if answered != codesOfNumber {
				t.Errorf("%d guesses were answered, want %d", answered, codesOfNumber)
			}
		})
	}
}

// TestMistake_UnlimitedGuessesOverNumbers guesses the codes of many numbers from one
// network.
func TestMistake_UnlimitedGuessesOverNumbers(t *testing.T) {
	for name, ip := range map[string]func(i int) string{
		"from one address":                           func(int) string { return "198.51.100.7" },
		"from addresses of one network of IPv6":      func(i int) string { return fmt.Sprintf("2001:db8:1:2:%x::%x", i, i) },
		"from one address, in the form of the other": func(i int) string { return []string{"198.51.100.7", "::ffff:198.51.100.7"}[i%2] },
		"behind an invented proxy":                   func(i int) string { return fmt.Sprintf("192.0.2.%d, 198.51.100.7", i) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newTown(t, generous)
			answered := w.guess(t, func(i int) (*apitest.Client, session, string) {
				as := from(w.Anyone(), ip(i))
				return as, w.beginPhone(t, as, forRegister, fmt.Sprintf("07400 1234%02d", i), oneSecret), w.phones.Code(t, fmt.Sprintf("+4474001234%02d", i))
			})
			if answered != codesOfNetwork {
				t.Errorf("%d guesses were answered, want %d", answered, codesOfNetwork)
			}
		})
	}
}

// TestMistake_ManyGuessesAtOnce holds that guesses which arrive together are not
// judged before any of them is counted.
func TestMistake_ManyGuessesAtOnce(t *testing.T) {
	w := newTown(t, generous)
	s := w.beginPhone(t, w.Anyone(), forRegister, "07400 123456", oneSecret)
	code := w.phones.Code(t, "+447400123456")
	answers := make(chan *apitest.Response)
	const n = 4 * codesOfSession
	for range n {
		go func() {
			r, err := w.Anyone().Try(t.Context(), "POST", s.path(""), s.with("token", wrong(code)))
			if err != nil {
				t.Error(err)
				r = &apitest.Response{}
			}
			answers <- r
		}()
	}
	judged := 0
	for range n {
		if is(<-answers, errcode.TokenIncorrect) {
			judged++
		}
	}
	if judged != codesOfSession {
		t.Errorf("%d guesses were judged, want %d", judged, codesOfSession)
	}
	w.Anyone().Do(t, "POST", s.path(""), s.with("token", code)).Fails(t, w.Server, errcode.SessionExpired)
}

// TestMistake_SessionsCanBeGuessed holds that nobody comes upon the session of others:
// ids have nothing in common, and one without its secret is nothing.
func TestMistake_SessionsCanBeGuessed(t *testing.T) {
	w := newTown(t)
	alice := w.User(t, "alice")
	seen := map[string]bool{}
	for i := range 50 {
		sid := w.begin(t, alice, forAdd, fmt.Sprintf("alice%d@example.org", i), oneSecret).SID
		if len(sid) != 32 || seen[sid[:6]] || seen[sid[26:]] { // 36 bits at either end
			t.Errorf("the sid %q has less than 128 bits, or resembles another", sid)
		}
		seen[sid[:6]], seen[sid[26:]] = true, true
	}
	s := w.validated(t, alice, forAdd, "alice@example.org", oneSecret)
	there := w.atIdentity(t, alice)
	bound := w.validated(t, there, forIdentity, "alice@example.org", oneSecret)
	for _, guess := range []string{"a", oneSecret[1:], strings.ToUpper(oneSecret), oneSecret + "."} {
		s.secret, bound.secret = guess, guess
		if r := w.add(t, alice, s); !is(r, errcode.ThreepidAuthFailed) {
			t.Errorf("%q: got %d %s", guess, r.Status, r.Body)
		}
		r := there.Do(t, "POST", bindPath, bound.with("mxid", alice.UserID))
		if !is(r, errcode.NoValidSession) && !is(r, errcode.InvalidParam) {
			t.Errorf("%q: got %d %s", guess, r.Status, r.Body)
		}
	}
}
