package app_test

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// reached says which endpoint a request came to, and with which parameters.
type reached struct {
	Path   string
	Values map[string]string
}

// echoes serves every path of the real server by routes that say which they are.
func echoes(routes []httpapi.Route) *httpapi.Server {
	s := &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	for i, r := range routes {
		routes[i] = httpapi.Raw(r.Method+" "+r.Path, r.Op, httpapi.Anyone, httpapi.Unlimited, func(_ context.Context, _ *httpapi.Call, req *http.Request) (httpapi.Reply, error) {
			got := reached{Path: req.Pattern, Values: map[string]string{}}
			for name := range wildcards(req.Pattern) {
				got.Values[name] = strings.ToValidUTF8(req.PathValue(name), "?")
			}
			body, err := json.Marshal(got)
			return httpapi.Reply{Body: body}, err
		}).Also(r.Aliases...)
	}
	s.Handle(routes)
	return s
}

// wildcards gives the names of a path's parameters, and which segment each is.
func wildcards(path string) map[string]int {
	names := map[string]int{}
	for i, segment := range strings.Split(path, "/") {
		if name, ok := strings.CutPrefix(segment, "{"); ok && segment != "{$}" {
			names[strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")] = i
		}
	}
	return names
}

// pathOf gives the path in the target of a request line, as it stands there.
func pathOf(target string) (path string, ok bool) {
	target, _, _ = strings.Cut(target, "?")
	if i := strings.Index(target, "://"); i > 0 && !strings.Contains(target[:i], "/") {
		if i = strings.IndexByte(target[i+3:], '/') + i + 3; !strings.HasPrefix(target[i:], "/") {
			return "", false
		}
		return target[i:], true
	}
	return target, strings.HasPrefix(target, "/")
}

// plainMatch finds the endpoint for a path by the plain reading: segments are what
// stands between slashes, each is decoded for itself, and the path with the most
// literal segments wins.
func plainMatch(paths []string, path string) (best reached, found bool) {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if s == "." || s == ".." || s == "" && i > 0 && i < len(segments)-1 {
			return reached{}, false
		}
		decoded, err := url.PathUnescape(s)
		if err != nil {
			return reached{}, false
		}
		segments[i] = decoded
	}
	most := -1
	for _, candidate := range paths {
		values, literals, ok := matchOne(strings.Split(candidate, "/"), segments, path)
		if ok && literals > most {
			best, found, most = reached{candidate, values}, true, literals
		}
	}
	return best, found
}

func matchOne(pattern, segments []string, raw string) (values map[string]string, literals int, ok bool) {
	values = map[string]string{}
	for i, p := range pattern {
		switch name, isWildcard := strings.CutPrefix(p, "{"); {
		case strings.HasSuffix(p, "...}"):
			rest := strings.SplitN(raw, "/", i+1)
			if len(rest) <= i {
				return nil, 0, false
			}
			decoded, err := url.PathUnescape(rest[i])
			values[strings.TrimSuffix(name, "...}")] = decoded
			return values, literals, err == nil
		case i >= len(segments):
			return nil, 0, false
		case p == "{$}":
			if segments[i] != "" || i != len(segments)-1 {
				return nil, 0, false
			}
			literals++
		case isWildcard:
			if segments[i] == "" {
				return nil, 0, false
			}
			values[strings.TrimSuffix(name, "}")] = segments[i]
		case p != segments[i]:
			return nil, 0, false
		default:
			literals++
		}
	}
	return values, literals, len(pattern) == len(segments)
}

