package outbound_test

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/narthex-matrix/narthex/internal/outbound"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

func TestPublic(t *testing.T) {
	for _, text := range []string{
		"127.0.0.1", "10.1.2.3", "192.168.1.1", "172.31.255.255", "169.254.169.254", "100.64.0.1", "0.0.0.0", "0.1.2.3", "192.0.0.170",
		"198.18.0.1", "192.0.2.1", "240.0.0.1", "255.255.255.255", "224.0.0.1",
		"::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::",
		"2001:0:7f00:1::", "2001:db8::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fd00::1", "100::1", "ff02::1",
	} {
		if outbound.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s counts as public", text)
		}
	}
	for _, text := range []string{"1.1.1.1", "8.8.8.8", "93.184.216.34", "172.32.0.1", "::ffff:1.1.1.1", "2606:4700:4700::1111", "2a00:1450::1"} {
		if !outbound.Public(netip.MustParseAddr(text)) {
			t.Errorf("%s does not count as public", text)
		}
	}
	if outbound.Public(netip.Addr{}) {
		t.Error("no address counts as public")
	}
}

// What counts is where the connection goes, however the name is spelled.
func TestNamesDoNotLeadInside(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	for _, host := range []string{"127.0.0.1", "localhost", "localhost.", "[::ffff:127.0.0.1]", "127.1", "0x7f.1", "2130706433", "0.0.0.0", "[::]"} {
		resp, err := outbound.New(outbound.Options{}).Get("http://" + host + port)
		if err == nil {
			t.Errorf("%s: got %d", host, resp.StatusCode)
			resp.Body.Close()
		}
	}
	_, err := outbound.New(outbound.Options{}).Get(inside.URL)
	if !errors.Is(err, outbound.ErrNotPublic) {
		t.Errorf("got %v, want ErrNotPublic", err)
	}
}

func TestAllowedNetworks(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") }))
	defer inside.Close()
	resp, err := outbound.New(outbound.Options{Allowed: loopback}).Get(inside.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "hello" {
		t.Errorf("got %q, %v", body, err)
	}
	if _, err := outbound.New(outbound.Options{Allowed: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}).Get(inside.URL); !errors.Is(err, outbound.ErrNotPublic) {
		t.Errorf("another network: got %v, want ErrNotPublic", err)
	}
}

func TestLargeAnswers(t *testing.T) {
	for name, declared := range map[string]bool{"with its size declared": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			large := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if !declared {
					w.(http.Flusher).Flush()
				}
				_, _ = w.Write(make([]byte, outbound.MaxBody+1))
			}))
			defer large.Close()
			resp, err := outbound.New(outbound.Options{Allowed: loopback}).Get(large.URL)
			if err == nil {
				defer resp.Body.Close()
				_, err = io.ReadAll(resp.Body)
			}
			if !errors.Is(err, outbound.ErrTooLarge) {
				t.Errorf("got %v, want ErrTooLarge", err)
			}
		})
	}
	whole := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, outbound.MaxBody)) }))
	defer whole.Close()
	resp, err := outbound.New(outbound.Options{Allowed: loopback}).Get(whole.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || len(body) != outbound.MaxBody {
		t.Errorf("the largest answer allowed: got %d bytes, %v", len(body), err)
	}
}

func TestRedirects(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/end", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "end") })
	mux.Handle("/once", http.RedirectHandler("/end", http.StatusFound))
	mux.Handle("/loop", http.RedirectHandler("/loop", http.StatusFound))
	plain := httptest.NewServer(mux)
	defer plain.Close()
	mux.Handle("/down", http.RedirectHandler(plain.URL+"/end", http.StatusFound))
	encrypted := httptest.NewTLSServer(mux)
	defer encrypted.Close()
	client := outbound.New(outbound.Options{Allowed: loopback, Roots: roots(t, encrypted)})
	status := func(c *http.Client, url string) (int, error) {
		resp, err := c.Get(url)
		if err != nil {
			return 0, err
		}
		return resp.StatusCode, resp.Body.Close()
	}

	if got, err := status(client, plain.URL+"/once"); got != http.StatusFound {
		t.Errorf("not followed: got %d, %v", got, err)
	}
	follower := outbound.FollowRedirects(client)
	if got, err := status(follower, encrypted.URL+"/once"); got != http.StatusOK {
		t.Errorf("followed: got %d, %v", got, err)
	}
	if got, err := status(follower, plain.URL+"/loop"); got != http.StatusFound {
		t.Errorf("a loop: got %d, %v", got, err)
	}
	if _, err := status(follower, encrypted.URL+"/down"); !errors.Is(err, outbound.ErrInsecure) {
		t.Errorf("to http: got %v, want ErrInsecure", err)
	}
}

// A redirect is a way inside as well as a name.
func TestRedirectsDoNotLeadInside(t *testing.T) {
	inside := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the inside was reached") }))
	defer inside.Close()
	port := inside.URL[strings.LastIndex(inside.URL, ":"):]
	outside := httptest.NewServer(http.RedirectHandler("http://127.0.0.2"+port, http.StatusFound))
	defer outside.Close()
	only := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	if _, err := outbound.FollowRedirects(outbound.New(outbound.Options{Allowed: only})).Get(outside.URL); !errors.Is(err, outbound.ErrNotPublic) {
		t.Errorf("got %v, want ErrNotPublic", err)
	}
}

// A proxy that the environment names is not used.
func TestNoProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the proxy was used") }))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	if _, err := outbound.New(outbound.Options{}).Get("http://192.0.2.1/"); !errors.Is(err, outbound.ErrNotPublic) {
		t.Errorf("got %v, want ErrNotPublic", err)
	}
}

func TestRoots(t *testing.T) {
	if pool, err := outbound.Roots(""); pool != nil || err != nil {
		t.Errorf("no file: got %v, %v", pool, err)
	}
	if _, err := outbound.Roots(filepath.Join(t.TempDir(), "missing.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: got %v", err)
	}
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := outbound.Roots(empty); err == nil {
		t.Error("a file without a certificate was taken")
	}
}

func roots(t *testing.T, s *httptest.Server) *x509.CertPool {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	pool, err := outbound.Roots(file)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}
