package httpapi_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
	"github.com/narthex-matrix/narthex/internal/id"
)

type bindRequest struct {
	RoomID id.RoomID   `path:"roomId"`
	Key    string      `path:"key"`
	Limit  *int        `query:"limit"`
	Dir    string      `query:"dir,required"`
	Via    []string    `query:"via"`
	Deep   bool        `query:"deep"`
	Name   string      `json:"name" required:"true"`
	Count  int64       `json:"count"`
	Users  []id.UserID `json:"users"`
	Nested struct {
		Flag bool `json:"flag"`
	} `json:"nested"`
}

type rawRequest struct {
	Content jsontext.Value `body:"*"`
}

func server(t *testing.T, routes ...httpapi.Route) *httptest.Server {
	t.Helper()
	s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler), Authenticate: func(_ context.Context, token string, _ *httpapi.Call) (httpapi.Identity, error) {
		if token != "good" {
			return httpapi.Identity{}, errcode.UnknownToken.New("no")
		}
		return httpapi.Identity{UserID: "@a:b"}, nil
	}}
	s.Handle(routes)
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web
}

func echo(_ context.Context, _ *httpapi.Call, req bindRequest) (map[string]string, error) {
	limit := "none"
	if req.Limit != nil {
		limit = fmt.Sprint(*req.Limit)
	}
	return map[string]string{"got": fmt.Sprint(req.RoomID, "|", req.Key, "|", limit, "|", req.Dir, "|", req.Via, "|", req.Deep, "|", req.Name, "|", req.Count, "|", req.Users, "|", req.Nested.Flag)}, nil
}

func ask(t *testing.T, method, url, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatalf("%d %q: %v", resp.StatusCode, raw, err)
	}
	if resp.Header.Get("Content-Type") != "application/json" || resp.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Errorf("headers: %v", resp.Header)
	}
	return resp.StatusCode, out
}