// FuzzPath sends request lines of all kinds to the table of all endpoints. Each comes
// to the endpoint that its path names, with the parameters that stand there, or is
// answered 404 or 405 in the form of Matrix: never by a redirect, by a fault or by
// another endpoint, whatever is encoded twice, half or not at all.
func FuzzPath(f *testing.F) {
	routes := apitest.New(f).App.Routes()
	methods := map[string][]string{}
	for i, r := range routes {
		for _, path := range r.Paths() {
			methods[path] = append(methods[path], r.Method)
		}
		if i%10 == 0 {
			f.Add(r.Method, r.Path)
		}
	}
	paths := slices.Sorted(maps.Keys(methods))
	const room = "/_matrix/client/v3/rooms/!a:b"
	for _, target := range []string{
		room + "/state/m.x/", room + "/state/m.x", room + "/state/m.x/k%2Fl", room + "/state/m.x%2F%22", room + `/state/m.x%2F"`, room + "/state/m.x%2Fé", room + "/state/m.x/a;b",
		room + "//state", room + "/./state", room + "/../joined_rooms", room + "/%2e%2e/joined_rooms", room + "/state/..", room + "/state/%2e", room + "/state/", room + "/state?/../x",
		"/_matrix/client/v3/%61ccount/whoami", "/_matrix/client/v3/account%2Fwhoami", "/_matrix/client/v3/account/whoami/", "/_matrix/client/v3/account/whoami%00", "/_matrix/client/v3/account/whoami%",
		"http://evil.example/_matrix/client/v3/account/whoami", "http://evil.example", "//evil.example/_matrix/client/v3/account/whoami", "*", "/", "", "evil.example:443", "/%zz", "/\\..\\", "mailto:a", "/_matrix/client/v3/account/whoami#x",
	} {
		f.Add("GET", target)
		f.Add("OPTIONS", target)
	}
	f.Add("CONNECT", "/_matrix/client/v3/account/whoami")
	f.Add("get", room+"/state")
	s := echoes(routes)
	f.Fuzz(func(t *testing.T, method, target string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(method + " " + target + " HTTP/1.1\r\nHost: narthex.test\r\n\r\n")))
		if err != nil || r.RequestURI != target || r.Method != method {
			return // net/http answers it
		}
		w := httptest.NewRecorder()
		s.ServeHTTP(w, r)
		if w.Header().Get("Location") != "" || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Fatalf("%s %s: got %d %v", method, target, w.Code, w.Header())
		}
		want, found := reached{}, false
		if path, ok := pathOf(target); ok && method != http.MethodConnect {
			want, found = plainMatch(paths, path)
		}
		var refusal struct{ Errcode, Error string }
		if w.Code == http.StatusNotFound || w.Code == http.StatusMethodNotAllowed {
			if err := json.Unmarshal(w.Body.Bytes(), &refusal); err != nil || refusal.Errcode != "M_UNRECOGNIZED" || len(target) > 20 && strings.Contains(refusal.Error, target) {
				t.Errorf("%s %s: got %d %s", method, target, w.Code, w.Body)
			}
		}
		switch {
		case method == http.MethodOptions:
			if w.Code != http.StatusOK || w.Body.String() != "{}" {
				t.Errorf("%s %s: got %d %s", method, target, w.Code, w.Body)
			}
		case w.Code == http.StatusNotFound:
			// A path that cannot be told apart from another one may be refused.
			if found && !ambiguous(r.URL) {
				t.Errorf("%s %s: not found, want %+v", method, target, want)
			}
		case w.Code == http.StatusMethodNotAllowed:
			if !found || slices.Contains(methods[want.Path], method) || !strings.HasPrefix(w.Header().Get("Allow"), slices.Sorted(slices.Values(methods[want.Path]))[0]) {
				t.Errorf("%s %s: got %d, allowed %q, want %+v", method, target, w.Code, w.Header().Get("Allow"), want)
			}
		default:
			var got reached
			if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil || w.Code != http.StatusOK {
				t.Fatalf("%s %s: got %d %s", method, target, w.Code, w.Body)
			}
			for name, value := range want.Values {
				want.Values[name] = strings.ToValidUTF8(value, "?") // as echoes does, for JSON
			}
			if !found || !slices.Contains(methods[want.Path], method) || got.Path != want.Path || !maps.Equal(got.Values, want.Values) {
				t.Errorf("%s %s: it came to %+v, want %+v, %v", method, target, got, want, found)
			}
		}
	})
}

// ambiguous reports whether a path has characters that had to be encoded, beside
// encoded ones.
func ambiguous(u *url.URL) bool { return u.RawPath != "" && u.EscapedPath() != u.RawPath }
