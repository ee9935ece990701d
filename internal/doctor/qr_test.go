package doctor_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/doctor"
)

func examineQR(t *testing.T, breaks func(http.Handler) http.Handler) []doctor.Finding {
	t.Helper()
	srv := newFake(breaks)
	defer srv.Close()
	found := doctor.QR{Server: srv.URL, Web: srv.Client(), Now: time.Now}.Examine(t.Context())
	for _, f := range found {
		if (f.Level == doctor.Good) != (f.Mend == "") {
			t.Errorf("%+v: only what is wrong needs advice", f)
		}
	}
	return found
}

func TestQRWhole(t *testing.T) {
	found := examineQR(t, nil)
	for _, f := range found {
		if f.Level != doctor.Good {
			t.Errorf("%s: %s", f.Level, f.What)
		}
	}
	if len(found) < 8 {
		t.Errorf("only %d things were looked at: %+v", len(found), found)
	}
}

// answers changes answers after they were made.
func answers(change func(*http.Request, *httptest.ResponseRecorder)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			rec := httptest.NewRecorder()
			next.ServeHTTP(rec, r)
			change(r, rec)
			for name, values := range rec.Header() {
				w.Header()[name] = values
			}
			if rec.Body.Len() > 0 {
				w.Header().Set("Content-Length", strconv.Itoa(rec.Body.Len()))
			}
			w.WriteHeader(rec.Code)
			if rec.Code != 304 && rec.Code != 204 {
				_, _ = w.Write(rec.Body.Bytes())
			}
		})
	}
}

// header sets or removes a header of all answers whose path has the part.
func header(part, name, value string) func(http.Handler) http.Handler {
	return answers(func(r *http.Request, rec *httptest.ResponseRecorder) {
		if !strings.Contains(r.URL.Path, part) {
			return
		}
		if value == "" {
			rec.Header().Del(name)
		} else if rec.Header().Get(name) != "" {
			rec.Header().Set(name, value)
		}
	})
}

// body replaces an answer.
func body(path string, status int, text string) func(http.Handler) http.Handler {
	return answers(func(r *http.Request, rec *httptest.ResponseRecorder) {
		if r.URL.Path == path && r.Method != http.MethodOptions {
			rec.Code, rec.Body = status, bytes.NewBufferString(text)
		}
	})
}

// replaced replaces a part of an answer.
func replaced(path, old, by string) func(http.Handler) http.Handler {
	return answers(func(r *http.Request, rec *httptest.ResponseRecorder) {
		if r.URL.Path == path {
			rec.Body = bytes.NewBufferString(strings.ReplaceAll(rec.Body.String(), old, by))
		}
	})
}

// method answers a method in place of the homeserver.
func method(name, part string, status int) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == name && strings.Contains(r.URL.Path, part) {
				w.WriteHeader(status)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
}

// compressed does what proxies do that compress: the tag is marked or weakened, and
// the mark is not taken off again.
func compressed(mark func(string) string) func(http.Handler) http.Handler {
	return answers(func(r *http.Request, rec *httptest.ResponseRecorder) {
		if rec.Header().Get("ETag") == "" || rec.Code == 304 || !strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			return
		}
		rec.Header().Set("ETag", mark(rec.Header().Get("ETag")))
		if rec.Body.Len() > 500 {
			var b bytes.Buffer
			z := gzip.NewWriter(&b)
			_, _ = z.Write(rec.Body.Bytes())
			_ = z.Close()
			rec.Body = &b
			rec.Header().Set("Content-Encoding", "gzip")
		}
	})
}

const (
	place2024 = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
	place2025 = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	metadata  = "/_matrix/client/v1/auth_metadata"
)

func unrecognized(path string) func(http.Handler) http.Handler {
	return body(path, 404, `{"errcode":"M_UNRECOGNIZED","error":"no"}`)
}

