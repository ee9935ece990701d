package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/app"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/id"
	"github.com/narthex-matrix/narthex/internal/pgtest"
)

// faultVariable is the environment variable of a program that can be told to end
// itself. It is put together here, so that only such a program contains it.
var faultVariable = strings.Join([]string{"NARTHEX", "TEST", "FAULT"}, "_")

// buildFaulty builds the program that can be told to end itself.
func buildFaulty(t *testing.T) string {
	t.Helper()
	if binary := os.Getenv("NARTHEX_TEST_KILL_PROGRAM"); binary != "" {
		return binary
	}
	binary := filepath.Join(t.TempDir(), "narthex")
	build := exec.Command("go", "build", "-buildvcs=false", "-tags=faults", "-ldflags=-s -w", "-o", binary, ".")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// regular is a client that does things, and knows what it was told. Nothing of it runs
// while it is asked to settle or to check.
type regular interface {
	// settle does again what was interrupted.
	settle() error
	// step settles, or does the next thing. It fails with errGone when the answer is
	// lost, and with another error for one that it did not expect.
	step() error
	// check compares what the server has with what it has acknowledged.
	check() error
}

// errGone is a request without an answer: nobody knows whether it was done.
var errGone = errors.New("the server is gone")

// world is one server that dies again and again, and its clients.
type world struct {
	home     *testing.T // with which it ends
	t        *testing.T // what is under way
	grave    grave
	binary   string
	postgres *pgtest.Server // where it is to crash, instead of the server
	random   *rand.Rand
	regulars []regular
	observer survivor
	halls    []*hall

	process  *process
	base     atomic.Pointer[string]
	requests atomic.Int64
	deadline atomic.Pointer[deadline]

	mu       sync.Mutex
	findings []string
}

// deadline ends the server when so many requests have been begun.
type deadline struct {
	at    int64
	delay time.Duration
	kill  func()
	once  sync.Once
}

func (w *world) find(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.findings = append(w.findings, fmt.Sprintf(format, args...))
}

// seed is that of the environment, or a new one. It is printed.
func seed(t *testing.T) uint64 {
	t.Helper()
	s := rand.Uint64()
	if text := os.Getenv("NARTHEX_TEST_KILL_SEED"); text != "" {
		if _, err := fmt.Sscan(text, &s); err != nil {
			t.Fatalf("NARTHEX_TEST_KILL_SEED: %v", err)
		}
	}
	t.Logf("NARTHEX_TEST_KILL_SEED=%d makes the same kills", s)
	return s
}

// newWorld starts a server on an empty database, with rooms and clients.
func newWorld(t *testing.T, binary, database string, seed uint64) *world {
	t.Helper()
	w := &world{home: t, t: t, binary: binary, random: rand.New(rand.NewPCG(seed, 0)), grave: grave{data: filepath.Join(t.TempDir(), "data"), database: database}}
	if database != "" {
		w.grave.environment = append(w.grave.environment, "NARTHEX_DATABASE="+database)
	}
	var token string
	w.grave.inside(t, func(tx *db.Tx, a *app.App) (err error) {
		const root = id.UserID("@root:localhost")
		if err := a.Accounts.Insert(tx, accounts.Account{UserID: root, PasswordHash: "none", Admin: true}); err != nil {
			return err
		}
		if err := a.Accounts.PutDevice(tx, root, "DEVICE", nil); err != nil {
			return err
		}
		token, err = a.OAuth.IssueToken(tx, root, "DEVICE", 0)
		return err
	})
	w.mustRise()
	w.settleIn(token, seed)
	return w
}

// rise starts the server, and reports whether it lives to listen.
func (w *world) rise(fault string) bool {
	w.t.Helper()
	p, listens := begin(w.home, w.binary, development(w.grave.data), append(slices.Clone(w.grave.environment), faultVariable+"="+fault)...)
	w.process = p
	w.base.Store(&p.url)
	if !listens && fault == "" {
		w.find("the server does not start: %s", p.out)
	}
	return listens
}

func (w *world) mustRise() {
	w.t.Helper()
	if !w.rise("") {
		w.t.Fatal(strings.Join(w.findings, "\n"))
	}
}

// live has clients at work until the server is gone.
func (w *world) live(at []regular) {
	var all sync.WaitGroup
	for _, a := range at {
		all.Go(func() {
			for {
				err := a.step()
				if errors.Is(err, errGone) {
					return
				}
				if err != nil {
					w.find("%T: %v", a, err)
					return
				}
			}
		})
	}
	all.Wait()
	if d := w.deadline.Load(); d != nil {
		d.once.Do(d.kill) // the clients gave up before
	}
}

// killAfter has the server ended when the clients have begun so many more requests.
func (w *world) killAfter(requests int64, kill func()) {
	w.deadline.Store(&deadline{at: w.requests.Load() + requests, delay: time.Duration(w.random.IntN(8000)) * time.Microsecond, kill: kill})
}

// judge has the clients do again what was interrupted, and compares all that there is.
func (w *world) judge() {
	w.deadline.Store(nil)
	w.lookForHalves()
	patiently := func(what string, f func() error) {
		var err error
		for range 100 { // a pool of dead connections is found out one by one
			if err = f(); !errors.Is(err, errGone) || w.postgres == nil {
				break
			}
		}
		if err != nil {
			w.find("%s: %v", what, err)
		}
	}
	for _, a := range w.regulars {
		patiently(fmt.Sprintf("%T asks again", a), a.settle)
	}
	for _, h := range w.halls {
		patiently("history", func() error { return h.read(w) })
	}
	for _, a := range w.regulars {
		patiently(fmt.Sprintf("%T looks", a), a.check)
	}
}

// survivor is a client of one device.
type survivor struct {
	w        *world
	userID   string
	deviceID string
	token    string
	refresh  string // the refresh token that it was given last, if any
	http     *http.Client
}

func (w *world) survivor() survivor {
	return survivor{w: w, http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}}}
}

