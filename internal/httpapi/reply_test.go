package httpapi_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type tokenRequest struct {
	GrantType string `form:"grant_type,required"`
	ClientID  string `form:"client_id"`
}

type tokenResponse struct {
	AccessToken string `json:"access_token"`
}

func replies() *httpapi.Server {
	s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler),
		ErrorPage: func(_ *httpapi.Call, e *errcode.Error) []byte { return []byte("<p>" + e.Text + "</p>") }}
	s.Handle([]httpapi.Route{
		httpapi.Form("POST /token", "token", httpapi.Unlimited, func(_ context.Context, _ *httpapi.Call, req tokenRequest) (tokenResponse, error) {
			if req.ClientID != "known" {
				return tokenResponse{}, errcode.InvalidClient.New("Unknown client.")
			}
			return tokenResponse{"t"}, nil
		}),
		httpapi.Page("POST /page", "page", httpapi.Unlimited, func(_ context.Context, call *httpapi.Call, req tokenRequest) (httpapi.Reply, error) {
			return httpapi.Reply{Body: []byte("<p>" + req.GrantType + call.Cookie("c") + "</p>")}, nil
		}),
		httpapi.Raw("GET /raw", "raw", httpapi.Anyone, httpapi.Unlimited, func(context.Context, *httpapi.Call, *http.Request) (httpapi.Reply, error) {
			return httpapi.Reply{Status: http.StatusNotModified, Header: http.Header{"ETag": {`"x"`}}}, nil
		}),
	})
	return s
}

func send(s *httpapi.Server, path, body string, headers ...string) *http.Response {
	r := httptest.NewRequest("POST", path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Result()
}

func bodyOf(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestOA5_FormsAnswerInTheShapeOfOAuth(t *testing.T) {
	s := replies()
	for _, c := range []struct {
		name, body string
		headers    []string
		status     int
		want       string
	}{
		{"works", "grant_type=x&client_id=known&more=1", nil, 200, `{"access_token":"t"}`},
		{"a parameter is missing", "client_id=known", nil, 400, `{"error":"invalid_request","error_description":"The form parameter 'grant_type' is missing."}`},
		{"a parameter is repeated", "grant_type=x&grant_type=x&client_id=known", nil, 400, `{"error":"invalid_request","error_description":"The parameter 'grant_type' is not valid: it may be given only once."}`},
		{"an unknown parameter is repeated", "grant_type=x&client_id=known&a=1&a=2", nil, 400, `{"error":"invalid_request","error_description":"The parameter 'a' is not valid: it may be given only once."}`},
		{"not a form", `{"grant_type":"x"}`, []string{"Content-Type", "application/json"}, 400, `{"error":"invalid_request","error_description":"The Content-Type must be application/x-www-form-urlencoded."}`},
		{"malformed", "grant_type=%zz", nil, 400, `{"error":"invalid_request","error_description":"The form is malformed."}`},
		{"too large", "grant_type=" + strings.Repeat("x", httpapi.DefaultMaxBody), nil, 413, `{"error":"invalid_request","error_description":"The body is larger than the 131072 bytes allowed here."}`},
		{"refused", "grant_type=x&client_id=other", nil, 401, `{"error":"invalid_client","error_description":"Unknown client."}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := send(s, "/token", c.body, c.headers...)
			if diff := cmp.Diff(c.want, bodyOf(t, r)); diff != "" || r.StatusCode != c.status {
				t.Error(r.StatusCode, diff)
			}
			if r.Header.Get("Cache-Control") != "no-store" || r.Header.Get("Pragma") != "no-cache" || r.Header.Get("Access-Control-Allow-Origin") != "*" {
				t.Error(r.Header)
			}
		})
	}
}

func TestOA41_PagesAreForThisSiteAlone(t *testing.T) {
	s := replies()
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"from this site", []string{"Sec-Fetch-Site", "same-origin", "Origin", "null"}, 200},
		{"by the person", []string{"Sec-Fetch-Site", "none"}, 200},
		{"no browser", nil, 200},
		{"an older browser, from here", []string{"Origin", "http://example.com"}, 200},
		{"an older browser, without a referrer", []string{"Origin", "null"}, 200},
		{"an older browser, from elsewhere", []string{"Origin", "http://evil.example"}, 403},
		{"from elsewhere", []string{"Sec-Fetch-Site", "cross-site"}, 403},
		{"from a sibling", []string{"Sec-Fetch-Site", "same-site"}, 403},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := send(s, "/page", "grant_type=x", append(c.headers, "Cookie", "c=1; d=2")...)
			if r.StatusCode != c.status {
				t.Fatal(r.StatusCode)
			}
			if c.status == 200 && bodyOf(t, r) != "<p>x1</p>" {
				t.Error("another page")
			}
			for name, want := range map[string]string{
				"X-Frame-Options": "DENY", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
				"Content-Type": "text/html; charset=utf-8", "Access-Control-Allow-Origin": "",
				"Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
			} {
				if got := r.Header.Get(name); got != want {
					t.Errorf("%s: %q", name, got)
				}
			}
		})
	}
	if r := send(s, "/page", ""); r.StatusCode != 400 || bodyOf(t, r) != `<p>The form parameter "grant_type" is missing.</p>` {
		t.Error("a malformed form")
	}
}

func TestRawRepliesAreWrittenAsTheyAre(t *testing.T) {
	w := httptest.NewRecorder()
	replies().ServeHTTP(w, httptest.NewRequest("GET", "/raw", nil))
	if w.Code != 304 || w.Header().Get("ETag") != `"x"` || w.Header().Get("Content-Type") != "" || w.Body.Len() > 0 {
		t.Error(w.Code, w.Header())
	}
}
