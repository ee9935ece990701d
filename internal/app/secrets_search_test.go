package app_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
)

// planted is a secret of the story.
type planted struct {
	kind, value string
	answer      int // the one that hands it out; -1: none
	mail        int // the mail that carries it; -1: none
	text        int // the text message that carries it; -1: none
}

// short reports whether the secret is so short that it stands by chance within longer
// numbers.
func (p planted) short() bool { return len(p.value) < 8 }

var minted = regexp.MustCompile(`nxt_[a-z]_[A-Za-z0-9_-]{38}`)

// forms are all ways to write a secret that are looked for.
func (p planted) forms() (forms []string) {
	if p.short() {
		return []string{p.value}
	}
	values := []string{p.value}
	if minted.MatchString(p.value) {
		random := p.value[len("nxt_x_"):]
		raw, _ := base64.RawURLEncoding.DecodeString(random[:32]) // of that alphabet
		values = append(values, random, string(raw))
	}
	if p.kind == "recovery code" {
		values = append(values, strings.ReplaceAll(p.value, "-", ""))
	}
	for _, v := range values {
		whole := v[:len(v)/3*3] // what follows shares its last character with the rest
		forms = append(forms, v, url.QueryEscape(v), url.PathEscape(v), html.EscapeString(v),
			hex.EncodeToString([]byte(v)), strings.ToUpper(hex.EncodeToString([]byte(v))),
			base64.RawStdEncoding.EncodeToString([]byte(whole)), base64.RawURLEncoding.EncodeToString([]byte(whole)))
	}
	slices.Sort(forms)
	return slices.Compact(forms)
}

// in reports whether a text has the secret in any form.
func (p planted) in(text []byte) bool {
	for _, form := range p.forms() {
		if p.short() {
			if alone(text, form) {
				return true
			}
		} else if bytes.Contains(text, []byte(form)) {
			return true
		}
	}
	return false
}

// alone reports whether a text has a word with no letter or digit on either side.
func alone(text []byte, word string) bool {
	joins := func(i int) bool {
		return i >= 0 && i < len(text) && (text[i] >= '0' && text[i] <= '9' || text[i] >= 'a' && text[i] <= 'z' || text[i] >= 'A' && text[i] <= 'Z')
	}
	for at := 0; ; {
		i := bytes.Index(text[at:], []byte(word))
		if i < 0 {
			return false
		}
		if at += i; !joins(at-1) && !joins(at+len(word)) {
			return true
		}
		at++
	}
}

// told is an answer of the server.
type told struct {
	request  string // method and path
	location string // the header
	all      []byte // header and body
}

// eavesdropper stands before a server, hears every answer, and collects the secrets
// that everybody is told.
type eavesdropper struct {
	t *testing.T

	mu      sync.Mutex
	srv     *apitest.Server
	answers []told
	secrets []planted
	met     map[exception]bool
}

// eavesdrop makes the clients of a server that is yet to begin go through an
// eavesdropper. The test then gives it the server.
func eavesdrop(t *testing.T) (*eavesdropper, func(*config.Config)) {
	e := &eavesdropper{t: t, met: map[exception]bool{}}
	front := httptest.NewServer(e)
	t.Cleanup(front.Close)
	return e, func(cfg *config.Config) { cfg.PublicURL = front.URL }
}

// ServeHTTP has the server answer, and keeps what it says.
func (e *eavesdropper) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := httptest.NewRecorder()
	e.srv.App.ServeHTTP(rec, r)
	var header bytes.Buffer
	_ = rec.Header().Write(&header) // to memory
	e.hear(told{request: r.Method + " " + r.URL.Path, location: rec.Header().Get("Location"), all: append(header.Bytes(), rec.Body.Bytes()...)})
	for _, c := range rec.Result().Cookies() {
		if c.Value != "" {
			e.handed("cookie", c.Value)
		}
	}
	for name, values := range rec.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(rec.Code)
	_, _ = w.Write(rec.Body.Bytes()) // the client may have given up
}

