package httpapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/canonicaljson"
	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

var bearer = regexp.MustCompile(`^(?i:Bearer) +([^ ,]+)$`)

// FuzzAccessToken: a token is taken from exactly one place, as it stands there, and
// nothing else passes for one.
func FuzzAccessToken(f *testing.F) {
	for _, header := range []string{"Bearer abc", "bearer  abc", "BEARER a,b", "Bearer", "Bearer ", "Basic abc", "Bearer a b", " Bearer a", "Bearer\ta", "", "X-Matrix origin=a", "Bearer é\x00"} {
		f.Add(header, "", 1)
		f.Add(header, "access_token=abc", 2)
	}
	f.Add("", "access_token=abc", 0)
	f.Add("", "a=b&access_token=%zz&access_token=x", 0)
	f.Add("", "access%5ftoken=abc", 0)
	f.Add("", "access_token", 0)
	f.Fuzz(func(t *testing.T, header, query string, times int) {
		r := &http.Request{Header: http.Header{}, URL: &url.URL{Path: "/", RawQuery: query}}
		headers := 0
		for ; headers < times%3; headers++ {
			r.Header.Add("Authorization", header)
		}
		token, err := httpapi.AccessToken(r)
		if err != nil && (!errors.Is(err, errcode.UnknownToken) || token != "" || len(header) > 3 && strings.Contains(err.Error(), header) && !strings.Contains("Bearer", header)) {
			t.Fatalf("%q, %q: got %q, %v", header, query, token, err)
		}
		values, _ := url.ParseQuery(query)
		inQuery := values["access_token"]
		parts := bearer.FindStringSubmatch(header)
		switch {
		case err != nil:
			if headers+len(inQuery) == 1 && (headers == 0 || parts != nil) {
				t.Errorf("%q, %q, %d times: refused: %v", header, query, headers, err)
			}
		case token == "":
			if headers > 0 || len(inQuery) > 0 && inQuery[0] != "" && strings.Contains(query, "access_token=") {
				t.Errorf("%q, %q, %d times: no token found", header, query, headers)
			}
		case headers == 1:
			if len(inQuery) > 0 && strings.Contains(query, "access_token=") || parts == nil || token != parts[1] {
				t.Errorf("%q, %q: got %q", header, query, token)
			}
		case headers > 1 || len(inQuery) != 1 || token != inQuery[0]:
			t.Errorf("%q, %q, %d times: got %q", header, query, headers, token)
		}
	})
}

// inner are the words of the program, which no client should see.
var inner = regexp.MustCompile(`\b(json|jsontext|httpapi|canonicaljson|strconv|reflect|url|errcode|runtime)[.:]|\bGo\b|goroutine|0x[0-9a-f]+`)

// FuzzBind: what reaches a handler is what encoding/json and net/url find under
// exactly that name, the path stays what it was, and everything else is refused by a
// code of binding, in words.
func FuzzBind(f *testing.F) {
	for _, body := range []string{
		`{"name":"n","count":3,"users":["@u:s"],"nested":{"flag":true}}`, `{"name":"n","RoomID":"!evil:b","roomId":"!evil:b","Key":"evil"}`, `{"NAME":"n"}`, `{"name":"\ud83d\ude00"}`,
		`{"name":null}`, `{"name":"n","users":[null]}`, `{"name":"n","nested":null}`, `{"name":"n","count":-0}`, `{"name":"n","count":1e3}`, `{"name":"n","name":"m"}`, `[]`, ``, `null`, "\ufeff{}", "{\"name\":\"\xff\"}",
	} {
		f.Add("dir=b", body)
	}
	for _, query := range []string{"", "dir=b&dir=f", "dir=%zz", "dir=%00", "dir=%ff", "dir=b&limit=05", "dir=b&limit=+5", "dir=b&deep=TRUE", "dir=b;limit=5", "dir=b&via=&via=x", "Dir=b", strings.Repeat("&", 1001)} {
		f.Add(query, `{"name":"n"}`)
	}
	var got *bindRequest
	s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	s.Handle([]httpapi.Route{httpapi.JSON("PUT /r/{roomId}/{key}", "take", httpapi.Anyone, httpapi.Unlimited, func(_ context.Context, _ *httpapi.Call, req bindRequest) (struct{}, error) {
		got = &req
		return struct{}{}, nil
	}).Body(2000)})
	f.Fuzz(func(t *testing.T, query, body string) {
		got = nil
		r := httptest.NewRequest("PUT", "/r/!a:b/k%2F..", strings.NewReader(body))
		r.URL.RawQuery = query
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if got == nil {
			var refusal struct{ Errcode, Error string }
			if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil {
				t.Fatalf("%q %q: got %d %s", query, body, w.Code, w.Body)
			}
			known := map[string]bool{"M_NOT_JSON": true, "M_BAD_JSON": true, "M_MISSING_PARAM": true, "M_INVALID_PARAM": true, "M_TOO_LARGE": true}
			if w.Code != http.StatusBadRequest && w.Code != http.StatusRequestEntityTooLarge || !known[refusal.Errcode] || inner.MatchString(refusal.Error) && !inner.MatchString(body) {
				t.Errorf("%q %q: got %d %s", query, body, w.Code, w.Body)
			}
			return
		}
		var members map[string]json.RawMessage
		if w.Code != http.StatusOK || canonicaljson.Strict([]byte(body), canonicaljson.Limits{}) != nil || json.Unmarshal([]byte(body), &members) != nil || len(body) > 2000 {
			t.Fatalf("%q %q: taken as %+v, with %d", query, body, got, w.Code)
		}
		var name string
		var count int64
		var users []string
		for member, into := range map[string]any{"name": &name, "count": &count, "users": &users} {
			if raw, there := members[member]; there && json.Unmarshal(raw, into) != nil {
				t.Errorf("%q: %s was taken as %+v", body, member, got)
			}
		}
		if string(got.RoomID) != "!a:b" || got.Key != "k/.." || got.Name != name || got.Count != count || len(got.Users) != len(users) {
			t.Errorf("%q: taken as %+v", body, got)
		}
		values, err := url.ParseQuery(query)
		if err != nil || len(values["dir"]) != 1 || got.Dir != values.Get("dir") || (got.Limit != nil) != (values["limit"] != nil) || got.Deep != (values.Get("deep") == "true") || len(got.Via) != len(values["via"]) {
			t.Errorf("%q: taken as %+v", query, got)
		}
	})
}
