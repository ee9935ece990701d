package rendezvous_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

func TestMain(m *testing.M) { apitest.Main(m) }

const (
	unstableETag = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
	unstableJSON = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	stable       = "/_matrix/client/v1/rendezvous"
)

// with gives a client that sends further headers: name, value, name, value. An
// empty value leaves the header out.
func with(c *apitest.Client, headers ...string) *apitest.Client {
	other := *c
	other.Header = http.Header{}
	for name, values := range c.Header {
		other.Header[name] = values
	}
	for i := 0; i < len(headers); i += 2 {
		other.Header[http.CanonicalHeaderKey(headers[i])] = nil
		if headers[i+1] != "" {
			other.Header.Add(headers[i], headers[i+1])
		}
	}
	return &other
}

// plain gives a client of MSC4108: it sends text.
func plain(srv *apitest.Server) *apitest.Client {
	return with(srv.Anyone(), "Content-Type", "text/plain")
}

// created makes a session of MSC4108 and gives its path and its ETag.
func created(t testing.TB, srv *apitest.Server, at, data string) (path, etag string) {
	t.Helper()
	r := status(t, plain(srv).Do(t, "POST", at, data), 201)
	var body struct {
		URL string `json:"url"`
	}
	decode(t, r, &body)
	path, ok := strings.CutPrefix(body.URL, srv.URL)
	if !ok || !strings.HasPrefix(path, unstableETag+"/") {
		t.Fatalf("the session is at %q", body.URL)
	}
	return path, r.Header.Get("ETag")
}

// put writes to a session of MSC4108 and gives the new ETag.
func put(t testing.TB, srv *apitest.Server, path, etag, data string) string {
	t.Helper()
	return status(t, with(plain(srv), "If-Match", etag).Do(t, "PUT", path, data), 202).Header.Get("ETag")
}

func status(t testing.TB, r *apitest.Response, want int) *apitest.Response {
	t.Helper()
	if r.Status != want {
		t.Fatalf("got %d %s, want %d", r.Status, r.Body, want)
	}
	return r
}

func decode(t testing.TB, r *apitest.Response, v any) {
	t.Helper()
	other := *r
	other.Status = 200
	other.OK(t, v)
}

// fails fails the test unless a request is refused by the code.
func fails(t testing.TB, c *apitest.Client, method, path string, body any, want *errcode.Code) *apitest.Response {
	t.Helper()
	return c.Do(t, method, path, body).Fails(t, c.Server, want)
}
