package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/httpapi"
)

type nothing struct{}

type echoRequest struct {
	Text string `json:"text"`
}

type echoResponse struct {
	Text string `json:"text"`
}

// serving starts a server with an echo and a long poll on loopback.
func serving(t *testing.T, gate *httpapi.Gate) (address string, s *httpapi.Server, web *http.Server, waiting chan struct{}) {
	t.Helper()
	waiting = make(chan struct{}, 1)
	s = &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	s.Handle([]httpapi.Route{
		httpapi.JSON("POST /echo", "echo", httpapi.Anyone, httpapi.Unlimited,
			func(_ context.Context, _ *httpapi.Call, req echoRequest) (echoResponse, error) {
				return echoResponse(req), nil
			}),
		httpapi.JSON("GET /wait", "wait", httpapi.Anyone, httpapi.Unlimited,
			func(_ context.Context, call *httpapi.Call, _ nothing) (echoResponse, error) {
				waiting <- struct{}{}
				<-call.Stopping
				return echoResponse{"stopping"}, nil
			}),
	})
	web = s.HTTPServer()
	return open(t, web, gate), s, web, waiting
}

// open has a server listen on loopback until the test ends.
func open(t *testing.T, web *http.Server, gate *httpapi.Gate) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = web.Serve(gate.Guard(l)) }() // it ends by Shutdown or Close
	t.Cleanup(func() { web.Close() })
	return l.Addr().String()
}

// talk writes raw requests on one connection and gives the answers' status lines
// and whether the server closed the connection in the end.
func talk(t *testing.T, address string, requests ...string) (statuses []string, closed bool) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	r := bufio.NewReader(c)
	for _, request := range requests {
		if _, err := io.WriteString(c, request); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatalf("after %v: %v", statuses, err)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		statuses = append(statuses, resp.Status)
		closed = resp.Close
	}
	return statuses, closed
}

