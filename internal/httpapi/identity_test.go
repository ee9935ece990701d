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

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type submission struct {
	SID   *string `json:"sid" required:"true"`
	Token string  `json:"token"`
}

func submit(_ context.Context, call *httpapi.Call, req submission) (map[string]string, error) {
	return map[string]string{"sid": *req.SID, "token": req.Token, "user": string(call.UserID)}, nil
}

func identityServer(t *testing.T) *httptest.Server {
	t.Helper()
	s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler),
		AuthenticateIdentity: func(_ context.Context, token string, _ *httpapi.Call) (httpapi.Identity, error) {
			switch token {
			case "signed":
				return httpapi.Identity{UserID: "@a:b"}, nil
			case "unsigned":
				return httpapi.Identity{UserID: "@a:b", TermsDue: true}, nil
			}
			return httpapi.Identity{}, errcode.IdentityUnauthorized.New("no")
		},
		Observe: func(a httpapi.Answer) {
			if a.Code != nil && a.Route != nil && !a.Route.Declares(a.Code) {
				t.Errorf("%s answered %s, which it does not declare", a.Route, a.Code.Key)
			}
		}}
	s.Handle([]httpapi.Route{
		httpapi.JSON("POST /submit", "submit", httpapi.IdentityUser, httpapi.Unlimited, submit).Identity(),
		httpapi.JSON("POST /terms", "terms", httpapi.IdentityUser, httpapi.Unlimited, submit).Identity().BeforeAcceptance(),
	})
	web := httptest.NewServer(s)
	t.Cleanup(web.Close)
	return web
}

func TestIdentityRoutes(t *testing.T) {
	web := identityServer(t)
	const form, object = "application/x-www-form-urlencoded", "application/json"
	for _, test := range []struct {
		name, path, token, kind, body string
		status                        int
		has                           string
	}{
		{"JSON", "/submit", "signed", object, `{"sid":"s","token":"t"}`, 200, `"user":"@a:b"`},
		{"an empty parameter is there", "/submit", "signed", object, `{"sid":""}`, 200, `"sid":""`},
		{"a missing parameter", "/submit", "signed", object, `{}`, 400, `"M_MISSING_PARAMS"`},
		{"a parameter that is null", "/submit", "signed", object, `{"sid":null}`, 400, `"M_MISSING_PARAMS"`},
		{"a parameter that is no string", "/submit", "signed", object, `{"sid":1}`, 400, `"M_INVALID_PARAM"`},
		{"not JSON", "/submit", "signed", object, `{`, 400, `"M_NOT_JSON"`},
		{"not an object", "/submit", "signed", object, `[]`, 400, `"M_BAD_JSON"`},
		{"a member twice", "/submit", "signed", object, `{"sid":"a","sid":"b"}`, 400, `"M_BAD_JSON"`},
		{"a form where there is none", "/terms", "signed", form, `sid=s`, 400, `"M_NOT_JSON"`},
		{"no token", "/submit", "", object, `{`, 401, `"M_UNAUTHORIZED"`},
		{"an unknown token", "/submit", "other", object, `{`, 401, `"M_UNAUTHORIZED"`},
		{"what is no token", "/submit", "a b", object, `{`, 401, `"M_UNAUTHORIZED"`},
		{"before the terms", "/submit", "unsigned", object, `{`, 403, `"M_TERMS_NOT_SIGNED"`},
		{"the terms themselves", "/terms", "unsigned", object, `{"sid":"s"}`, 200, `"sid":"s"`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, err := http.NewRequest("POST", web.URL+test.path, strings.NewReader(test.body))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Content-Type", test.kind)
			if test.token != "" {
				r.Header.Set("Authorization", "Bearer "+test.token)
			}
			resp, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != test.status || !strings.Contains(string(body), test.has) {
				t.Errorf("got %d %s, %v; want %d with %s", resp.StatusCode, body, err, test.status, test.has)
			}
		})
	}
}
