package sms_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/dbtest"
	"github.com/narthex-matrix/narthex/internal/jobs"
	"github.com/narthex-matrix/narthex/internal/sms"
)

func TestMain(m *testing.M) { dbtest.Main(m) }

// The numbers of nobody in particular.
const (
	german  = "4915112345678"
	german2 = "4915112345679"
	english = "447400123456"
	premium = "4990012345678"
	french  = "33612345678"
)

// gateway is a stand-in that keeps what it gets, and answers as it is told.
type gateway struct {
	*httptest.Server
	mu      sync.Mutex
	got     []call
	answers []int // to the next requests; 201 after that
	hangUp  bool  // ends the connection instead of answering
}

type call struct {
	path, body, signature, user, password, kind string
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{}
	g.Server = httptest.NewServer(g)
	t.Cleanup(g.Close)
	return g
}

// ServeHTTP takes a message.
func (g *gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	g.mu.Lock()
	defer g.mu.Unlock()
	c := call{path: r.URL.Path, body: string(body), signature: r.Header.Get(sms.SignatureHeader), kind: r.Header.Get("Content-Type")}
	c.user, c.password, _ = r.BasicAuth()
	g.got = append(g.got, c)
	if g.hangUp {
		panic(http.ErrAbortHandler)
	}
	status := http.StatusCreated
	if len(g.answers) > 0 {
		status = g.answers[0]
		g.answers = g.answers[1:]
	}
	if status/100 == 3 {
		w.Header().Set("Location", "/elsewhere")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"code": 21211, "message": "+`+german+` is not a valid number", "sid": "SM1"}`)
}

func (g *gateway) calls() []call {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]call(nil), g.got...)
}

type post struct {
	*sms.Service
	store  *dbtest.Store
	runner *jobs.Runner
}

func open(t *testing.T, store *dbtest.Store, change ...func(*config.Config)) post {
	t.Helper()
	cfg := config.Default()
	cfg.ServerName, cfg.Database, cfg.RateLimits.Enabled = "narthex.test", store.Database, false
	cfg.Dev = false
	cfg.SMS.Countries = []string{"DE", "GB"}
	for _, f := range change {
		f(&cfg)
	}
	if err := cfg.Check(); err != nil {
		t.Fatal(err)
	}
	p := post{store: store, Service: sms.New(sms.Deps{DB: store.DB, Config: cfg, Log: store.Log.Logger()})}
	p.runner = jobs.NewRunner(store.DB, store.Log.Logger(), p.Jobs())
	return p
}

func webhook(g *gateway) func(*config.Config) {
	return func(c *config.Config) { c.SMS.Webhook = config.SMSWebhook{URL: g.URL + "/sms", Secret: "hunter2"} }
}

func twilio(g *gateway) func(*config.Config) {
	return func(c *config.Config) {
		c.SMS.Twilio = config.Twilio{AccountSID: "AC1", AuthToken: "hunter2", From: "+4915000000000", URL: g.URL}
	}
}

func (p post) queue(t *testing.T, to string) (id string, err error) {
	t.Helper()
	err = p.store.DB.Write(t.Context(), func(tx *db.Tx) (err error) {
		id, err = p.Queue(tx, sms.Message{To: to, Text: "Your code is 123456"})
		return err
	})
	return id, err
}

func (p post) send(t *testing.T, to string) error {
	t.Helper()
	id, err := p.queue(t, to)
	if err != nil {
		return err
	}
	return p.Deliver(t.Context(), id)
}

func (p post) work(t *testing.T) {
	t.Helper()
	if _, err := p.runner.RunDue(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func (p post) expect(t *testing.T, g *gateway, calls, waiting int) {
	t.Helper()
	if got := len(g.calls()); got != calls {
		t.Errorf("the gateway has %d calls, want %d", got, calls)
	}
	var n int64
	err := p.store.DB.Read(t.Context(), func(tx *db.Tx) (err error) {
		n, err = db.Value[int64](tx, `SELECT COUNT(*) FROM sms_outbox`)
		return err
	})
	if err != nil || n != int64(waiting) {
		t.Errorf("%d messages are in the outbox, want %d (%v)", n, waiting, err)
	}
}

func is(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestTheWebhookIsSigned(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g))
	is(t, p.send(t, german), nil)
	p.expect(t, g, 1, 0)
	got := g.calls()[0]
	var message map[string]any
	if err := json.Unmarshal([]byte(got.body), &message); err != nil {
		t.Fatal(err)
	}
	if got.path != "/sms" || got.kind != "application/json" || message["to"] != "+"+german || message["text"] != "Your code is 123456" ||
		len(message) != 4 || message["id"] == "" || message["created_ts"].(float64) < 1e12 {
		t.Errorf("got %+v", got)
	}
	at, signature, _ := strings.Cut(strings.TrimPrefix(got.signature, "t="), ",v1=")
	mac := hmac.New(sha256.New, []byte("hunter2"))
	mac.Write([]byte(at + "." + got.body))
	if want := hex.EncodeToString(mac.Sum(nil)); signature != want || len(at) != 10 {
		t.Errorf("%s: got %s, want %s of %s", sms.SignatureHeader, signature, want, at)
	}
}

func TestTwilio(t *testing.T) {
	for from, field := range map[string]string{"+4915000000000": "From", "Narthex": "From", "MG1": "MessagingServiceSid"} {
		g := startGateway(t)
		p := open(t, dbtest.Open(t), twilio(g), func(c *config.Config) { c.SMS.Twilio.From = from })
		is(t, p.send(t, german), nil)
		p.expect(t, g, 1, 0)
		got := g.calls()[0]
		want := url.Values{"To": {"+" + german}, "Body": {"Your code is 123456"}, field: {from}}.Encode()
		if got.path != "/2010-04-01/Accounts/AC1/Messages.json" || got.body != want || got.user != "AC1" || got.password != "hunter2" ||
			got.kind != "application/x-www-form-urlencoded" {
			t.Errorf("got %+v, want %s", got, want)
		}
	}
}

// TestTP34 holds what becomes of a message by what the gateway answers.
func TestTP34(t *testing.T) {
	for name, change := range map[string]func(*gateway) func(*config.Config){"webhook": webhook, "Twilio": twilio} {
		for status, want := range map[int]error{
			400: sms.ErrRefused, 401: sms.ErrRefused, 404: sms.ErrRefused, 422: sms.ErrRefused, 302: sms.ErrRefused, 307: sms.ErrRefused,
			408: sms.ErrLater, 429: sms.ErrLater, 500: sms.ErrLater, 503: sms.ErrLater, 200: nil, 202: nil,
		} {
			t.Run(name+" "+http.StatusText(status), func(t *testing.T) {
				g := startGateway(t)
				g.answers = []int{status}
				p := open(t, dbtest.Open(t), change(g))
				is(t, p.send(t, german), want)
				later := 0
				if errors.Is(want, sms.ErrLater) {
					later = 1
				}
				p.expect(t, g, 1, later)
				p.store.Advance(time.Hour)
				p.work(t)
				p.expect(t, g, 1+later, 0)
				log := p.store.Log.String()
				if strings.Contains(log, german) || strings.Contains(log, "hunter2") || strings.Contains(log, "123456") || strings.Contains(log, g.URL) {
					t.Errorf("the log names somebody:\n%s", log)
				}
			})
		}
	}
}

// TestAPromisedMessageWaitsForTheOperator holds that a wrong credential costs no
// message that somebody was told of.
func TestAPromisedMessageWaitsForTheOperator(t *testing.T) {
	g := startGateway(t)
	g.answers = []int{401, 401}
	p := open(t, dbtest.Open(t), twilio(g))
	_, err := p.queue(t, german)
	is(t, err, nil)
	for range 2 {
		p.store.Advance(time.Minute)
		p.work(t)
	}
	p.expect(t, g, 2, 1)
	p.store.Advance(time.Hour)
	p.work(t)
	p.expect(t, g, 3, 0)
}

func TestTheGatewayIsDownAndComesBack(t *testing.T) {
	g := startGateway(t)
	address := g.URL
	g.Close()
	p := open(t, dbtest.Open(t), webhook(g))
	is(t, p.send(t, german), sms.ErrLater)
	is(t, p.send(t, german2), sms.ErrLater)
	p.store.Advance(time.Minute)
	p.work(t)
	p.expect(t, g, 0, 2)

	again := startGateway(t)
	after := open(t, p.store, webhook(again)) // a restart
	p.store.Advance(time.Hour)
	after.work(t)
	after.expect(t, again, 2, 0)
	if log := p.store.Log.String(); strings.Contains(log, address) {
		t.Errorf("the log has the address of the gateway, which can hold a secret:\n%s", log)
	}
}

func TestK16KilledAfterTheSend(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g))
	id, err := p.queue(t, german)
	is(t, err, nil)
	is(t, p.SendAndDie(t.Context(), id), nil)
	is(t, p.Deliver(t.Context(), id), sms.ErrLater) // the dead process may still be sending
	p.store.Advance(sms.HeadStart + time.Second)
	p.work(t)
	p.expect(t, g, 1, 1)
	p.store.Advance(sms.Lease + time.Minute)
	p.work(t)
	p.expect(t, g, 2, 0)
	p.store.Advance(24 * time.Hour)
	p.work(t)
	p.expect(t, g, 2, 0)
	if calls := g.calls(); calls[0].body != calls[1].body {
		t.Errorf("the gateway cannot know that %s is %s", calls[1].body, calls[0].body)
	}
}

func TestK16KilledAfterTheCommit(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g))
	_, err := p.queue(t, german)
	is(t, err, nil)
	after := open(t, p.store, webhook(g))
	p.store.Advance(sms.HeadStart + time.Second)
	after.work(t)
	after.expect(t, g, 1, 0)
}

// TestK16NoAnswer holds that a gateway that takes messages and says nothing gets
// each at most twice.
func TestK16NoAnswer(t *testing.T) {
	g := startGateway(t)
	g.hangUp = true
	p := open(t, dbtest.Open(t), webhook(g))
	is(t, p.send(t, german), sms.ErrLater)
	for range 5 {
		p.store.Advance(time.Hour)
		p.work(t)
	}
	p.expect(t, g, 2, 0)
}

func TestAMessageIsGivenUpWhenItIsOfNoUse(t *testing.T) {
	g := startGateway(t)
	p := open(t, dbtest.Open(t), webhook(g))
	err := p.store.DB.Write(t.Context(), func(tx *db.Tx) error {
		_, err := p.Queue(tx, sms.Message{To: german, Text: "x", Expires: tx.Now.Add(time.Minute)})
		return err
	})
	is(t, err, nil)
	p.store.Advance(2 * time.Minute)
	p.work(t)
	p.expect(t, g, 0, 0)
}

func TestDevPrints(t *testing.T) {
	p := open(t, dbtest.Open(t), func(c *config.Config) { c.Dev = true })
	if !p.Configured() {
		t.Error("--dev should print")
	}
	for range 10 { // without limits
		is(t, p.send(t, french), nil)
	}
	if log := p.store.Log.String(); !strings.Contains(log, "+"+french) || !strings.Contains(log, "Your code is 123456") {
		t.Errorf("the log:\n%s", log)
	}
	p = open(t, p.store)
	if p.Configured() {
		t.Error("without a gateway nothing can be sent")
	}
}
