package app_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// whole is everything that an answer tells: status, header and body, without the
// time, the number of the request, and the given texts, which differ anyhow.
func whole(r *apitest.Response, without ...string) string {
	header := r.Header.Clone()
	header.Del("Date")
	if header.Get("X-Request-Id") != "" {
		header.Set("X-Request-Id", "…")
	}
	var out strings.Builder
	fmt.Fprintln(&out, r.Status)
	_ = header.Write(&out) // to memory
	out.Write(r.Body)
	text := out.String()
	for _, s := range without {
		text = strings.ReplaceAll(text, s, "…")
	}
	return text
}

// same holds that two answers cannot be told apart.
func same(t *testing.T, what, known, unknown string) {
	t.Helper()
	a, b := strings.Split(known, "\n"), strings.Split(unknown, "\n")
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			t.Errorf("%s: line %d tells what is hidden.\nKnown:   %q\nUnknown: %q", what, i+1, a[min(i, len(a)):], b[min(i, len(b)):])
			return
		}
	}
}

// side is one of two addresses that nobody is to tell apart, and what was answered
// about it.
type side struct{ mail, number string }

var known, unknown = side{"known@example.org", "07400 123456"}, side{"other@example.org", "07400 654321"}

// wish is a requestToken for the side.
func (s side) wish(path string, attempt int) object {
	o := mailWish(s.mail, oneSecret)
	if strings.Contains(path, "/msisdn/") {
		o = phoneWish(s.number, oneSecret)
	}
	o["send_attempt"] = attempt
	return o
}

// begun is the session that an answer tells of. It may be called by any goroutine.
func begun(t *testing.T, r *apitest.Response) (s session) {
	if err := json.Unmarshal(r.Body, &s); err != nil || r.Status != http.StatusOK || s.SID == "" {
		t.Errorf("got %d %s", r.Status, r.Body)
	}
	return s
}

// walk asks for a token, again, and again with a wrong answer or too many, and gives
// all that was answered.
func (w town) walk(t *testing.T, as *apitest.Client, path string, who side) string {
	var out strings.Builder
	var first session
	for _, attempt := range []int{1, 1, 2} {
		r, err := as.Try(t.Context(), "POST", path, who.wish(path, attempt))
		if err != nil {
			t.Error(err)
			return ""
		}
		s := begun(t, r)
		if first.SID == "" {
			first = session{SID: s.SID, SubmitURL: s.SubmitURL, secret: oneSecret}
		}
		out.WriteString(whole(r, first.SID) + "\n")
	}
	guess := strings.Repeat("1", 32)
	if strings.Contains(path, "/msisdn/") {
		guess = "111111"
	}
	for range tokensOfMail + 1 {
		r, err := as.Try(t.Context(), "POST", first.path(""), first.with("token", guess))
		if err != nil {
			t.Error(err)
			return ""
		}
		out.WriteString(whole(r) + "\n")
	}
	return out.String()
}

// TestMistake_AnswersTellWhoHasAnAccountAtOnce holds that with threepid.hide_existence the
// whole exchange about an address is the same, whether an account has it or not: each
// byte of header and body, up to the last guess.
func TestMistake_AnswersTellWhoHasAnAccountAtOnce(t *testing.T) {
	w := newTown(t, generous, func(cfg *config.Config) { cfg.Threepid.HideExistence = true })
	alice := w.User(t, "alice")
	w.own(t, alice.UserID, "email", known.mail)
	w.own(t, alice.UserID, "msisdn", "447400123456")
	paths := []string{forRegister, forAdd, forPassword}
	for _, path := range paths[:3] {
		paths = append(paths, strings.Replace(path, "/email/", "/msisdn/", 1))
	}
	answers := make([][2]string, len(paths))
	var all sync.WaitGroup
	for i, path := range paths { // at once, since each answer that hides something takes a while
		for j, who := range []side{known, unknown} {
			all.Go(func() { answers[i][j] = w.walk(t, from(w.Anyone(), fmt.Sprintf("192.0.2.%d", 2*i+j)), path, who) })
		}
	}
	all.Wait()
	for i, path := range paths {
		same(t, path, answers[i][0], answers[i][1])
	}
}

