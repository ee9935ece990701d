package httpapi

import (
	"bytes"
	"net"
	"net/netip"
	"slices"
	"sync"
)

// perNetwork is how many connections one address may hold, or one IPv6 network of
// 64 bits. A browser holds six; an office behind one address rarely more than this.
const perNetwork = 256

// Gate bounds the network connections of one process.
type Gate struct {
	slots  chan struct{}
	exempt []netip.Prefix
	mu     sync.Mutex
	open   map[netip.Prefix]int
}

// NewGate admits at most total connections at once over all its listeners, and
// at most 256 from one address or IPv6 network. Further ones wait for the first
// limit and are closed for the second. Loopback and the proxies in exempt, who
// speak for many, count against the first only.
func NewGate(total int, exempt []netip.Prefix) *Gate {
	return &Gate{slots: make(chan struct{}, total), exempt: exempt, open: map[netip.Prefix]int{}}
}

// Guard puts a listener behind the gate. A server made by [Server.HTTPServer]
// accepts from guarded listeners only.
func (g *Gate) Guard(l net.Listener) net.Listener {
	return &guarded{Listener: l, gate: g, closed: make(chan struct{})}
}

// enter counts a connection of the address, or reports that there are too many.
func (g *Gate) enter(addr netip.Addr) bool {
	if g.free(addr) {
		return true
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	from := network(addr)
	if g.open[from] >= perNetwork {
		return false
	}
	g.open[from]++
	return true
}

func (g *Gate) leave(addr netip.Addr) {
	if g.free(addr) {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	from := network(addr)
	if g.open[from]--; g.open[from] == 0 {
		delete(g.open, from)
	}
}

func (g *Gate) free(addr netip.Addr) bool {
	return !addr.IsValid() || addr.IsLoopback() || slices.ContainsFunc(g.exempt, func(p netip.Prefix) bool { return p.Contains(addr) })
}

type guarded struct {
	net.Listener
	gate   *Gate
	once   sync.Once
	closed chan struct{}
}

func (l *guarded) Accept() (net.Conn, error) {
	select {
	case l.gate.slots <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			<-l.gate.slots
			return nil, err
		}
		addr := peer(c)
		if l.gate.enter(addr) {
			return &conn{Conn: c, gate: l.gate, addr: addr, recording: true}, nil
		}
		_ = c.Close() // it is one too many
	}
}

func (l *guarded) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

func peer(c net.Conn) netip.Addr {
	at, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Addr{}
	}
	return at.Addr().Unmap().WithZone("")
}

// maxHead is the largest head of a request, in bytes: request line and headers.
const maxHead = 64 << 10

// conn is a counted connection. It keeps the head of the request that is being
// read, because net/http drops Content-Length where Transfer-Encoding is given
// too, and so a handler cannot see that a request had both.
type conn struct {
	net.Conn
	gate *Gate
	addr netip.Addr
	once sync.Once

	ahead []byte // was read before, and is to be read again

	mu        sync.Mutex
	recording bool
	head      []byte
}

func (c *conn) Read(p []byte) (n int, err error) {
	if len(c.ahead) > 0 {
		n = copy(p, c.ahead)
		c.ahead = c.ahead[n:]
	} else {
		n, err = c.Conn.Read(p)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.recording {
		c.head = append(c.head, p[:min(n, maxHead-len(c.head))]...)
	}
	return n, err
}

func (c *conn) Close() error {
	c.once.Do(func() {
		c.gate.leave(c.addr)
		<-c.gate.slots
	})
	return c.Conn.Close()
}

// expectHead makes the connection record: the next bytes are a request's head.
func (c *conn) expectHead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recording, c.head = true, c.head[:0]
}

// forgetHead frees what was recorded.
func (c *conn) forgetHead() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recording, c.head = false, nil
}

// ambiguous ends the recording, and reports whether a proxy may have read the
// request's head otherwise than this server: a header goes on in a second line; or
// a chunked request has a Content-Length too, or a head that was not seen whole (a
// pipelined request).
func (c *conn) ambiguous(chunked bool, target string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.recording = false
	_, rest, ok := bytes.Cut(c.head, []byte(" "+target+" HTTP/1."))
	head, _, whole := bytes.Cut(rest, []byte("\r\n\r\n"))
	if !ok || !whole {
		return chunked
	}
	return bytes.Contains(head, []byte("\n ")) || bytes.Contains(head, []byte("\n\t")) ||
		chunked && bytes.Contains(bytes.ToLower(head), []byte("\ncontent-length"))
}
