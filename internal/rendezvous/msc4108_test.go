package rendezvous_test

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// current fails the test unless the answer says how its session stands, as all of
// MSC4108 do, and gives the ETag and the time of expiry.
func current(t testing.TB, r *apitest.Response) (etag string, expires time.Time) {
	t.Helper()
	etag = r.Header.Get("ETag")
	if !regexp.MustCompile(`^"[0-9A-Za-z_-]{43}"$`).MatchString(etag) {
		t.Errorf("ETag: %s", etag)
	}
	for name, want := range map[string]string{"Cache-Control": "no-store, no-transform", "Pragma": "no-cache", "X-Content-Type-Options": "nosniff",
		"Access-Control-Allow-Origin": "*"} {
		if got := r.Header.Get(name); got != want {
			t.Errorf("%s: got %q, want %q", name, got, want)
		}
	}
	if !strings.Contains(r.Header.Get("Access-Control-Expose-Headers"), "ETag") {
		t.Error("the ETag is not exposed")
	}
	for _, name := range []string{"Expires", "Last-Modified"} {
		at, err := time.Parse(http.TimeFormat, r.Header.Get(name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if name == "Expires" {
			expires = at
		}
	}
	return etag, expires
}

func TestRZ9_Create(t *testing.T) {
	srv := apitest.New(t)
	for _, at := range []string{unstableETag, stable} {
		for _, data := range []string{"", "hello", "\x00\xff"} {
			r := status(t, plain(srv).Do(t, "POST", at, data), 201)
			current(t, r)
			var body map[string]string
			decode(t, r, &body)
			if r.Header.Get("Content-Type") != "application/json" || len(body) != 1 || !strings.HasPrefix(body["url"], srv.URL+unstableETag+"/") {
				t.Errorf("D-RZ2: got %s of %s", r.Body, r.Header.Get("Content-Type"))
			}
			id := strings.TrimPrefix(body["url"], srv.URL+unstableETag+"/")
			if !regexp.MustCompile(`^[0-9A-Za-z._~-]{22,255}$`).MatchString(id) {
				t.Errorf("RZ-31: the id is %q", id)
			}
			if got := status(t, srv.Anyone().Do(t, "GET", unstableETag+"/"+id, nil), 200); string(got.Body) != data {
				t.Errorf("got %q, want %q", got.Body, data)
			}
		}
	}
}

// TestRZ5to8_WhatIsWritten sends, to each endpoint that takes a message, what is no
// message. The requests without Content-Length are in a test of their own.
func TestRZ5to8_WhatIsWritten(t *testing.T) {
	srv := apitest.New(t)
	session, etag := created(t, srv, unstableETag, "first")
	for _, c := range []struct{ name, method, path string }{
		{"create", "POST", unstableETag}, {"create by the stable path", "POST", stable}, {"write", "PUT", session},
	} {
		as := with(plain(srv), "If-Match", etag)
		apitest.Run(t, []apitest.Case{
			{Name: c.name + " RZ-6 too large", As: as, Do: c.method, Path: c.path, Body: strings.Repeat("x", 10241), Want: errcode.TooLarge},
			{Name: c.name + " RZ-6 before RZ-7", As: with(as, "Content-Type", ""), Do: c.method, Path: c.path, Body: strings.Repeat("x", 10241), Want: errcode.TooLarge},
			{Name: c.name + " RZ-7 no type", As: with(as, "Content-Type", ""), Do: c.method, Path: c.path, Body: "x", Want: errcode.MissingParam, Has: []string{"Content-Type"}},
			{Name: c.name + " RZ-8 another type", As: with(as, "Content-Type", "text/html"), Do: c.method, Path: c.path, Body: "x", Want: errcode.InvalidParam},
			{Name: c.name + " RZ-8 no type at all", As: with(as, "Content-Type", "text"), Do: c.method, Path: c.path, Body: "x", Want: errcode.InvalidParam},
			{Name: c.name + " RZ-8 types", As: with(as, "Content-Type", "text/plain, text/plain"), Do: c.method, Path: c.path, Body: "x", Want: errcode.InvalidParam},
		})
	}
	if r := status(t, srv.Anyone().Do(t, "GET", session, nil), 200); string(r.Body) != "first" || r.Header.Get("ETag") != etag {
		t.Error("what was refused has been written")
	}
	as := with(plain(srv), "Content-Type", "Text/Plain; charset=utf-8", "If-Match", etag)
	status(t, as.Do(t, "PUT", session, strings.Repeat("x", 10240)), 202) // RZ-28: this is as large as may be
	if r := status(t, srv.Anyone().Do(t, "GET", session, nil), 200); r.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("RZ-14: the type is %q", r.Header.Get("Content-Type"))
	}
}

func TestRZ28_LargestMessageAsConfigured(t *testing.T) {
	srv := apitest.New(t, func(c *config.Config) { c.Rendezvous.MaxPayload = 4096 })
	created(t, srv, unstableETag, strings.Repeat("x", 4096))
	fails(t, plain(srv), "POST", unstableETag, strings.Repeat("x", 4097), errcode.TooLarge)
}

func TestRZ10to14_Read(t *testing.T) {
	srv := apitest.New(t)
	anyone := srv.Anyone()
	session, etag := created(t, srv, unstableETag, "first")
	for _, c := range []struct {
		name    string
		as      *apitest.Client
		status  int
		changed bool
	}{
		{"RZ-14 the first time", anyone, 200, true},
		{"RZ-13 nothing new", with(anyone, "If-None-Match", etag), 304, false},
		{"RZ-14 another tag", with(anyone, "If-None-Match", `"x"`), 200, true},
		{"RZ-10 a script of another site", with(anyone, "Sec-Fetch-Dest", "empty", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Site", "cross-site"), 200, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := status(t, c.as.Do(t, "GET", session, nil), c.status)
			if got, _ := current(t, r); got != etag {
				t.Errorf("RZ-34: ETag %s", got)
			}
			if c.changed != (string(r.Body) == "first") || c.changed != (r.Header.Get("Content-Type") == "text/plain") {
				t.Errorf("got %q of %q", r.Body, r.Header.Get("Content-Type"))
			}
		})
	}
	cases := []apitest.Case{
		{Name: "RZ-12 unknown", As: anyone, Do: "GET", Path: unstableETag + "/unknown", Want: errcode.NotFound},
		{Name: "RZ-12 no id", As: anyone, Do: "GET", Path: unstableETag + "/%ff%00", Want: errcode.NotFound},
		{Name: "RZ-12 endless", As: anyone, Do: "GET", Path: unstableETag + "/" + strings.Repeat("x", 256), Want: errcode.NotFound},
		{Name: "RZ-10 before RZ-12", As: with(anyone, "Sec-Fetch-Mode", "navigate"), Do: "GET", Path: unstableETag + "/unknown", Want: errcode.Forbidden},
		{Name: "RZ-11 before RZ-12", As: with(anyone, "If-None-Match", "x"), Do: "GET", Path: unstableETag + "/unknown", Want: errcode.InvalidParam},
	}
	for _, header := range []string{"Sec-Fetch-Dest: document", "Sec-Fetch-Dest: iframe", "Sec-Fetch-Mode: navigate", "Sec-Fetch-User: ?1", "Sec-Fetch-Site: none"} {
		name, value, _ := strings.Cut(header, ": ")
		cases = append(cases, apitest.Case{Name: "RZ-10 " + header, As: with(anyone, name, value), Do: "GET", Path: session, Want: errcode.Forbidden, HasNot: []string{"first"}})
	}
	apitest.Run(t, cases)
}

// TestRZ24_EntityTags sends what is no entity tag, reading and writing.
func TestRZ24_EntityTags(t *testing.T) {
	srv := apitest.New(t)
	session, etag := created(t, srv, unstableETag, "first")
	for name, values := range map[string][]string{
		"unquoted": {strings.Trim(etag, `"`)}, "weak": {"W/" + etag}, "any": {"*"}, "list": {etag + ", " + etag}, "repeated": {etag, etag},
		"no tag": {`""`}, "a quote": {`"`}, "unclosed": {etag[:len(etag)-1]}, "space": {`"a b"`}, "a header without value": {""},
	} {
		t.Run(name, func(t *testing.T) {
			read, write := srv.Anyone(), plain(srv)
			read.Header, write.Header["If-Match"] = http.Header{"If-None-Match": values}, values
			fails(t, read, "GET", session, nil, errcode.InvalidParam)            // RZ-11
			fails(t, write, "PUT", session, "x", errcode.InvalidParam)           // RZ-17
			fails(t, write, "PUT", unstableETag+"/x", "x", errcode.InvalidParam) // before RZ-18
			fails(t, read, "GET", unstableETag+"/x", nil, errcode.InvalidParam)  // before RZ-12
		})
	}
	put(t, srv, session, etag, "second")
}

func TestRZ15to20_Write(t *testing.T) {
	srv := apitest.New(t)
	for _, c := range []struct {
		path  string
		stale *errcode.Code
	}{{unstableETag, errcode.StaleETagUnstable}, {stable, errcode.StaleETag}} {
		session, first := created(t, srv, c.path, "first")
		r := status(t, with(plain(srv), "If-Match", first).Do(t, "PUT", session, "second"), 202)
		second, _ := current(t, r)
		if len(r.Body) > 0 || r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("Content-Length") != "0" || second == first {
			t.Errorf("RZ-20: got %q, %v", r.Body, r.Header)
		}
		fails(t, plain(srv), "PUT", session, "x", errcode.MissingParam)                                    // RZ-16
		fails(t, with(plain(srv), "If-None-Match", second), "PUT", session, "x", errcode.MissingParam)     // RZ-35
		fails(t, with(plain(srv), "ETag", second), "PUT", session, "x", errcode.MissingParam)              // RZ-35
		fails(t, with(plain(srv), "If-Match", second), "PUT", unstableETag+"/none", "x", errcode.NotFound) // RZ-18
		fails(t, with(plain(srv), "If-Match", second), "PUT", unstableETag+"/%ff", "x", errcode.NotFound)  // RZ-18
		conflict := fails(t, with(plain(srv), "If-Match", first), "PUT", session, "third", c.stale)        // RZ-19
		if got, _ := current(t, conflict); got != second {
			t.Errorf("RZ-19: the ETag is %s, want the current one, %s", got, second)
		}
		if r := status(t, srv.Anyone().Do(t, "GET", session, nil), 200); string(r.Body) != "second" {
			t.Errorf("RZ-27: got %q", r.Body)
		}
	}
}

// TestRZ19_Bodies writes the two forms of a conflict out.
func TestRZ19_Bodies(t *testing.T) {
	srv := apitest.New(t)
	for path, want := range map[string]map[string]string{
		stable:       {"errcode": "M_CONCURRENT_WRITE"},
		unstableETag: {"errcode": "M_UNKNOWN", "org.matrix.msc4108.errcode": "M_CONCURRENT_WRITE"},
	} {
		session, _ := created(t, srv, path, "")
		var got map[string]string
		if err := json.Unmarshal(with(plain(srv), "If-Match", `"x"`).Do(t, "PUT", session, "x").Body, &got); err != nil {
			t.Fatal(err)
		}
		if got["errcode"] != want["errcode"] || got["org.matrix.msc4108.errcode"] != want["org.matrix.msc4108.errcode"] {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestRZ25_NoTwoTagsAreEqual(t *testing.T) {
	srv := apitest.New(t)
	seen := map[string]bool{}
	for range 2 {
		session, etag := created(t, srv, unstableETag, "same")
		for range 3 {
			if seen[etag] {
				t.Errorf("%s is there twice", etag)
			}
			seen[etag] = true
			etag = put(t, srv, session, etag, "same")
		}
	}
}

func TestRZ21to23_Remove(t *testing.T) {
	srv := apitest.New(t)
	anyone := srv.Anyone()
	session, etag := created(t, srv, unstableETag, "first")
	apitest.Run(t, []apitest.Case{
		{Name: "RZ-23 no POST", As: plain(srv), Do: "POST", Path: session, Body: "x", Want: errcode.WrongMethod},
		{Name: "RZ-23 no PATCH", As: plain(srv), Do: "PATCH", Path: session, Body: "x", Want: errcode.WrongMethod},
		{Name: "RZ-23 no GET of all", As: anyone, Do: "GET", Path: unstableETag, Want: errcode.WrongMethod},
		{Name: "RZ-22 unknown", As: anyone, Do: "DELETE", Path: unstableETag + "/unknown", Want: errcode.NotFound},
		{Name: "RZ-22 no id", As: anyone, Do: "DELETE", Path: unstableETag + "/%ff", Want: errcode.NotFound},
		{Name: "RZ-22 of the other generation", As: anyone, Do: "DELETE", Path: unstableJSON + strings.TrimPrefix(session, unstableETag), Want: errcode.NotFound},
		{Name: "RZ-21 live", As: anyone, Do: "DELETE", Path: session, Status: 204},
		{Name: "RZ-21 then no DELETE", As: anyone, Do: "DELETE", Path: session, Want: errcode.NotFound},
		{Name: "RZ-21 then no GET", As: anyone, Do: "GET", Path: session, Want: errcode.NotFound},
		{Name: "RZ-21 then no PUT", As: with(plain(srv), "If-Match", etag), Do: "PUT", Path: session, Body: "x", Want: errcode.NotFound},
	})
}

func TestRZ29_Lifetime(t *testing.T) {
	srv := apitest.New(t)
	session, etag := created(t, srv, unstableETag, "first")
	_, begun := current(t, status(t, srv.Anyone().Do(t, "GET", session, nil), 200))
	srv.Advance(200 * time.Second)
	etag = put(t, srv, session, etag, "second")
	_, later := current(t, status(t, srv.Anyone().Do(t, "GET", session, nil), 200))
	if d := later.Sub(begun); d < 199*time.Second || d > 202*time.Second {
		t.Errorf("a write after 200 s moved the expiry by %v", d)
	}
	srv.Advance(299 * time.Second)
	etag = put(t, srv, session, etag, "third")
	_, last := current(t, status(t, srv.Anyone().Do(t, "GET", session, nil), 200))
	if d := last.Sub(begun); d < 299*time.Second || d > 301*time.Second {
		t.Errorf("the session ends %v after its first window, want twice its lifetime in all", d)
	}
	srv.Advance(102 * time.Second)
	fails(t, srv.Anyone(), "GET", session, nil, errcode.NotFound)
	fails(t, with(plain(srv), "If-Match", etag), "PUT", session, "x", errcode.NotFound)
	fails(t, srv.Anyone(), "DELETE", session, nil, errcode.NotFound)

	unread, _ := created(t, srv, unstableETag, "")
	srv.Advance(301 * time.Second)
	fails(t, srv.Anyone(), "GET", unread, nil, errcode.NotFound)
	srv.RunJobs(t)
	fails(t, srv.Anyone(), "GET", unread, nil, errcode.NotFound)
}

// TestRZ33_CORS holds that a script of any site may do all of it, and see errors.
func TestRZ33_CORS(t *testing.T) {
	srv := apitest.New(t)
	session, etag := created(t, srv, unstableETag, "")
	for name, r := range map[string]*apitest.Response{
		"preflight of create": srv.Anyone().Do(t, "OPTIONS", unstableETag, nil),
		"preflight":           srv.Anyone().Do(t, "OPTIONS", session, nil),
		"preflight, unknown":  srv.Anyone().Do(t, "OPTIONS", unstableETag+"/unknown", nil),
		"create":              plain(srv).Do(t, "POST", stable, ""),
		"304":                 with(srv.Anyone(), "If-None-Match", etag).Do(t, "GET", session, nil),
		"404":                 srv.Anyone().Do(t, "GET", unstableETag+"/unknown", nil),
		"412":                 with(plain(srv), "If-Match", `"x"`).Do(t, "PUT", session, ""),
		"413":                 plain(srv).Do(t, "PUT", session, strings.Repeat("x", 10241)),
	} {
		for header, want := range map[string]string{"Allow-Origin": "*", "Allow-Methods": "GET POST PUT DELETE OPTIONS", "Allow-Headers": "Content-Type If-Match If-None-Match", "Expose-Headers": "ETag"} {
			for value := range strings.FieldsSeq(want) {
				if !strings.Contains(r.Header.Get("Access-Control-"+header), value) {
					t.Errorf("%s: Access-Control-%s is %q, without %s", name, header, r.Header.Get("Access-Control-"+header), value)
				}
			}
		}
	}
}
