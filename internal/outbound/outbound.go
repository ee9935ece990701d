// Package outbound is the way out: the HTTP client for requests to addresses that
// strangers choose, such as other people's homeservers.
//
// It promises that such a request reaches a public address or none. What counts is
// the address that the connection is made to, after names were resolved and after
// every redirect, so that no name, however it is spelled, and no answer of a name
// server that changes in between leads into the network of the server. Answers are
// cut off at a size, requests at a time; no proxy is used that the environment
// names; redirects are followed only where asked for, and never from https to http.
//
// RFC 6890 and its registries list the addresses that are not public.
package outbound

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"slices"
	"syscall"
	"time"
)

// The reasons why a request is not made or not finished.
var (
	// ErrNotPublic says that the address is one of a private network, this machine,
	// or another that is not for the public.
	ErrNotPublic = errors.New("the address is not public")
	// ErrTooLarge says that the answer is larger than it may be.
	ErrTooLarge = errors.New("the answer is too large")
	// ErrInsecure says that a redirect leads from https to http.
	ErrInsecure = errors.New("a redirect leads from https to http")
)

// The limits of a request.
const (
	timeout      = 10 * time.Second
	maxHeader    = 64 << 10
	maxRedirects = 3
	// MaxBody is the largest answer, in bytes.
	MaxBody = 512 << 10
)

// Options are what an operator allows beyond the public.
type Options struct {
	// Allowed are networks that are reached although they are not public.
	Allowed []netip.Prefix
	// Roots are the authorities of certificates; nil means those of the system.
	Roots *x509.CertPool
}

// New makes a client that reaches public addresses and the allowed ones. It shows
// redirects as they are; [FollowRedirects] gives one that follows them.
func New(o Options) *http.Client {
	dialer := &net.Dialer{Timeout: timeout, ControlContext: func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return o.check(address)
	}}
	return &http.Client{
		Timeout:       timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: limited{&http.Transport{
			DialContext:            dialer.DialContext,
			TLSClientConfig:        &tls.Config{RootCAs: o.Roots, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout:    timeout,
			MaxResponseHeaderBytes: maxHeader,
			MaxIdleConnsPerHost:    2,
			IdleConnTimeout:        time.Minute,
			ForceAttemptHTTP2:      true,
		}},
	}
}

// FollowRedirects gives a client over the same connections that follows up to
// three redirects. Authorization headers do not go to another host.
func FollowRedirects(c *http.Client) *http.Client {
	follower := *c
	follower.CheckRedirect = func(next *http.Request, before []*http.Request) error {
		if len(before) > maxRedirects {
			return http.ErrUseLastResponse
		}
		if before[len(before)-1].URL.Scheme == "https" && next.URL.Scheme != "https" {
			return ErrInsecure
		}
		return nil
	}
	return &follower
}

// check refuses the address of a connection that is about to be made.
func (o Options) check(address string) error {
	to, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: %s", ErrNotPublic, address)
	}
	addr := to.Addr().WithZone("")
	if slices.ContainsFunc(o.Allowed, func(p netip.Prefix) bool { return p.Contains(addr) || p.Contains(addr.Unmap()) }) {
		return nil
	}
	if !Public(to.Addr()) {
		return fmt.Errorf("%w: %s", ErrNotPublic, to.Addr())
	}
	return nil
}

// limited cuts off answers that are too large.
type limited struct{ next http.RoundTripper }

func (l limited) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := l.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	if resp.ContentLength > MaxBody {
		return nil, errors.Join(ErrTooLarge, resp.Body.Close())
	}
	resp.Body = &limitedBody{ReadCloser: resp.Body, left: MaxBody}
	return resp, nil
}

// CloseIdleConnections closes the connections that wait for the next request.
func (l limited) CloseIdleConnections() {
	if next, ok := l.next.(interface{ CloseIdleConnections() }); ok {
		next.CloseIdleConnections()
	}
}

type limitedBody struct {
	io.ReadCloser
	left int64
}

// Read fails with ErrTooLarge at the first byte beyond the limit, so that nobody
// takes the beginning of an answer for the whole.
func (b *limitedBody) Read(p []byte) (int, error) {
	if int64(len(p)) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if int64(n) > b.left {
		return int(b.left), ErrTooLarge
	}
	b.left -= int64(n)
	return n, err
}

// Roots adds the certificates of a PEM file to those of the system. Without a file
// it gives nil, which means those of the system.
func Roots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	roots, err := x509.SystemCertPool()
	if err != nil {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s holds no certificate in PEM form", file)
	}
	return roots, nil
}
