package mail_test

import (
	"crypto/tls"
	"crypto/x509"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/mail"
)

// TestEncryptionIsNeverGivenUp plays servers in the middle that would read along.
func TestEncryptionIsNeverGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		server, client string
		roots          *x509.CertPool
		change         func(*smtp.Server)
	}{
		"no STARTTLS":            {server: "none", client: "starttls"},
		"no TLS":                 {server: "none", client: "implicit", change: func(s *smtp.Server) { s.ReadTimeout = time.Second }},
		"STARTTLS, wrong issuer": {server: "starttls", client: "starttls", roots: x509.NewCertPool()},
		"TLS, wrong issuer":      {server: "implicit", client: "implicit", roots: x509.NewCertPool()},
		"old TLS":                {server: "starttls", client: "starttls", change: func(s *smtp.Server) { s.TLSConfig.MaxVersion = tls.VersionTLS11 }},
	} {
		t.Run(name, func(t *testing.T) {
			var changes []func(*smtp.Server)
			if test.change != nil {
				changes = append(changes, test.change)
			}
			m := startMail(t, test.server, changes...)
			m.password = "hunter2"
			if test.roots != nil {
				m.roots = test.roots
			}
			p := connected(t, m, test.client, func(c *config.Config) { c.Mail.SMTP.Username, c.Mail.SMTP.Password = "narthex", "hunter2" })
			is(t, p.send(t, "alice@example.org"), mail.ErrLater)
			p.expect(t, m, 0, 1)
			if len(m.offered) > 0 {
				t.Errorf("the server has seen %q", m.offered)
			}
			if log := p.store.Log.String(); !strings.Contains(log, "the mail server cannot be used") || strings.Contains(log, "hunter2") {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}

// TestAWrongPassword holds that a person who waits is told, and that mails which
// were promised wait for the operator to mend it.
func TestAWrongPassword(t *testing.T) {
	m := startMail(t, "starttls")
	m.password = "another"
	p := connected(t, m, "starttls", func(c *config.Config) { c.Mail.SMTP.Username, c.Mail.SMTP.Password = "narthex", "hunter2" })
	is(t, p.send(t, "alice@example.org"), mail.ErrRefused)
	p.expect(t, m, 0, 0)

	p.queue(t, note)
	p.store.Advance(time.Minute)
	p.work(t)
	p.expect(t, m, 0, 1)
	m.set(func() { m.password = "hunter2" })
	p.store.Advance(time.Hour)
	p.work(t)
	p.expect(t, m, 1, 0)
	log := p.store.Log.String()
	if !strings.Contains(log, "the mail server answered 535") || strings.Contains(log, "hunter2") {
		t.Errorf("the log:\n%s", log)
	}
}

func TestAServerThatWantsAPassword(t *testing.T) {
	m := startMail(t, "starttls")
	m.password = "hunter2"
	p := connected(t, m, "starttls")
	is(t, p.send(t, "alice@example.org"), mail.ErrRefused)
	p.expect(t, m, 0, 0)
}

// TestHeadersCannotBeInjected sends what would end a header line or add another
// recipient, by every way that a user's words have into a mail.
func TestHeadersCannotBeInjected(t *testing.T) {
	evil := []string{
		"x\r\nBcc: mallory@example.org", "x\nBcc: mallory@example.org", "x\rBcc: mallory@example.org", "x\r\n\r\nanother body",
		"x\x00\x01\x1b\x7f", "x\u0085Bcc: mallory@example.org", "x\u2028Bcc: y", "x\u202egro.elpmaxe", "=?utf-8?q?x=0D=0ABcc:_mallory@example.org?=",
		strings.Repeat("long ", 500), strings.Repeat("ü", 3000), "\xff\xfe",
	}
	m := startMail(t, "none")
	p := connected(t, m, "none")
	for _, text := range evil {
		is(t, p.Deliver(t.Context(), p.queue(t, mail.Message{To: "alice@example.org", Template: mail.InviteToRoom,
			Data: mail.Invite{Sender: "@bob" + text + ":narthex.test", SenderName: text, RoomName: text, Link: "https://narthex.test/invite"}})), nil)
	}
	for i, got := range m.got() {
		if got.to != "alice@example.org" {
			t.Errorf("%q was sent to %s", evil[i], got.to)
		}
		message := got.message(t)
		for name, values := range message.Header {
			if strings.EqualFold(name, "Bcc") || len(values) != 1 {
				t.Errorf("%q made the header %s: %q", evil[i], name, values)
			}
		}
		if n := len(message.Header); n != 8 {
			t.Errorf("%q: %d headers", evil[i], n)
		}
		for line := range strings.SplitSeq(got.raw, "\r\n") {
			if len(line) > 998 || strings.ContainsAny(line, "\r\n\x00\x1b") {
				t.Errorf("%q: a line of %d bytes: %q", evil[i], len(line), line)
			}
		}
		text, html := parts(t, got)
		if strings.Contains(text+html, "\u202e") || strings.Contains(text, "\nBcc") {
			t.Errorf("%q:\n%s", evil[i], text)
		}
	}
	if n := len(m.got()); n != len(evil) {
		t.Errorf("%d mails, want %d", n, len(evil))
	}
}

func TestAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"alice@example.org":                  "alice@example.org",
		"alice+tag@example.org":              "alice+tag@example.org",
		"alice@bücher.example":               "alice@xn--bcher-kva.example",
		"älice@example.org":                  "älice@example.org",
		`"alice.."@example.org`:              "",
		"":                                   "",
		"alice":                              "",
		"@example.org":                       "",
		"alice@":                             "",
		"Alice <alice@example.org>":          "",
		"<alice@example.org>":                "",
		"alice@example.org, bob@example.org": "",
		"alice@example.org\r\nBcc: b@example.org":               "",
		"alice@example.org\r\n":                                 "",
		"alice\x00@example.org":                                 "",
		"alice@exa\nmple.org":                                   "",
		"alice @example.org":                                    "",
		"alice@example.org (comment)":                           "",
		"alice@[192.0.2.1]":                                     "",
		"al\u202eice@example.org":                               "",
		"al\u0085ice@example.org":                               "",
		"alice@example.org>\r\nRCPT TO:<mallory":                "",
		"\xffalice@example.org":                                 "",
		strings.Repeat("a", 250) + "@example.org":               "",
		strings.Repeat("a", 60) + "@" + strings.Repeat("ü", 90): "",
	} {
		got, err := mail.ParseAddress(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: got %q %v, want %q", text, got, err, want)
		}
	}
}

// TestAddressesBeyondASCII holds that such an address needs a server that knows
// SMTPUTF8, and that a domain beyond ASCII does not.
func TestAddressesBeyondASCII(t *testing.T) {
	old, modern := startMail(t, "none"), startMail(t, "none", func(s *smtp.Server) { s.EnableSMTPUTF8 = true })
	p := connected(t, old, "none")
	is(t, p.send(t, "alice@bücher.example"), nil)
	is(t, p.send(t, "älice@example.org"), mail.ErrRefused)
	p.expect(t, old, 1, 0)
	if got := old.got()[0].to; got != "alice@xn--bcher-kva.example" {
		t.Errorf("RCPT TO %s", got)
	}
	p = connected(t, modern, "none")
	is(t, p.send(t, "älice@bücher.example"), nil)
	if got := modern.got()[0].to; got != "älice@xn--bcher-kva.example" {
		t.Errorf("RCPT TO %s", got)
	}
}

func FuzzParseAddress(f *testing.F) {
	for _, text := range []string{"alice@example.org", "älice@bücher.example", `"a b"@c.example`, "a@b\r\nBcc: c@d", "a@[::1]"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := mail.ParseAddress(text)
		if err != nil {
			return
		}
		if strings.ContainsAny(got, " \t\r\n<>,\x00") || len(got) > 254 || strings.Count(got, "@") < 1 {
			t.Errorf("%q became %q", text, got)
		}
		if again, err := mail.ParseAddress(got); err != nil || again != got {
			t.Errorf("%q became %q, and that %q %v", text, got, again, err)
		}
	})
}
