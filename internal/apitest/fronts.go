package apitest

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/narthex-matrix/narthex/internal/config"
)

// Front is an address with TLS, as the proxy in front of a server has one, by which
// servers in a test reach each other. Until [Front.Serve] it answers with status 404.
type Front struct {
	Name string // "127.0.0.1:12345"
	URL  string // "https://127.0.0.1:12345"

	mu      sync.Mutex
	handler http.Handler
}

// NewFront opens an address. It closes with the test.
func NewFront(t testing.TB) *Front {
	t.Helper()
	f := &Front{handler: http.NotFoundHandler()}
	web := httptest.NewTLSServer(f)
	t.Cleanup(web.Close)
	f.URL = web.URL
	f.Name = strings.TrimPrefix(web.URL, "https://")
	return f
}

// Serve has all requests from now on answered by a handler: a server's App, or one
// that misbehaves.
func (f *Front) Serve(h http.Handler) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.handler = h
}

// ServeHTTP answers a request.
func (f *Front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	h := f.handler
	f.mu.Unlock()
	h.ServeHTTP(w, r)
}

// ReachFronts makes a server reach every front, which are on this machine and have
// certificates that no authority has signed.
func ReachFronts(t testing.TB) func(*config.Config) {
	t.Helper()
	probe := httptest.NewTLSServer(nil) // all have the same certificate
	defer probe.Close()
	file := filepath.Join(t.TempDir(), "authorities.pem")
	certificate := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: probe.Certificate().Raw})
	if err := os.WriteFile(file, certificate, 0o600); err != nil {
		t.Fatal(err)
	}
	return func(c *config.Config) {
		c.Outbound.AllowedNetworks, c.Outbound.Authorities = []string{"127.0.0.1/32"}, file
	}
}
