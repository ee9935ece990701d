package accounts_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/validation"
)

// FuzzRequestToken holds that whatever is sent to a requestToken endpoint is answered
// with a session or with one of the refusals, and that a message is sent to nobody
// but the address that was asked for.
func FuzzRequestToken(f *testing.F) {
	mails := apitest.NewMailbox(f)
	srv := apitest.New(f, mails.Configure, func(cfg *config.Config) { cfg.Threepid.NextLinkHosts = []string{"app.example.org"} })
	paths := []string{registerEmailPath, addEmailPath, resetEmailPath, registerPhonePath, addPhonePath, resetPhonePath}
	for i, seed := range []string{
		`{"client_secret":"a","email":"alice@example.org","send_attempt":1}`, `{"client_secret":"a","email":" Älice@Bücher.example\n","send_attempt":0,"next_link":"https://app.example.org/?a"}`,
		`{"client_secret":"a","email":"a@example.org\r\nBcc: b@example.org","send_attempt":1}`, `{"client_secret":"a","country":"GB","phone_number":"07400 123456","send_attempt":1}`,
		`{"client_secret":"a","country":"","phone_number":"+44 (0)7400-123456","send_attempt":9007199254740993,"id_server":"evil.example"}`, `{"client_secret":"a b","email":1,"country":[],"phone_number":null,"send_attempt":"1"}`,
		`{"email":"a@example.org","email":"b@example.org"}`, `{"client_secret":"a","email":"a@example.org","send_attempt":1e99}`, `[`, ``, `null`, `{"send_attempt":-1}`,
	} {
		f.Add(uint8(i), seed)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		path := paths[int(which)%len(paths)]
		before := len(mails.All())
		r := httptest.NewRequest("POST", path, strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		srv.App.ServeHTTP(rec, r)
		var answer struct {
			SID       string `json:"sid"`
			SubmitURL string `json:"submit_url"`
			Errcode   string `json:"errcode"`
			Error     string `json:"error"`
		}
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%s %q: got %d %s", path, body, rec.Code, rec.Body)
		}
		var asked struct{ Email string }
		_ = json.Unmarshal([]byte(body), &asked) // what was refused is perhaps no JSON
		address, err := validation.ParseEmail(asked.Email)
		switch u, _ := url.Parse(answer.SubmitURL); {
		case rec.Code == http.StatusOK:
			if len(answer.SID) != 32 || u == nil || !u.IsAbs() || (err != nil && strings.Contains(path, "email")) {
				t.Errorf("%s %q: got %s", path, body, rec.Body)
			}
		case rec.Code != http.StatusBadRequest && rec.Code != http.StatusRequestEntityTooLarge, !strings.HasPrefix(answer.Errcode, "M_"), answer.Error == "":
			t.Errorf("%s %q: got %d %s", path, body, rec.Code, rec.Body)
		}
		for _, m := range mails.All()[before:] {
			if m.To != address || rec.Code != http.StatusOK {
				t.Errorf("%s %q: got %d %s, and a mail to %s", path, body, rec.Code, rec.Body, m.To)
			}
		}
	})
}
