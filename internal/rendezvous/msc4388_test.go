package rendezvous_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/accounts"
	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/id"
)

// mailbox is a session of MSC4388 as its clients see it.
type mailbox struct {
	ID            string `json:"id"`
	Data          string `json:"data"`
	SequenceToken string `json:"sequence_token"`
	ExpiresInMS   int64  `json:"expires_in_ms"`
}

type object = map[string]any

func open(c *config.Config) { c.Rendezvous.Mode = "open" }

// makeMailbox makes a session of MSC4388.
func makeMailbox(t testing.TB, as *apitest.Client, at, data string) (m mailbox) {
	t.Helper()
	as.Do(t, "POST", at, object{"data": data}).OK(t, &m)
	return m
}

func readMailbox(t testing.TB, srv *apitest.Server, path string) (m mailbox) {
	t.Helper()
	r := srv.Anyone().Do(t, "GET", path, nil).OK(t, &m)
	if r.Header.Get("Content-Type") != "application/json" || !strings.Contains(r.Header.Get("Cache-Control"), "no-store") || r.Header.Get("ETag") != "" || r.Header.Get("Expires") != "" {
		t.Errorf("Z2-21: %v", r.Header)
	}
	return m
}

func guest(t testing.TB, srv *apitest.Server) *apitest.Client {
	t.Helper()
	userID, err := id.NewUserID("12", apitest.ServerName)
	if err != nil {
		t.Fatal(err)
	}
	err = srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		return srv.App.Accounts.Insert(tx, accounts.Account{UserID: userID, Guest: true})
	})
	if err != nil {
		t.Fatal(err)
	}
	return srv.Device(t, userID, "GUEST")
}

func TestZ23to6_WhoMayBegin(t *testing.T) {
	usual, opened := apitest.New(t), apitest.New(t, open)
	for _, at := range []string{unstableJSON, stable} {
		var cases []apitest.Case
		add := func(name string, as *apitest.Client, method, answer string, want *errcode.Code) {
			c := apitest.Case{Name: at + " " + name, As: as, Do: method, Path: at, Want: want, Has: []string{answer}}
			if method == "POST" {
				c.Body = object{"data": ""}
			}
			cases = append(cases, c)
		}
		alice, strange := usual.User(t, "alice"+strings.ReplaceAll(at, "/", ".")), &apitest.Client{Server: usual, Token: "nobody's"}
		add("Z2-3 a user", alice, "GET", `{"create_available":true}`, nil)
		add("Z2-3 anyone, where it is open", opened.Anyone(), "GET", `{"create_available":true}`, nil)
		add("Z2-4 anyone", usual.Anyone(), "GET", `{"create_available":false}`, nil)
		add("Z2-4 a bad token", strange, "GET", "", errcode.UnknownToken)
		add("Z2-4 a bad token, where it is open", &apitest.Client{Server: opened, Token: "x"}, "GET", "", errcode.UnknownToken)
		add("Z2-6 a user", alice, "POST", `"sequence_token":"`, nil)
		add("Z2-6 anyone, where it is open", opened.Anyone(), "POST", `"sequence_token":"`, nil)
		add("Z2-6 Z2-20 anyone", usual.Anyone(), "POST", "", errcode.MissingToken)
		add("Z2-6 a bad token", strange, "POST", "", errcode.UnknownToken)
		apitest.Run(t, cases)
		fails(t, usual.Anyone(), "POST", at, `{"data":`, errcode.MissingToken) // Z2-6 before Z2-7
	}
	visitor := guest(t, usual)
	for _, at := range []string{unstableJSON, stable} {
		fails(t, visitor, "GET", at, nil, errcode.Forbidden)                 // Z2-5
		fails(t, visitor, "POST", at, object{"data": ""}, errcode.Forbidden) // Z2-6
	}
	status(t, with(visitor, "Content-Type", "text/plain").Do(t, "POST", stable, ""), 201) // MSC4108 knows no users
}