// TestMistake_LimitsTellWhoHasAnAccountAtOnce holds the same of the limit of messages: it
// is reached at the same request, although fewer were sent.
func TestMistake_LimitsTellWhoHasAnAccountAtOnce(t *testing.T) {
	w := newTown(t, generous, func(cfg *config.Config) {
		cfg.Threepid.HideExistence, cfg.Dev, cfg.RateLimits.Enabled = true, false, true
		cfg.RateLimits.Validation = config.Rate{PerSecond: 1000, Burst: 1000}
	})
	alice := w.User(t, "alice")
	paths := []string{forRegister, forPassword}
	answers := make([][2]string, len(paths))
	var all sync.WaitGroup
	for i, path := range paths {
		w.own(t, alice.UserID, "email", fmt.Sprint(i, known.mail)) // another, since all purposes have one limit
		for j, who := range []side{{mail: fmt.Sprint(i, known.mail)}, {mail: fmt.Sprint(i, unknown.mail)}} {
			as := from(w.Anyone(), fmt.Sprintf("192.0.2.%d", 2*i+j))
			all.Go(func() { answers[i][j] = w.exhaust(t, as, path, who) })
		}
	}
	all.Wait()
	for i, path := range paths {
		same(t, path, answers[i][0], answers[i][1])
		if !strings.Contains(answers[i][0], "M_LIMIT_EXCEEDED") {
			t.Errorf("%s: no limit was reached", path)
		}
	}
}

// exhaust asks for more messages than there are, and gives all that was answered.
func (w town) exhaust(t *testing.T, as *apitest.Client, path string, who side) (answers string) {
	for attempt := range 6 {
		r, err := as.Try(t.Context(), "POST", path, who.wish(path, attempt))
		if err != nil {
			t.Error(err)
			return ""
		}
		if is(r, errcode.LimitExceeded) { // it says when the first message was sent, which both know
			answers += "M_LIMIT_EXCEEDED\n"
			continue
		}
		s := begun(t, r)
		answers += whole(r, s.SID) + "\n"
	}
	return answers
}

// TestMistake_LoginTellsWhoHasAnAccount holds that whoever does not know a password
// learns nothing of the account, by its name, its address or its number.
func TestMistake_LoginTellsWhoHasAnAccount(t *testing.T) {
	w := newTown(t, approving)
	alice, gone := w.User(t, "alice"), w.User(t, "gone")
	w.own(t, alice.UserID, "email", known.mail)
	w.own(t, alice.UserID, "msisdn", "447400123456")
	w.Anyone().Do(t, "POST", v3+"/register", object{"username": "pending", "password": apitest.Password, "auth": object{"type": "m.login.dummy"}}).
		Fails(t, w.Server, errcode.UserAwaitingApproval)
	w.Write(t, func(tx *db.Tx) error { return w.App.Accounts.Deactivate(tx, gone.UserID, string(gone.UserID), false) })
	login := func(identifier object) string {
		return whole(w.Anyone().Do(t, "POST", v3+"/login", object{"type": "m.login.password", "identifier": identifier, "password": "a wrong password"}))
	}
	user := func(name string) object { return object{"type": "m.id.user", "user": name} }
	mail := func(address string) object {
		return object{"type": "m.id.thirdparty", "medium": "email", "address": address}
	}
	phone := func(number string) object { return object{"type": "m.id.phone", "country": "GB", "phone": number} }
	nobody := login(user("nobody"))
	for name, identifier := range map[string]object{
		"an account": user("alice"), "a pending account": user("pending"), "an account that is gone": user("gone"), "another server": user("@alice:elsewhere.example"),
		"an address": mail(known.mail), "an address of nobody": mail(unknown.mail), "what is no address": mail("nonsense"),
		"a number": phone(known.number), "a number of nobody": phone(unknown.number), "what is no number": phone("x"),
	} {
		same(t, name, login(identifier), nobody)
	}
}

// TestMistake_AnAddressIsInUseSaysOnlyWhoOwnsIt holds that without the setting, too,
// what is not requestToken tells nobody who has an address before they have shown
// that it is theirs.
func TestMistake_AnAddressIsInUseSaysOnlyWhoOwnsIt(t *testing.T) {
	w := newTown(t)
	alice, mallory := w.User(t, "alice"), w.User(t, "mallory")
	begun := w.begin(t, mallory, forAdd, known.mail, oneSecret)
	free := w.begin(t, mallory, forAdd, unknown.mail, oneSecret)
	w.own(t, alice.UserID, "email", known.mail) // meanwhile
	same(t, "adding", whole(w.add(t, mallory, begun)), whole(w.add(t, mallory, free)))

	remove := func(address string) string {
		return whole(mallory.Do(t, "POST", v3+"/account/3pid/delete", object{"medium": "email", "address": address}))
	}
	same(t, "deleting", remove(known.mail), remove(unknown.mail))
	if got := string(alice.Do(t, "GET", v3+"/account/3pid", nil).OK(t, nil).Body); !strings.Contains(got, known.mail) {
		t.Errorf("alice has %s", got)
	}
}