func TestBind(t *testing.T) {
	web := server(t, httpapi.JSON("PUT /r/{roomId}/{key}", "echo", httpapi.Anyone, httpapi.Unlimited, echo).Body(2000))
	const path = "/r/!a:b/k?dir=b"
	deep := strings.Repeat("[", 101) + strings.Repeat("]", 101)
	for _, c := range []struct{ name, path, body, want string }{
		{"whole", "/r/!a:b/k%2Fl?dir=b&limit=5&via=x&via=y&deep=true", `{"name":"n","count":3,"users":["@u:s"],"nested":{"flag":true}}`, "!a:b|k/l|5|b|[x y]|true|n|3|[@u:s]|true"},
		{"least", path, `{"name":"n"}`, "!a:b|k|none|b|[]|false|n|0|[]|false"},
		{"unknown members are ignored", path, `{"name":"n","other":[1]}`, "!a:b|k|none|b|[]|false|n|0|[]|false"},
		{"the body does not replace the path", path, `{"name":"n","RoomID":"!evil:b","roomId":"!evil:b","Key":"evil","Dir":"f"}`, "!a:b|k|none|b|[]|false|n|0|[]|false"},
		{"exact case", path, `{"name":"n","COUNT":9,"Count":9}`, "!a:b|k|none|b|[]|false|n|0|[]|false"},
		{"another case of a required member", path, `{"NAME":"n"}`, "M_MISSING_PARAM name"},
		{"a long s is not an s", path, `{"name":"n","uſers":["@u:s"]}`, "!a:b|k|none|b|[]|false|n|0|[]|false"},
		{"missing member", path, `{}`, "M_MISSING_PARAM name"},
		{"no body", path, ``, "M_MISSING_PARAM name"},
		{"missing query", "/r/!a:b/k", `{"name":"n"}`, "M_MISSING_PARAM dir"},
		{"wrong query", path + "&limit=x", `{"name":"n"}`, "M_INVALID_PARAM limit"},
		{"float query", path + "&limit=1.5", `{"name":"n"}`, "M_INVALID_PARAM limit"},
		{"huge query", path + "&limit=99999999999999999999", `{"name":"n"}`, "M_INVALID_PARAM limit"},
		{"query twice", path + "&limit=1&limit=2", `{"name":"n"}`, "M_INVALID_PARAM limit"},
		{"wrong bool", path + "&deep=yes", `{"name":"n"}`, "M_INVALID_PARAM deep"},
		{"bad escape in the query", "/r/!a:b/k?dir=%zz", `{"name":"n"}`, "M_INVALID_PARAM"},
		{"many parameters", path + strings.Repeat("&a=1", 1000), `{"name":"n"}`, "M_INVALID_PARAM"},
		{"wrong id in the path", "/r/nothing/k?dir=b", `{"name":"n"}`, "M_INVALID_PARAM roomId"},
		{"NUL in the path", "/r/!a:b/k%00?dir=b", `{"name":"n"}`, "M_INVALID_PARAM key"},
		{"bad UTF-8 in the path", "/r/!a:b/k%ff?dir=b", `{"name":"n"}`, "M_INVALID_PARAM key"},
		{"wrong id in the body", path, `{"name":"n","users":["@u:s","u"]}`, "M_INVALID_PARAM users.1"},
		{"wrong type", path, `{"name":5}`, "M_BAD_JSON name"},
		{"wrong nested type", path, `{"name":"n","nested":{"flag":1}}`, "M_BAD_JSON nested.flag"},
		{"fraction for a whole number", path, `{"name":"n","count":1.5}`, "M_BAD_JSON count"},
		{"exponent for a whole number", path, `{"name":"n","count":1e3}`, "M_BAD_JSON count"},
		{"out of range", path, `{"name":"n","count":99999999999999999999}`, "M_BAD_JSON count"},
		{"null body", path, `null`, "M_BAD_JSON"},
		{"array body", path, `[]`, "M_BAD_JSON"},
		{"duplicate member", path, `{"name":"n","name":"m"}`, "M_BAD_JSON"},
		{"duplicate by escape", path, `{"name":"n","n\u0061me":"m"}`, "M_BAD_JSON"},
		{"too deep", path, `{"name":"n","x":` + deep + `}`, "M_BAD_JSON"},
		{"not JSON", path, `{"name":`, "M_NOT_JSON"},
		{"trailing data", path, `{"name":"n"} {}`, "M_NOT_JSON"},
		{"byte order mark", path, "\ufeff" + `{"name":"n"}`, "M_NOT_JSON"},
		{"bad UTF-8", path, "{\"name\":\"\xff\"}", "M_NOT_JSON"},
		{"lone surrogate", path, `{"name":"\ud800"}`, "M_NOT_JSON"},
		{"too large", path, `{"name":"` + strings.Repeat("n", 2000) + `"}`, "M_TOO_LARGE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, out := ask(t, "PUT", web.URL+c.path, c.body)
			if !strings.HasPrefix(c.want, "M_") {
				if status != 200 || out["got"] != c.want {
					t.Errorf("got %d %v, want %s", status, out, c.want)
				}
				return
			}
			code, param, _ := strings.Cut(c.want, " ")
			text, _ := out["error"].(string)
			if out["errcode"] != code || status/100 != 4 || param != "" && out["param"] != param {
				t.Errorf("got %d %v, want %s", status, out, c.want)
			}
			if strings.Contains(text, "Go ") || strings.Contains(text, "int64") || strings.Contains(text, "struct") || len(text) < 10 {
				t.Errorf("the text is %q", text)
			}
		})
	}
}

func TestBindAWholeBody(t *testing.T) {
	web := server(t, httpapi.JSON("PUT /raw", "raw", httpapi.Anyone, httpapi.Unlimited, func(_ context.Context, _ *httpapi.Call, req rawRequest) (jsontext.Value, error) {
		return req.Content, nil
	}))
	if status, out := ask(t, "PUT", web.URL+"/raw", `{"a":9007199254740993,"b":"<&>"}`); status != 200 || out["b"] != "<&>" {
		t.Errorf("got %d %v", status, out)
	}
	if status, out := ask(t, "PUT", web.URL+"/raw", `"text"`); status != 400 || out["errcode"] != "M_BAD_JSON" {
		t.Errorf("got %d %v", status, out)
	}
}