func TestQRFaults(t *testing.T) {
	for name, c := range map[string]struct {
		breaks func(http.Handler) http.Handler
		level  doctor.Level
		want   string
	}{
		"a web page instead of a homeserver":   {body("/_matrix/client/versions", 200, "<html>"), doctor.Fault, "Clients do not find the homeserver"},
		"no OAuth":                             {unrecognized(metadata), doctor.Fault, "does not offer OAuth 2.0"},
		"metadata that lack something":         {replaced(metadata, "S256", "plain"), doctor.Fault, `code_challenge_methods_supported lacks "S256"`},
		"metadata with an http endpoint":       {replaced(metadata, "/token", "/token#x"), doctor.Fault, "token_endpoint"},
		"metadata that are a page":             {body(metadata, 200, "<html>"), doctor.Fault, "cannot be read"},
		"no device grant":                      {replaced(metadata, "device_authorization_endpoint", "other"), doctor.Fault, "device authorization grant"},
		"no registration":                      {body("/register", 400, `{"error":"invalid_client_metadata"}`), doctor.Fault, "A new app cannot make itself known"},
		"no device authorization":              {body("/device", 500, `oops`), doctor.Fault, "A sign-in cannot be begun"},
		"a token endpoint that does not wait":  {body("/token", 502, `<html>`), doctor.Fault, "where authorization_pending is due"},
		"a token endpoint with Matrix errors":  {body("/token", 400, `{"error":"authorization_pending","errcode":"M_UNKNOWN"}`), doctor.Warning, "mixed with those of Matrix"},
		"no page":                              {body("/link", 404, ``), doctor.Fault, "approved answers with status 404"},
		"endpoints closed to browsers":         {method(http.MethodOptions, "/token", 405), doctor.Warning, "may not use the token_endpoint"},
		"a clock that is wrong":                {clock(-2 * time.Hour), doctor.Fault, "differ by 2h0m"},
		"a clock that is a little wrong":       {clock(30 * time.Second), doctor.Warning, "differ by "},
		"no CORS":                              {header("/versions", "Access-Control-Allow-Origin", ""), doctor.Fault, "lack CORS headers"},
		"the feature not announced":            {replaced("/_matrix/client/versions", "org.matrix.msc4108", "other"), doctor.Fault, "/versions does not say"},
		"a meeting place that fails":           {body(place2024, 411, ""), doctor.Fault, "A meeting place cannot be created: the answer is status 411"},
		"a meeting place elsewhere":            {answers(redirect), doctor.Warning, "is at another server, https://rendezvous.example.org/"},
		"a meeting place that is too busy":     {body(place2024, 429, "{}"), doctor.Warning, "too many requests"},
		"an address without TLS":               {body(place2024, 201, `{"url":"http://matrix.example.org/x"}`), doctor.Fault, "no address that can be used"},
		"a short life":                         {header("/rendezvous", "Expires", time.Now().Add(20*time.Second).UTC().Format(http.TimeFormat)), doctor.Warning, "which is short"},
		"no ETag":                              {header("", "ETag", ""), doctor.Fault, "have no ETag"},
		"weak ETags":                           {compressed(func(tag string) string { return "W/" + tag }), doctor.Fault, `The ETag W/"revision-`},
		"marked ETags":                         {compressed(func(tag string) string { return strings.TrimSuffix(tag, `"`) + `-gzip"` }), doctor.Fault, `-gzip" of the meeting place was rewritten`},
		"unquoted ETags":                       {compressed(func(tag string) string { return strings.Trim(tag, `"`) }), doctor.Fault, "was rewritten"},
		"compression alone":                    {compressed(func(tag string) string { return tag }), doctor.Fault, "compresses the meeting place's answers (gzip)"},
		"an ETag missing in 304":               {answers(func(r *http.Request, rec *httptest.ResponseRecorder) { drop(rec, 304, "ETag") }), doctor.Fault, "(304), the answer has no ETag"},
		"no Expires":                           {header("/session", "Expires", ""), doctor.Fault, "no usable Expires"},
		"no Last-Modified":                     {header("/session", "Last-Modified", ""), doctor.Fault, "no usable Last-Modified"},
		"a cache":                              {header("/session", "Cache-Control", "public"), doctor.Fault, "may be cached"},
		"an ETag hidden from browsers":         {header("/session", "Access-Control-Expose-Headers", ""), doctor.Fault, "cannot read the ETag"},
		"CORS twice":                           {answers(twice), doctor.Fault, "cannot read the ETag"},
		"a charset":                            {header("/session", "Content-Type", "text/plain; charset=utf-8"), doctor.Fault, `"text/plain; charset=utf-8" instead of exactly text/plain`},
		"sessions in another process":          {method(http.MethodGet, "/session", 404), doctor.Fault, "The meeting place cannot be read at"},
		"no conditional requests":              {request(func(r *http.Request) { r.Header.Del("If-None-Match") }), doctor.Fault, "instead of 304"},
		"no PUT":                               {method(http.MethodPut, "/session", 405), doctor.Fault, "A letter cannot be left"},
		"If-Match removed":                     {request(func(r *http.Request) { r.Header.Del("If-Match") }), doctor.Fault, "although nobody else wrote (412)"},
		"writing without conditions":           {method(http.MethodPut, "/session", 202), doctor.Fault, "comes too late is not refused"},
		"an ETag that stays":                   {header("/session", "ETag", `"revision-1"`), doctor.Fault, "ETag stays the same"},
		"letters from a cache":                 {replaced("/session", "a letter", "an old letter"), doctor.Fault, "not the one that was left"},
		"no preflight":                         {method(http.MethodOptions, "/session", 403), doctor.Fault, "cannot write to the meeting place"},
		"no DELETE":                            {method(http.MethodDelete, "/session", 405), doctor.Fault, "cannot be deleted"},
		"error pages of the proxy":             {body404, doctor.Fault, "is not gone"},
		"only the generation of 2024":          {unrecognizedAll(place2025), doctor.Good, "The meeting place of 2024 is there, which"},
		"only the generation of 2025":          {unrecognized(place2024), doctor.Warning, "Only the meeting place of 2025"},
		"no meeting place":                     {none, doctor.Fault, "no place for the two devices to meet"},
		"the generation of 2025, closed":       {body(place2025, 200, `{"create_available":false}`), doctor.Good, "for devices that are signed in"},
		"the generation of 2025, with a token": {body(place2025, 401, `{"errcode":"M_MISSING_TOKEN","error":"x"}`), doctor.Good, "for devices that are signed in"},
		"the generation of 2025, silent":       {body(place2025, 200, `{}`), doctor.Fault, "does not say whether"},
		"the generation of 2025, no PUT":       {method(http.MethodPut, place2025, 405), doctor.Fault, "of 2025 was not written to: status 405"},
		"the generation of 2025, other data":   {replaced(place2025+"/s1", "a letter", "an old letter"), doctor.Fault, "of 2025 gives back another letter"},
		"the generation of 2025, no CORS":      {header(place2025, "Access-Control-Allow-Origin", ""), doctor.Fault, "of 2025: its answers lack CORS"},
		"the generation of 2025, no DELETE":    {method(http.MethodDelete, place2025, 405), doctor.Fault, "of 2025 was not deleted"},
	} {
		t.Run(name, func(t *testing.T) {
			found := examineQR(t, c.breaks)
			for _, f := range found {
				if f.Level == c.level && strings.Contains(f.What, c.want) {
					return
				}
			}
			t.Errorf("want %s %q among %+v", c.level, c.want, found)
		})
	}
}