// kinds are those of the tokens that this server mints, by the letter in them.
var kinds = map[byte]string{
	'a': "access token", 'r': "refresh token", 'l': "login token", 'o': "OpenID token", 'c': "authorization code", 'd': "device code",
	'b': "cookie", 's': "cookie", 'i': "identity token", 'f': "link of the first administrator",
}

// shown are further secrets, as answers show them.
var shown = map[string]*regexp.Regexp{
	"user code":           regexp.MustCompile(`"user_code":"([^"]+)"`),
	"interactive session": regexp.MustCompile(`"session":"([^"]+)"`),
	"nonce":               regexp.MustCompile(`"nonce":"([^"]+)"`),
	"TOTP secret":         regexp.MustCompile(`name="secret" value="([A-Z2-7]{32})"`),
	"recovery code":       regexp.MustCompile(`\b([0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4}-[0-9a-z]{4})\b`),
	"mailbox of devices":  regexp.MustCompile(`\A(?s:.*)"id":"([^"]{20,})"(?s:.*)"sequence_token"`),
}

// hear keeps an answer and what is secret in it.
func (e *eavesdropper) hear(answer told) {
	e.mu.Lock()
	e.answers = append(e.answers, answer)
	e.mu.Unlock()
	for _, token := range minted.FindAllString(string(answer.all), -1) {
		e.handed(kinds[token[4]], token)
	}
	for kind, pattern := range shown {
		for _, m := range pattern.FindAllSubmatch(answer.all, -1) {
			e.handed(kind, string(m[1]))
		}
	}
}

// handed keeps a secret that the last answer hands out, unless it is known.
func (e *eavesdropper) handed(kind, value string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(planted{kind: kind, value: value, answer: len(e.answers) - 1, mail: -1, text: -1})
}

// typed keeps a secret that no answer may have, and gives it.
func (e *eavesdropper) typed(kind, value string) string {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.add(planted{kind: kind, value: value, answer: -1, mail: -1, text: -1})
	return value
}

func (e *eavesdropper) add(p planted) {
	if !slices.ContainsFunc(e.secrets, func(known planted) bool { return known.value == p.value }) {
		e.secrets = append(e.secrets, p)
	}
}

// written keeps the secrets in mails and text messages.
func (e *eavesdropper) written(mails []apitest.Mail, texts []string) {
	for i, m := range mails {
		for _, link := range regexp.MustCompile(`http://\S+token=\S+`).FindAllString(m.Text, -1) {
			u, err := url.Parse(link)
			if err != nil {
				e.t.Fatal(err)
			}
			e.add(planted{kind: "mail token", value: u.Query().Get("token"), answer: -1, mail: i, text: -1})
			e.add(planted{kind: "client_secret", value: u.Query().Get("client_secret"), answer: -1, mail: i, text: -1})
		}
	}
	for i, text := range texts {
		code, _, _ := strings.Cut(text, " ")
		e.add(planted{kind: "SMS code", value: code, answer: -1, mail: -1, text: i})
	}
}

// finding fails the test unless the design allows a kind of secret in a place.
func (e *eavesdropper) finding(p planted, place string) {
	e.t.Helper()
	if i := slices.IndexFunc(byDesign, func(x exception) bool { return x.kind == p.kind && x.place == place }); i >= 0 {
		e.met[byDesign[i]] = true
		return
	}
	e.t.Errorf("%s: there is a secret, the %s %q", place, p.kind, p.value)
}

// metAllExceptions holds that no exception is more than is needed. What is in a file
// depends on which pages were used again.
func (e *eavesdropper) metAllExceptions() {
	e.t.Helper()
	for _, x := range byDesign {
		if x.place != ofSQLite && !e.met[x] {
			e.t.Errorf("%s: there is no %s, so it needs no exception", x.place, x.kind)
		}
	}
}

const ofSQLite = "file of SQLite"