func TestZ27to8_Bodies(t *testing.T) {
	srv := apitest.New(t, open)
	anyone := srv.Anyone()
	for _, at := range []string{unstableJSON, stable} {
		session := at + "/" + makeMailbox(t, anyone, at, "first").ID
		full := strings.Repeat("é", 2048)
		for _, c := range []struct {
			name, data string
			want       *errcode.Code
		}{
			{"Z2-7 not JSON", `{"data":`, errcode.NotJSON},
			{"Z2-7 no object", `[]`, errcode.BadJSON},
			{"Z2-7 twice", `{"data":"a","data":"b"}`, errcode.BadJSON},
			{"Z2-7 no data", `{"sequence_token":"x"}`, errcode.MissingParam},
			{"Z2-7 a number", `{"sequence_token":"x","data":1}`, errcode.InvalidParam},
			{"Z2-7 null", `{"sequence_token":"x","data":null}`, errcode.InvalidParam},
			{"Z2-7 an object", `{"sequence_token":"x","data":{}}`, errcode.InvalidParam},
			{"Z2-8 too large", `{"sequence_token":"x","data":"` + full + `x"}`, errcode.TooLarge},
			{"Z2-8 too large to be read", `{"sequence_token":"x","data":"","more":"` + strings.Repeat("x", 64<<10) + `"}`, errcode.TooLarge},
		} {
			t.Run(at+" "+c.name, func(t *testing.T) {
				fails(t, anyone, "POST", at, c.data, c.want)
				fails(t, anyone, "PUT", session, c.data, c.want)
				fails(t, anyone, "PUT", at+"/unknown", c.data, c.want) // before Z2-10
			})
		}
		fails(t, anyone, "PUT", session, `{"data":"x"}`, errcode.MissingParam)
		fails(t, anyone, "PUT", session, `{"data":"x","sequence_token":7}`, errcode.InvalidParam)
		for _, data := range []string{"", full, "\x00 \u2028 \"", "👋"} {
			m := makeMailbox(t, anyone, at, data)
			if got := readMailbox(t, srv, at+"/"+m.ID); got.Data != data {
				t.Errorf("got %q, want %q", got.Data, data)
			}
		}
	}
}

func TestZ29to13_Write(t *testing.T) {
	srv := apitest.New(t, open)
	anyone := srv.Anyone()
	grammar := regexp.MustCompile(`^[0-9A-Za-z._~-]{22,255}$`) // Z2-18, RZ-31
	for at, stale := range map[string]*errcode.Code{unstableJSON: errcode.StaleSequenceUnstable, stable: errcode.StaleSequence} {
		m := makeMailbox(t, anyone, at, "first")
		if !grammar.MatchString(m.ID) || !grammar.MatchString(m.SequenceToken) || m.ExpiresInMS < 299_000 || m.ExpiresInMS > 300_000 {
			t.Errorf("Z2-9: %+v", m)
		}
		session := at + "/" + m.ID
		write := func(token, data string) (written mailbox) {
			t.Helper()
			anyone.Do(t, "PUT", session, object{"sequence_token": token, "data": data}).OK(t, &written)
			if want := readMailbox(t, srv, session); want.SequenceToken != written.SequenceToken || want.Data != data {
				t.Errorf("wrote %q with %q, and there is %+v", data, written.SequenceToken, want)
			}
			return written
		}
		second := write(m.SequenceToken, "second")
		again := write(second.SequenceToken, "second")
		if second.SequenceToken == m.SequenceToken || again.SequenceToken == second.SequenceToken || !grammar.MatchString(second.SequenceToken) {
			t.Errorf("Z2-11: %q, %q, %q", m.SequenceToken, second.SequenceToken, again.SequenceToken)
		}
		for _, token := range []string{m.SequenceToken, second.SequenceToken, "", "never seen"} {
			if got := write(token, "second"); got.SequenceToken != again.SequenceToken {
				t.Errorf("Z2-12: a retry with %q advanced to %q", token, got.SequenceToken)
			}
			fails(t, anyone, "PUT", session, object{"sequence_token": token, "data": "third"}, stale) // Z2-13
		}
		if got := readMailbox(t, srv, session); got.Data != "second" || got.SequenceToken != again.SequenceToken {
			t.Errorf("Z2-13: %+v", got)
		}
		fails(t, anyone, "PUT", at+"/unknown", object{"sequence_token": "x", "data": "x"}, errcode.NotFound) // Z2-10
		fails(t, anyone, "PUT", at+"/%20", object{"sequence_token": "x", "data": "x"}, errcode.NotFound)     // Z2-10
		fails(t, anyone, "PUT", at+"/%ff", object{"sequence_token": "x", "data": "x"}, errcode.InvalidParam)
	}
}

