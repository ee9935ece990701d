package doctor_test

import (
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/doctor"
)

// web answers every request alike.
type web struct {
	status int
	body   string
}

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.String() != "https://example.org/.well-known/matrix/client" {
		return nil, errors.New("no such address")
	}
	return &http.Response{StatusCode: w.status, Body: io.NopCloser(strings.NewReader(w.body)), Request: r}, nil
}

// examine gives what is found about the word, for a server behind a proxy.
func examine(t *testing.T, about string, answer web, change func(*config.Config)) []doctor.Finding {
	t.Helper()
	cfg := config.Default()
	cfg.ServerName, cfg.PublicURL = "example.org", "https://matrix.example.org/"
	cfg.Data = filepath.Join(t.TempDir(), "data")
	if change != nil {
		change(&cfg)
	}
	var found []doctor.Finding
	for _, f := range (doctor.Patient{Config: cfg, Now: time.Now, Web: &http.Client{Transport: answer}}).Examine(t.Context()) {
		if strings.Contains(f.What, about) {
			found = append(found, f)
		}
		if (f.Level == doctor.Good) != (f.Mend == "") {
			t.Errorf("%+v: only what is wrong needs advice", f)
		}
	}
	return found
}

func TestWellKnown(t *testing.T) {
	for name, c := range map[string]struct {
		answer web
		want   doctor.Level
	}{
		"it leads here":      {web{200, `{"m.homeserver":{"base_url":"https://matrix.example.org"}}`}, doctor.Good},
		"it leads elsewhere": {web{200, `{"m.homeserver":{"base_url":"https://other.example.org"}}`}, doctor.Fault},
		"it is not there":    {web{404, ``}, doctor.Warning},
		"it is not JSON":     {web{200, `<html>`}, doctor.Warning},
	} {
		t.Run(name, func(t *testing.T) {
			found := examine(t, "example.org", c.answer, nil)
			if last := found[len(found)-1]; last.Level != c.want {
				t.Errorf("got %+v, want %s", last, c.want)
			}
		})
	}
}

func TestNames(t *testing.T) {
	good := web{200, `{"m.homeserver":{"base_url":"https://matrix.example.org"}}`}
	for name, c := range map[string]struct {
		about  string
		change func(*config.Config)
		want   doctor.Level
	}{
		"encrypted":            {"Clients reach", nil, doctor.Good},
		"not encrypted":        {"without encryption", func(c *config.Config) { c.PublicURL = "http://matrix.example.org" }, doctor.Fault},
		"open to the world":    {"public address", func(c *config.Config) { c.PublicURL, c.Listen = "", []string{"0.0.0.0:8008"} }, doctor.Fault},
		"called localhost":     {"is called localhost", func(c *config.Config) { c.ServerName = "localhost" }, doctor.Fault},
		"no proxy trusted":     {"No proxy", nil, doctor.Warning},
		"metrics for everyone": {"metrics", func(c *config.Config) { c.Metrics.Listen = ":9090" }, doctor.Warning},
		"no limits":            {"Rate limits", func(c *config.Config) { c.RateLimits.Enabled = false }, doctor.Warning},
		"approval":             {"guarded", nil, doctor.Good},
		"no approval":          {"use it at once", func(c *config.Config) { c.Approval.RequiredForNewAccounts = false }, doctor.Warning},
		"approval without use": {"use it at once", func(c *config.Config) { c.Approval.Enabled = false }, doctor.Warning},
		"tokens":               {"guarded", func(c *config.Config) { c.Approval.Enabled, c.Registration.RequireToken = false, true }, doctor.Good},
		"closed":               {"Registration is closed", func(c *config.Config) { c.Registration.Enabled = false }, doctor.Good},
		"no mail":              {"No mail is sent", nil, doctor.Good},
		"mail":                 {"Mails go to mail.example.org:587", func(c *config.Config) { c.Mail.From, c.Mail.SMTP.Host = "a@example.org", "mail.example.org" }, doctor.Good},
		"mail in the open": {"without encryption: the links", func(c *config.Config) {
			c.Mail.From, c.Mail.SMTP.Host, c.Mail.SMTP.TLS = "a@example.org", "mail.example.org", "none"
		}, doctor.Warning},
		"texts that are not there": {"mail.templates", func(c *config.Config) { c.Mail.Templates = "/nowhere" }, doctor.Fault},
		"no gateway":               {"no gateway is configured", nil, doctor.Good},
		"no country":               {"no country", func(c *config.Config) { c.SMS.Webhook = config.SMSWebhook{URL: "https://a.example", Secret: "s"} }, doctor.Warning},
		"no budget": {"nothing may be spent", func(c *config.Config) {
			c.SMS.Webhook, c.SMS.Countries, c.SMS.Limits.Spend = config.SMSWebhook{URL: "https://a.example", Secret: "s"}, []string{"DE"}, 0
		}, doctor.Warning},
		"a gateway": {"Text messages go to DE", func(c *config.Config) {
			c.SMS.Webhook, c.SMS.Countries = config.SMSWebhook{URL: "https://a.example", Secret: "s"}, []string{"DE"}
		}, doctor.Good},
		"a value out of range": {"limits.max_connections", func(c *config.Config) { c.Limits.MaxConnections = 0 }, doctor.Fault},
	} {
		t.Run(name, func(t *testing.T) {
			found := examine(t, c.about, good, c.change)
			if len(found) == 0 || found[0].Level != c.want {
				t.Errorf("got %+v, want %s", found, c.want)
			}
		})
	}
}
