package identityserver

import (
	"bytes"
	"io"
	"net/http"
	"slices"

	"github.com/narthex-matrix/narthex/internal/outbound"
)

// transport takes requests to the identity service in this process to it, and all
// others to the network.
type transport struct {
	own  []string // hosts
	home http.Handler
	next http.RoundTripper
}

// RoundTrip makes one request.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if !slices.Contains(t.own, r.URL.Host) {
		return t.next.RoundTrip(r)
	}
	inside := r.Clone(r.Context())
	inside.RequestURI = r.URL.RequestURI()
	if inside.Body == nil {
		inside.Body = http.NoBody
	}
	defer inside.Body.Close()
	a := &answer{status: http.StatusOK, header: http.Header{}}
	t.home.ServeHTTP(a, inside)
	if a.body.Len() > outbound.MaxBody {
		return nil, outbound.ErrTooLarge
	}
	return &http.Response{
		StatusCode: a.status, Header: a.header, Body: io.NopCloser(&a.body), ContentLength: int64(a.body.Len()),
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
	}, nil
}

// answer keeps what a handler answers.
type answer struct {
	status int
	header http.Header
	body   bytes.Buffer
}

// Header is the header of the answer.
func (a *answer) Header() http.Header { return a.header }

// WriteHeader keeps the status.
func (a *answer) WriteHeader(status int) { a.status = status }

// Write adds to the body.
func (a *answer) Write(p []byte) (int, error) { return a.body.Write(p) }
