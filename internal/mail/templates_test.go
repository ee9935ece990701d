package mail_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/mail"
)

func load(t *testing.T, files map[string]string) (*mail.Templates, error) {
	t.Helper()
	cfg := config.Default()
	cfg.ServerName, cfg.Support.AdminContactEmail = "narthex.test", "help@narthex.test"
	if files != nil {
		cfg.Mail.Templates = t.TempDir()
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(cfg.Mail.Templates, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	return mail.LoadTemplates(cfg)
}

// TestEveryTemplate holds what all mails have in common: plain words in both forms,
// and nothing that is fetched from anywhere, which would tell who reads them.
func TestEveryTemplate(t *testing.T) {
	templates, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	fetches := regexp.MustCompile(`(?i)<(img|script|link|iframe|object|style|form)|url\(|src=|@import`)
	for _, name := range slices.Sorted(maps.Keys(mail.Samples)) {
		t.Run(name, func(t *testing.T) {
			subject, text, html, err := templates.Render(name, mail.Filled(mail.Samples[name]))
			if err != nil {
				t.Fatal(err)
			}
			if subject == "" || len(subject) > 78 || strings.Contains(subject, "\n") {
				t.Errorf("Subject: %q", subject)
			}
			for _, body := range []string{text, html} {
				for _, has := range []string{"narthex.test", "help@narthex.test"} {
					if !strings.Contains(body, has) {
						t.Errorf("%s is missing:\n%s", has, body)
					}
				}
				if strings.Contains(body, "<no value>") || strings.Contains(body, "{{") || strings.Contains(body, "ZgotmplZ") {
					t.Errorf("the template is broken:\n%s", body)
				}
			}
			if found := fetches.FindString(html); found != "" {
				t.Errorf("the page has %s:\n%s", found, html)
			}
			if strings.Contains(text, "\n\n\n") || strings.ContainsAny(text, "<>") {
				t.Errorf("the text:\n%s", text)
			}
			if !strings.Contains(html, "width=device-width") {
				t.Errorf("the page does not fit a phone:\n%s", html)
			}
		})
	}
}

func TestWordsOfUsersAreEscaped(t *testing.T) {
	templates, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	_, text, html, err := templates.Render(mail.NewSignIn, mail.SignIn{UserID: "@a:narthex.test", Device: `<script>alert("x")</script>`, At: time.Unix(0, 0)})
	if err != nil || strings.Contains(html, "<script>") || !strings.Contains(text, "<script>") {
		t.Errorf("%v\n%s", err, html)
	}
	if !strings.Contains(text, "When: 1 January 1970, 00:00 UTC\n") {
		t.Errorf("the text:\n%s", text)
	}
	subject, text, _, err := templates.Render(mail.InviteToRoom, mail.Invite{Sender: "@a:narthex.test", SenderName: "Win at www.example.com", RoomName: "Go to https://example.com", Link: "https://narthex.test/"})
	if err != nil || strings.Contains(subject+text, "example.com") || !strings.Contains(text, "@a:narthex.test invites you to a conversation") {
		t.Errorf("%v\n%s", err, text)
	}
}

func TestDataThatNoMailCanBeMadeOf(t *testing.T) {
	m := startMail(t, "none")
	p := connected(t, m, "none")
	for name, test := range map[string]struct {
		mail mail.Message
		want string
	}{
		"no template":     {mail.Message{To: "a@b.example", Template: "nothing"}, `there is no mail template "nothing"`},
		"other data":      {mail.Message{To: "a@b.example", Template: mail.Approved, Data: mail.Invite{}}, "the mail template approved takes a mail.Account, not a mail.Invite"},
		"a script":        {mail.Message{To: "a@b.example", Template: mail.Approved, Data: mail.Account{Link: "javascript:alert(1)"}}, "the mail approved: the link is not a web address"},
		"a link in lines": {mail.Message{To: "a@b.example", Template: mail.Approved, Data: mail.Account{Link: "https://a.example/\r\nx"}}, "the mail approved: the link is not a web address"},
		"two addresses":   {mail.Message{To: "a@b.example, c@d.example", Template: mail.Test, Data: mail.Nothing{}}, "this is not a mail address such as alice@example.org"},
	} {
		t.Run(name, func(t *testing.T) {
			err := p.store.DB.Write(t.Context(), func(tx *db.Tx) error {
				_, err := p.Queue(tx, test.mail)
				return err
			})
			if err == nil || err.Error() != test.want {
				t.Errorf("got %v, want %s", err, test.want)
			}
			p.expect(t, m, 0, 0)
		})
	}
}

func TestOperatorsCanChangeTheTexts(t *testing.T) {
	templates, err := load(t, map[string]string{
		"validation_register.txt": "Subject: Bestätigen Sie Ihre Adresse\r\n\r\nÖffnen Sie:\r\n{{.Link}}\r\n",
		"layout.html":             `{{define "top"}}<p>Unser Server {{server}}</p>{{end}}{{define "bottom"}}{{end}}{{define "button"}}<a href="{{.Link}}">{{.Text}}</a>{{end}}{{define "code"}}{{.}}{{end}}`,
		"README":                  "not a template",
	})
	if err != nil {
		t.Fatal(err)
	}
	subject, text, html, err := templates.Render(mail.ValidationRegister, validation)
	if err != nil || subject != "Bestätigen Sie Ihre Adresse" || text != "Öffnen Sie:\n"+validation.Link+"\n" {
		t.Errorf("%v %q\n%s", err, subject, text)
	}
	if !strings.HasPrefix(html, "<p>Unser Server narthex.test</p>") || !strings.Contains(html, "Confirm address") {
		t.Errorf("the page:\n%s", html)
	}
}

// TestMistakesInTextsAreFoundAtTheStart holds that no mail fails because of one.
func TestMistakesInTextsAreFoundAtTheStart(t *testing.T) {
	for name, test := range map[string]struct{ file, text, want string }{
		"a wrong name":   {"validation_regster.txt", "Subject: x\n\nx", "there is no such template; the names are already_registered.html,"},
		"no subject":     {"approved.txt", "Welcome", `approved.txt has to begin with a line "Subject: …"`},
		"no text":        {"approved.txt", "Subject: Welcome\n\n", `approved.txt has to begin with a line "Subject: …"`},
		"a wrong field":  {"approved.txt", "Subject: x\n\n{{.Name}}", "can't evaluate field Name"},
		"a wrong word":   {"approved.txt", "Subject: {{sever}}\n\nx", `function "sever" not defined`},
		"broken HTML":    {"approved.html", `<a href="{{if .Link}}`, "approved.html"},
		"broken in some": {"denied.html", `{{if .Reason}}{{.Raeson}}{{end}}`, "can't evaluate field Raeson"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(t, map[string]string{test.file: test.text})
			if err == nil || !strings.HasPrefix(err.Error(), "mail.templates: ") || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	cfg := config.Default()
	cfg.Mail.Templates = filepath.Join(t.TempDir(), "nowhere")
	if _, err := mail.LoadTemplates(cfg); err == nil || !strings.HasSuffix(err.Error(), "cannot be read: no such file or directory") {
		t.Errorf("got %v", err)
	}
}

func TestTemplateFilesAreTheWholeSet(t *testing.T) {
	files, err := mail.TemplateFiles()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := load(t, files); err != nil {
		t.Errorf("the texts inside the program, as an operator's own: %v", err)
	}
	inFolder, err := filepath.Glob("templates/*")
	if err != nil || len(inFolder) != len(files) {
		t.Errorf("%d files in the folder, and %d are written", len(inFolder), len(files))
	}
}
