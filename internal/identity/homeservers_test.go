package identity

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/id"
)

// web answers for every host in place of the network.
type web map[string]string

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	body, ok := w[r.URL.String()]
	if !ok {
		return nil, errors.New("nobody answers")
	}
	status := http.StatusOK
	if body == "missing" {
		status = http.StatusNotFound
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

func TestWhereAHomeserverAnswers(t *testing.T) {
	const discovery = "https://example.org/.well-known/matrix/server"
	for _, c := range []struct {
		server id.ServerName
		says   string // at its host, where it is asked
		want   string
	}{
		{"example.org:443", `{"m.server":"other.example"}`, "https://example.org:443"},
		{"example.org:8448", ``, "https://example.org:8448"},
		{"192.0.2.7", ``, "https://192.0.2.7:8448"},
		{"192.0.2.7:1", ``, "https://192.0.2.7:1"},
		{"[2001:db8::1]", ``, "https://[2001:db8::1]:8448"},
		{"[2001:db8::1]:1", ``, "https://[2001:db8::1]:1"},
		{"example.org", `{"m.server":"matrix.example.org:443"}`, "https://matrix.example.org:443"},
		{"example.org", `{"m.server":"matrix.example.org"}`, "https://matrix.example.org:8448"},
		{"example.org", `{"m.server":"192.0.2.7"}`, "https://192.0.2.7:8448"},
		{"example.org", ``, "https://example.org:8448"},
		{"example.org", `missing`, "https://example.org:8448"},
		{"example.org", `<html>`, "https://example.org:8448"},
		{"example.org", `{}`, "https://example.org:8448"},
		{"example.org", `{"m.server":"a/b"}`, "https://example.org:8448"},
		{"example.org", `{"m.server":"user@internal:80"}`, "https://example.org:8448"},
		{"example.org", `{"m.server":1}`, "https://example.org:8448"},
	} {
		net := web{}
		if c.says != "" {
			net[discovery] = c.says
		}
		client := &http.Client{Transport: net}
		if got := (homeservers{client: client, discovery: client}).base(t.Context(), c.server); got != c.want {
			t.Errorf("%s, which says %s: got %s, want %s", c.server, c.says, got, c.want)
		}
	}
}