func TestZ214_Z215_Z216_Z219_ReadAndRemove(t *testing.T) {
	srv := apitest.New(t)
	alice, anyone := srv.User(t, "alice"), srv.Anyone()
	for _, at := range []string{unstableJSON, stable} {
		session := at + "/" + makeMailbox(t, alice, at, "first").ID
		cases := []apitest.Case{
			{Name: "Z2-14 Z2-22 a script", As: with(anyone, "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "cross-site"), Do: "GET", Path: session, Has: []string{`"data":"first"`, `"expires_in_ms":`}, HasNot: []string{"expires_ts"}},
			{Name: "Z2-17 a stranger", As: &apitest.Client{Server: srv, Token: "nobody's"}, Do: "GET", Path: session, Has: []string{`"data":"first"`}},
			{Name: "Z2-14 before the look-up", As: with(anyone, "Sec-Fetch-Site", "none"), Do: "GET", Path: at + "/unknown", Want: errcode.Forbidden},
			{Name: "Z2-10 unknown", As: anyone, Do: "GET", Path: at + "/unknown", Want: errcode.NotFound},
			{Name: "Z2-10 no id", As: anyone, Do: "GET", Path: at + "/%ff", Want: errcode.NotFound},
			{Name: "Z2-16 unknown", As: anyone, Do: "DELETE", Path: at + "/unknown", Want: errcode.NotFound},
			{Name: "Z2-16 of the other generation", As: anyone, Do: "DELETE", Path: unstableETag + strings.TrimPrefix(session, at), Want: errcode.NotFound},
		}
		for _, header := range []string{"Sec-Fetch-Dest: document", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Site: none"} {
			name, value, _ := strings.Cut(header, ": ")
			cases = append(cases, apitest.Case{Name: "Z2-14 " + header, As: with(anyone, name, value), Do: "GET", Path: session, Want: errcode.Forbidden, HasNot: []string{"first"}})
		}
		apitest.Run(t, append(cases,
			apitest.Case{Name: "Z2-16 live", As: anyone, Do: "DELETE", Path: session, Has: []string{"{}"}},
			apitest.Case{Name: "Z2-16 no more", As: anyone, Do: "DELETE", Path: session, Want: errcode.NotFound},
			apitest.Case{Name: "Z2-16 nor to read", As: anyone, Do: "GET", Path: session, Want: errcode.NotFound},
			apitest.Case{Name: "Z2-16 nor to write", As: anyone, Do: "PUT", Path: session, Body: object{"sequence_token": "x", "data": "x"}, Want: errcode.NotFound},
		))
	}
}

func TestZ219_NothingExtendsTheLifetime(t *testing.T) {
	for configured, want := range map[time.Duration]time.Duration{5 * time.Minute: 5 * time.Minute, 10 * time.Minute: 5 * time.Minute, time.Minute: time.Minute} {
		srv := apitest.New(t, open, func(c *config.Config) { c.Rendezvous.Lifetime = config.Duration(configured) })
		m := makeMailbox(t, srv.Anyone(), unstableJSON, "")
		session := unstableJSON + "/" + m.ID
		srv.Advance(want - 20*time.Second)
		srv.Anyone().Do(t, "PUT", session, object{"sequence_token": m.SequenceToken, "data": "x"}).OK(t, nil)
		if left := readMailbox(t, srv, session).ExpiresInMS; left < 15_000 || left > 20_000 {
			t.Errorf("%v: %d ms are left, want 20 seconds", configured, left)
		}
		srv.Advance(20 * time.Second)
		fails(t, srv.Anyone(), "GET", session, nil, errcode.NotFound)
		fails(t, srv.Anyone(), "PUT", session, object{"sequence_token": "x", "data": "x"}, errcode.NotFound)
		fails(t, srv.Anyone(), "DELETE", session, nil, errcode.NotFound)
	}
}

// TestZ217_BothPathsLeadToTheSameSession: the code in front of the person does not
// say which path made it.
func TestZ217_BothPathsLeadToTheSameSession(t *testing.T) {
	srv := apitest.New(t, open)
	m := makeMailbox(t, srv.Anyone(), unstableJSON, "first")
	if got := readMailbox(t, srv, stable+"/"+m.ID); got.Data != "first" {
		t.Errorf("got %+v", got)
	}
}