// reply is an answer that the client may or may not have expected.
type reply struct {
	status int
	code   string // of an error
	raw    []byte
}

func (r reply) unexpected(what string) error {
	return fmt.Errorf("%s: got %d %.300s", what, r.status, r.raw)
}

// ask makes a request. It fails with errGone if there is no answer, or one by which
// the server does not say whether it has done what was asked.
func (p *survivor) ask(method, path string, body any) (reply, error) {
	w := p.w
	begun := w.requests.Add(1)
	if d := w.deadline.Load(); d != nil && begun >= d.at {
		d.once.Do(func() { time.AfterFunc(d.delay, d.kill) })
	}
	var in io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return reply{}, err
		}
		in = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(context.Background(), method, *w.base.Load()+path, in)
	if err != nil {
		return reply{}, err
	}
	if p.token != "" {
		req.Header.Set("Authorization", "Bearer "+p.token)
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return reply{}, errGone
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode}
	if r.raw, err = io.ReadAll(resp.Body); err != nil {
		return reply{}, errGone
	}
	if r.status >= 500 {
		if w.postgres == nil && r.status != http.StatusServiceUnavailable {
			w.find("%s %s: got %d %s", method, path, r.status, r.raw)
		}
		return reply{}, errGone
	}
	if r.status >= 400 {
		var e struct {
			Code string `json:"errcode"`
		}
		_ = json.Unmarshal(r.raw, &e) // without a code it is unexpected in any case
		r.code = e.Code
	}
	return r, nil
}

// tell makes a request that is to be answered with 200, and reads the answer into out
// if that is not nil.
func (p *survivor) tell(method, path string, body, out any) error {
	r, err := p.ask(method, path, body)
	switch {
	case err != nil:
		return err
	case r.status != http.StatusOK:
		return r.unexpected(method + " " + path)
	case out == nil:
		return nil
	}
	return json.Unmarshal(r.raw, out)
}

// newSurvivor makes an account that is in the rooms.
func (w *world) newSurvivor(name string, rooms ...string) survivor {
	w.t.Helper()
	p := w.survivor()
	if r, err := p.register(name); err != nil || r.status != http.StatusOK {
		w.t.Fatalf("registering %s: %v %v", name, cmp.Or(err, r.unexpected("register")), w.findings)
	}
	for _, room := range rooms {
		if err := p.tell("POST", "/_matrix/client/v3/join/"+url.PathEscape(room), nil, nil); err != nil {
			w.t.Fatal(err)
		}
	}
	return p
}

const killHalls = 3

// settleIn makes rooms, and the clients that will be at work.
func (w *world) settleIn(rootToken string, seed uint64) {
	w.t.Helper()
	w.observer = w.newSurvivor("observer")
	var rooms []string
	for i := range killHalls {
		var made struct {
			RoomID string `json:"room_id"`
		}
		if err := w.observer.tell("POST", "/_matrix/client/v3/createRoom", map[string]any{
			"preset": "public_chat", "name": fmt.Sprint("Hall ", i),
			"power_level_content_override": map[string]any{"state_default": 0, "events_default": 0, "redact": 0},
		}, &made); err != nil {
			w.t.Fatal(err)
		}
		rooms = append(rooms, made.RoomID)
		w.halls = append(w.halls, newHall(made.RoomID))
	}
	number := uint64(0)
	random := func() *rand.Rand { number++; return rand.New(rand.NewPCG(seed, number)) }
	for i := range 3 {
		w.regulars = append(w.regulars, &reader{survivor: w.newSurvivor(fmt.Sprint("reader", i), rooms...), random: random()})
	}
	for i := range 5 {
		w.regulars = append(w.regulars, &sender{survivor: w.newSurvivor(fmt.Sprint("sender", i), rooms...), random: random()})
	}
	root := w.survivor()
	root.userID, root.token = "@root:localhost", rootToken
	w.regulars = append(w.regulars,
		&guest{survivor: w.newSurvivor("guest"), hall: w.halls[0]},
		newKeeper(w.newSurvivor("keeper", rooms...), random()),
		&registrar{survivor: w.survivor()},
		&administrator{survivor: root, target: w.newSurvivor("target").userID, suspended: false},
		newNamer(w.newSurvivor("namer")),
		&uploader{survivor: w.newSurvivor("uploader")},
		newRefresher(w.newSurvivor("refresher"), "refresher"),
	)
	w.judge()
	if len(w.findings) > 0 {
		w.t.Fatal(strings.Join(w.findings, "\n"))
	}
}