func none(next http.Handler) http.Handler { return unrecognizedAll("rendezvous")(next) }

func unrecognizedAll(part string) func(http.Handler) http.Handler {
	return answers(func(r *http.Request, rec *httptest.ResponseRecorder) {
		if strings.Contains(r.URL.Path, part) {
			rec.Code, rec.Body = 404, bytes.NewBufferString(`{"errcode":"M_UNRECOGNIZED","error":"no"}`)
		}
	})
}

func body404(next http.Handler) http.Handler {
	return answers(func(_ *http.Request, rec *httptest.ResponseRecorder) {
		if rec.Code == 404 {
			rec.Body = bytes.NewBufferString("<h1>Not found</h1>")
		}
	})(next)
}

func redirect(r *http.Request, rec *httptest.ResponseRecorder) {
	if r.URL.Path == place2024 {
		rec.Code = 307
		rec.Header().Set("Location", "https://rendezvous.example.org/")
	}
}

func twice(_ *http.Request, rec *httptest.ResponseRecorder) {
	if rec.Header().Get("ETag") != "" {
		rec.Header().Add("Access-Control-Allow-Origin", "*")
	}
}

func drop(rec *httptest.ResponseRecorder, status int, name string) {
	if rec.Code == status {
		rec.Header().Del(name)
	}
}

func request(change func(*http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// clock gives answers the date of a clock that is off.
func clock(by time.Duration) func(http.Handler) http.Handler {
	return answers(func(_ *http.Request, rec *httptest.ResponseRecorder) {
		rec.Header().Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
	})
}

func TestQRUnreachable(t *testing.T) {
	for name, server := range map[string]string{"nobody listens": "http://127.0.0.1:1", "no name": "", "no address": "http://matrix.example.org"} {
		found := doctor.QR{Server: server, Now: time.Now}.Examine(t.Context())
		if len(found) != 1 || found[0].Level != doctor.Fault || found[0].Mend == "" {
			t.Errorf("%s: got %+v, want one fault", name, found)
		}
	}
}
