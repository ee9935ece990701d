package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// letterBox is a mail server that takes everything for alice, and refuses others.
type letterBox struct {
	mu  sync.Mutex
	got []string
}

func (b *letterBox) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (b *letterBox) Reset()                                      {}
func (b *letterBox) Logout() error                               { return nil }
func (b *letterBox) Mail(string, *smtp.MailOptions) error        { return nil }
func (b *letterBox) Rcpt(to string, _ *smtp.RcptOptions) error {
	if !strings.HasPrefix(to, "alice@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "there is nobody of that name"}
	}
	return nil
}

func (b *letterBox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, string(text))
	return err
}

// play runs a command with a configuration.
func play(t *testing.T, config string, args ...string) (code int, shown string) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "narthex.yaml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	std, out := newStreams("")
	code = run(context.Background(), append(args, "--config", file), std)
	return code, out.String()
}

func TestMailTest(t *testing.T) {
	box := &letterBox{}
	server := smtp.NewServer(box)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = server.Serve(listener) }()
	defer server.Close()
	_, port, _ := net.SplitHostPort(listener.Addr().String())
	config := "server_name: example.org\nmail:\n  from: narthex@example.org\n  smtp: {host: 127.0.0.1, port: " + port + ", tls: none}\n"
	for _, c := range []struct {
		config, to string
		code       int
		says       string
	}{
		{config, "alice@example.org", 0, "127.0.0.1:" + port + " (none) took the mail to alice@example.org and said: "},
		{config, "bob@example.org", 1, "there is nobody of that name"},
		{config, "bob", 1, "this is not a mail address"},
		{strings.Replace(config, "none", "starttls", 1), "alice@example.org", 1, "STARTTLS"},
		{"server_name: example.org\n", "alice@example.org", 1, "no mail server is configured; set mail.from and mail.smtp.host"},
		{config + "  templates: /nowhere\n", "alice@example.org", 1, "mail.templates: the folder /nowhere cannot be read"},
	} {
		if code, shown := play(t, c.config, "mail", "test", c.to); code != c.code || !contains(shown, c.says) {
			t.Errorf("narthex mail test %s: got exit code %d and %q, want %d and %q", c.to, code, shown, c.code, c.says)
		}
	}
	if len(box.got) != 1 || !strings.Contains(box.got[0], "Subject: A test mail from example.org") {
		t.Errorf("the mail server has %q", box.got)
	}
}

func TestMailTemplates(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mail")
	for _, want := range []string{"wrote 25 files", "wrote 1 files into " + folder + ", and left 24"} {
		std, out := newStreams("")
		if code := run(context.Background(), []string{"mail", "templates", folder}, std); code != 0 || !contains(out.String(), want) {
			t.Errorf("got exit code %d and %q, want %q", code, out, want)
		}
		if err := os.Remove(filepath.Join(folder, "invite.txt")); err != nil {
			t.Error(err)
		}
	}
}

func TestSMSTest(t *testing.T) {
	calls := 0
	gateway := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if calls++; calls > 1 {
			w.WriteHeader(http.StatusUnauthorized)
		}
		fmt.Fprint(w, `{"status":"queued"}`)
	}))
	defer gateway.Close()
	config := "server_name: example.org\nsms:\n  webhook: {url: \"" + gateway.URL + "\", secret: hunter2}\n  countries: [DE]\n"
	for _, c := range []struct {
		config, to string
		code       int
		says       string
	}{
		{config, "+49 151 12345678", 0, `the gateway took the message to +4915112345678 and said: 200 OK {"status":"queued"}`},
		{config, "+4915112345678", 1, "the gateway did not take the message: 401 Unauthorized"},
		{config, "+33612345678", 1, "+33612345678 is not a mobile number in one of the countries of sms.countries (DE)"},
		{"server_name: example.org\n", "+4915112345678", 1, "no gateway is configured"},
	} {
		if code, shown := play(t, c.config, "sms", "test", c.to); code != c.code || !contains(shown, c.says) || contains(shown, "hunter2") {
			t.Errorf("narthex sms test %s: got exit code %d and %q, want %d and %q", c.to, code, shown, c.code, c.says)
		}
	}
}
