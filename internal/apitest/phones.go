package apitest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/config"
)

// Phones is a gateway for text messages in a test, to all numbers.
type Phones struct {
	url string

	mu    sync.Mutex
	texts map[string][]string
}

// NewPhones starts a gateway. It stops with the test.
func NewPhones(t testing.TB) *Phones {
	t.Helper()
	p := &Phones{texts: map[string][]string{}}
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct {
			To   string `json:"to"`
			Text string `json:"text"`
		}
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil {
			t.Error(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		p.texts[message.To] = append(p.texts[message.To], message.Text)
		_, _ = w.Write([]byte("{}")) // the server may have given up
	}))
	t.Cleanup(gateway.Close)
	p.url = gateway.URL
	return p
}

// Configure makes a server send its text messages here: to Great Britain and
// Germany.
func (p *Phones) Configure(cfg *config.Config) {
	cfg.SMS.Webhook = config.SMSWebhook{URL: p.url + "/sms", Secret: "secret of the gateway"}
	cfg.SMS.Countries = []string{"GB", "DE"}
}

// Code is the code in the newest message to a number, such as +447700900123.
func (p *Phones) Code(t testing.TB, number string) string {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	texts := p.texts[number]
	if len(texts) == 0 {
		t.Fatalf("there is no message to %s", number)
	}
	code, _, _ := strings.Cut(texts[len(texts)-1], " ")
	return code
}