const (
	sized   = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\n{\"text\":\"a\"}"
	chunked = "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{\"text\":\"a\"}\r\n0\r\n\r\n"
	both    = "POST /echo HTTP/1.1\r\nHost: x\r\ncontent-length: 12\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n{\"text\":\"a\"}\r\n0\r\n\r\n"
)

func TestAmbiguousRequestIsRefused(t *testing.T) {
	address, _, _, _ := serving(t, httpapi.NewGate(10, nil))
	for name, c := range map[string]struct {
		requests []string
		want     string
		closed   bool
	}{
		"one of each kind":               {[]string{sized, chunked, sized, chunked}, "200 OK", false},
		"both":                           {[]string{both}, "400 Bad Request", true},
		"both, after an ordinary one":    {[]string{sized, chunked, both}, "400 Bad Request", true},
		"a header on two lines":          {[]string{strings.Replace(sized, "Host: x", "Host: x\r\nX-Note: a\r\n b", 1)}, "400 Bad Request", true},
		"a length on a second line":      {[]string{sized, strings.Replace(sized, "Length: ", "Length:\r\n\t", 1)}, "400 Bad Request", true},
		"a body that looks like headers": {[]string{strings.ReplaceAll(strings.ReplaceAll(chunked, `"a"`, `"Content-Length: 5"`), "\r\nc\r\n", "\r\n1c\r\n")}, "200 OK", false},
	} {
		t.Run(name, func(t *testing.T) {
			got, closed := talk(t, address, c.requests...)
			if last := got[len(got)-1]; last != c.want || closed != c.closed {
				t.Errorf("got %v, closed %v; want %s, closed %v", got, closed, c.want, c.closed)
			}
		})
	}
}

func TestHeadOfRequestIsBounded(t *testing.T) {
	address, _, _, _ := serving(t, httpapi.NewGate(10, nil))
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := io.WriteString(c, "GET /wait HTTP/1.1\r\nHost: x\r\nX: "+strings.Repeat("x", 70<<10)+"\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	got, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || !strings.Contains(got, "431") {
		t.Errorf("got %q %v, want status 431", got, err)
	}
}

func TestStopAnswersLongPollsAtOnce(t *testing.T) {
	address, s, web, waiting := serving(t, httpapi.NewGate(10, nil))
	answered := make(chan string, 1)
	go func() {
		resp, err := http.Get("http://" + address + "/wait")
		if err != nil {
			answered <- err.Error()
			return
		}
		defer resp.Body.Close()
		raw, err := io.ReadAll(resp.Body)
		answered <- fmt.Sprint(string(raw), err)
	}()
	<-waiting
	s.Stop()
	if got, want := <-answered, `{"text":"stopping"}<nil>`; got != want {
		t.Errorf("the long poll got %s, want %s", got, want)
	}
	if err := web.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestConnectionsAreCountedAtOnce holds that a full gate lets the next one in when one
// closes, and that one address cannot take more than its share.
func TestConnectionsAreCountedAtOnce(t *testing.T) {
	l := &arrivals{conns: make(chan net.Conn, 1000), closed: make(chan struct{})}
	gate := httpapi.NewGate(300, []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")})
	guarded := gate.Guard(l)
	accept := func() net.Conn {
		t.Helper()
		c, err := guarded.Accept()
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	var open []net.Conn
	for range 256 {
		l.arrive("203.0.113.7:1")
		open = append(open, accept())
	}
	refused := l.arrive("203.0.113.7:1")
	l.arrive("[2001:db8::1]:1")
	if c := accept(); !strings.HasPrefix(c.RemoteAddr().String(), "[2001:db8::1]") {
		t.Errorf("the 257th connection of %s was let in", c.RemoteAddr())
	}
	<-refused.closed
	for range 43 { // a proxy that speaks for many, up to the 300 of all
		l.arrive("198.51.100.9:1")
		open = append(open, accept())
	}
	next := make(chan net.Conn)
	go func() { c, _ := guarded.Accept(); next <- c }()
	l.arrive("203.0.113.8:1")
	select {
	case <-next:
		t.Fatal("the 301st connection was let in")
	default:
	}
	open[0].Close()
	open[0].Close() // counts once
	if c := <-next; c == nil {
		t.Error("nobody was let in after one had left")
	}
	l.arrive("203.0.113.7:1")
	open[1].Close()
	if c := accept(); !strings.HasPrefix(c.RemoteAddr().String(), "203.0.113.7") {
		t.Error("the address does not get its place back")
	}
	go guarded.Close()
	if _, err := guarded.Accept(); err == nil {
		t.Error("a closed listener accepts")
	}
}

// TestANetworkIsOneCustomer holds that somebody with many IPv6 addresses gets no
// more connections than somebody with one.
func TestANetworkIsOneCustomer(t *testing.T) {
	l := &arrivals{conns: make(chan net.Conn, 1000), closed: make(chan struct{})}
	guarded := httpapi.NewGate(1000, nil).Guard(l)
	for n := range uint64(256) {
		l.arrive(netip.AddrPortFrom(host(1, n), 1).String())
		if _, err := guarded.Accept(); err != nil {
			t.Fatal(err)
		}
	}
	refused := l.arrive(netip.AddrPortFrom(host(1, 256), 1).String())
	l.arrive(netip.AddrPortFrom(host(2, 1), 1).String())
	c, err := guarded.Accept()
	if err != nil || c.RemoteAddr().String() != netip.AddrPortFrom(host(2, 1), 1).String() {
		t.Fatalf("got %v %v, want the connection from another network", c, err)
	}
	<-refused.closed
}

// arrivals is a listener whose connections come from any address.
type arrivals struct {
	conns  chan net.Conn
	closed chan struct{}
}

type arrival struct {
	net.Conn
	from   net.Addr
	closed chan struct{}
}

func (l *arrivals) arrive(from string) *arrival {
	server, client := net.Pipe()
	_ = client.Close()
	c := &arrival{server, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(from)), make(chan struct{}, 2)}
	l.conns <- c
	return c
}

func (l *arrivals) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *arrivals) Close() error   { close(l.closed); return nil }
func (l *arrivals) Addr() net.Addr { return &net.TCPAddr{} }

func (c *arrival) RemoteAddr() net.Addr { return c.from }

func (c *arrival) Close() error {
	c.closed <- struct{}{}
	return c.Conn.Close()
}