// look looks for every secret in one place.
func (e *eavesdropper) look(place string, text []byte) {
	e.t.Helper()
	for _, p := range e.secrets {
		if p.in(text) {
			e.finding(p, place)
		}
	}
}

// lookAtAnswers holds that an answer has only the secrets that it hands out.
func (e *eavesdropper) lookAtAnswers() {
	e.t.Helper()
	for i, a := range e.answers {
		for _, p := range e.secrets {
			if p.in([]byte(a.location)) {
				e.finding(p, "Location of "+a.request)
			}
			if p.answer != i && p.in(a.all) {
				e.finding(p, a.request)
			}
		}
	}
}

// lookAtMessages holds that a message has only the secrets that it is to carry.
func (e *eavesdropper) lookAtMessages(mails []apitest.Mail, texts []string) {
	e.t.Helper()
	for _, p := range e.secrets {
		for i, m := range mails {
			if p.mail != i && p.in(fmt.Append(nil, m.Header, m.Subject, m.Text)) {
				e.finding(p, "mail: "+m.Subject)
			}
		}
		for i, text := range texts {
			if p.text != i && p.in([]byte(text)) {
				e.finding(p, "text message")
			}
		}
	}
}

// lookAtDatabase looks into every column of every table.
func (e *eavesdropper) lookAtDatabase() {
	e.t.Helper()
	columns := 0
	err := e.srv.App.DB.Read(e.t.Context(), func(tx *db.Tx) error {
		all, err := columnsOf(tx, e.srv.App.DB.Dialect())
		for _, c := range all {
			values, err := db.All(tx, db.Scalar[string], c.read)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			for _, value := range values {
				raw, err := hex.DecodeString(value)
				if err != nil {
					return err
				}
				e.look(c.name, raw)
			}
		}
		columns = len(all)
		return err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	if columns < 300 {
		e.t.Errorf("there are only %d columns", columns)
	}
}

// column is a column of a table, with the statement that reads it as hexadecimal bytes.
type column struct{ name, read string }

func columnsOf(tx *db.Tx, dialect db.Dialect) ([]column, error) {
	list := `SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY 1, 2`
	if dialect == db.SQLite {
		list = `SELECT m.name, c.name, 'any' FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' ORDER BY 1, 2`
	}
	return db.All(tx, func(r db.Row) (column, error) {
		var table, name, kind string
		err := r.Scan(&table, &name, &kind)
		as := map[string]string{"any": `hex(CAST("%s" AS BLOB))`, "bytea": `encode("%s", 'hex')`}[kind]
		if as == "" {
			as = `encode(convert_to("%s"::text, 'UTF8'), 'hex')`
		}
		return column{name: table + "." + name, read: fmt.Sprintf(`SELECT `+as+` FROM "%s" WHERE "%s" IS NOT NULL`, name, table, name)}, err
	}, list)
}

// lookAtFiles looks into the files of SQLite, in which there is also what was deleted.
func (e *eavesdropper) lookAtFiles() {
	e.t.Helper()
	if e.srv.App.DB.Dialect() != db.SQLite {
		return
	}
	if err := e.srv.App.DB.Checkpoint(e.t.Context()); err != nil {
		e.t.Fatal(err)
	}
	for _, suffix := range []string{"", "-wal"} {
		raw, err := os.ReadFile(e.srv.App.Config.DatabaseSource() + suffix)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			e.t.Fatal(err)
		}
		for _, p := range e.secrets {
			if !p.short() && p.in(raw) {
				e.finding(p, ofSQLite)
			}
		}
	}
}

func decodeInto(t *testing.T, r *apitest.Response, v any) {
	t.Helper()
	if err := json.Unmarshal(r.Body, v); err != nil {
		t.Fatalf("%v in %d %s", err, r.Status, r.Body)
	}
}

func base32Bytes(t *testing.T, text string) []byte {
	t.Helper()
	raw, err := base32.StdEncoding.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}