// The identity service's own.

func (w town) lookup(t *testing.T, as *apitest.Client, pepper string, addresses []string) *apitest.Response {
	t.Helper()
	return as.Do(t, "POST", is2+"/lookup", object{"algorithm": "sha256", "pepper": pepper, "addresses": addresses})
}

func (w town) pepper(t *testing.T, as *apitest.Client) (pepper string) {
	t.Helper()
	var got struct {
		Pepper string `json:"lookup_pepper"`
	}
	as.Do(t, "GET", is2+"/hash_details", nil).OK(t, &got)
	return got.Pepper
}

func TestMistake_BindingForAnotherUser(t *testing.T) {
	w := newTown(t)
	alice := w.User(t, "alice")
	mallory := w.atIdentity(t, w.User(t, "mallory"))
	s := w.validated(t, mallory, forIdentity, "mallory@example.org", oneSecret)
	mallory.Do(t, "POST", bindPath, s.with("mxid", alice.UserID)).Fails(t, w.Server, errcode.NotYours)
	mallory.Do(t, "POST", bindPath, s.with("mxid", mallory.UserID)).OK(t, nil)

	// To take another's binding back takes a session of the address itself.
	there := w.atIdentity(t, alice)
	bound := w.validated(t, there, forIdentity, known.mail, oneSecret)
	there.Do(t, "POST", bindPath, bound.with("mxid", alice.UserID)).OK(t, nil)
	unbind := s.with("mxid", alice.UserID)
	unbind["threepid"] = object{"medium": "email", "address": known.mail}
	mallory.Do(t, "POST", is2+"/3pid/unbind", unbind).Fails(t, w.Server, errcode.Forbidden)
}

// TestMistake_PeppersAreGoodForEver holds that hashes which somebody computed once
// for all are good for nothing once the pepper has changed.
func TestMistake_PeppersAreGoodForEver(t *testing.T) {
	w := newTown(t)
	alice := w.User(t, "alice")
	there := w.atIdentity(t, alice)
	old := w.pepper(t, there)
	w.Advance(time.Duration(w.App.Config.Identity.PepperLifetime) + time.Hour)
	w.RunJobs(t)
	alice = w.Device(t, alice.UserID, "LATER")
	there = w.atIdentity(t, alice)
	present := w.pepper(t, there)
	if present == old {
		t.Fatal("the pepper has not changed")
	}
	r := w.lookup(t, there, old, []string{"x"}).Fails(t, w.Server, errcode.InvalidPepper)
	if !strings.Contains(string(r.Body), `"lookup_pepper":"`+present+`"`) {
		t.Errorf("got %s", r.Body)
	}
	for _, pepper := range []string{present + " ", strings.ToUpper(present), present[1:], "matrixrocks"} {
		w.lookup(t, there, pepper, []string{"x"}).Fails(t, w.Server, errcode.InvalidPepper)
	}
	w.lookup(t, there, present, []string{"x"}).OK(t, nil)
}

// TestMistake_TheWholeAddressBookAtOnce holds that one look-up has an end.
func TestMistake_TheWholeAddressBookAtOnce(t *testing.T) {
	w := newTown(t)
	there := w.atIdentity(t, w.User(t, "alice"))
	pepper := w.pepper(t, there)
	addresses := make([]string, 10_001)
	for i := range addresses {
		addresses[i] = fmt.Sprint("hash", i)
	}
	w.lookup(t, there, pepper, addresses).Fails(t, w.Server, errcode.TooManyAddresses)
	w.lookup(t, there, pepper, addresses[1:]).OK(t, nil)
	// A wrong pepper does not get around it, nor does one address many times.
	w.lookup(t, there, "matrixrocks", addresses).Fails(t, w.Server, errcode.TooManyAddresses)
	for i := range addresses {
		addresses[i] = "hash"
	}
	w.lookup(t, there, pepper, addresses).Fails(t, w.Server, errcode.TooManyAddresses)
}