func TestAuthorizationHeader(t *testing.T) {
	web := server(t, httpapi.JSON("GET /me", "me", httpapi.User, httpapi.Unlimited, func(_ context.Context, call *httpapi.Call, _ struct{}) (map[string]string, error) {
		return map[string]string{"user": string(call.UserID)}, nil
	}).Guests().Suspended())
	for _, c := range []struct {
		name    string
		headers []string
		query   string
		want    int
	}{
		{"none", nil, "", 401},
		{"good", []string{"Bearer good"}, "", 200},
		{"any case", []string{"bearer good"}, "", 200},
		{"more spaces", []string{"Bearer   good"}, "", 200},
		{"in the query", nil, "?access_token=good", 200},
		{"twice", []string{"Bearer good", "Bearer good"}, "", 401},
		{"header and query", []string{"Bearer good"}, "?access_token=good", 401},
		{"no scheme", []string{"good"}, "", 401},
		{"another scheme", []string{"Basic good"}, "", 401},
		{"two tokens", []string{"Bearer good good"}, "", 401},
		{"empty", []string{"Bearer "}, "", 401},
		{"wrong", []string{"Bearer bad"}, "", 401},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := http.NewRequestWithContext(t.Context(), "GET", web.URL+"/me"+c.query, nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header["Authorization"] = c.headers
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if resp.StatusCode != c.want {
				t.Errorf("got %d, want %d", resp.StatusCode, c.want)
			}
		})
	}
}

// TestEC5_FaultsTellNothing holds that an internal fault or a panic is a 500
// without details.
func TestEC5_FaultsTellNothing(t *testing.T) {
	web := server(t,
		httpapi.JSON("GET /fault", "fault", httpapi.Anyone, httpapi.Unlimited, func(context.Context, *httpapi.Call, struct{}) (struct{}, error) {
			return struct{}{}, fmt.Errorf("secret detail")
		}),
		httpapi.JSON("GET /panic", "panic", httpapi.Anyone, httpapi.Unlimited, func(context.Context, *httpapi.Call, struct{}) (struct{}, error) {
			panic("secret detail")
		}))
	for _, path := range []string{"/fault", "/panic"} {
		status, out := ask(t, "GET", web.URL+path, "")
		if status != 500 || out["errcode"] != "M_UNKNOWN" || strings.Contains(fmt.Sprint(out), "secret") {
			t.Errorf("%s: got %d %v", path, status, out)
		}
	}
}

func TestEC2_MethodsAndPaths(t *testing.T) {
	web := server(t, httpapi.JSON("GET /a/{b}", "ab", httpapi.Anyone, httpapi.Unlimited, func(context.Context, *httpapi.Call, struct{}) (struct{}, error) {
		return struct{}{}, nil
	}))
	for _, c := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/a/b", 200}, {"GET", "/a/%2E%2E", 200}, {"GET", "/a/b%2Fc", 200},
		{"POST", "/a/b", 405}, {"PATCH", "/a/b", 405}, {"BREW", "/a/b", 405},
		{"GET", "/a//b", 404}, {"GET", "/a/./b", 404}, {"GET", "/a/", 404}, {"GET", "/a/b/", 404}, {"GET", "/", 404},
		{"PUT", "/a/b/..", 404}, {"PUT", "/a/../a/b", 404},
	} {
		status, out := ask(t, c.method, web.URL+c.path, "")
		if status != c.want || status >= 400 && out["errcode"] != "M_UNRECOGNIZED" {
			t.Errorf("%s %s: got %d %v, want %d", c.method, c.path, status, out, c.want)
		}
	}
}
