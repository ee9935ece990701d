package httpapi

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/narthex-matrix/narthex/internal/db"
)

// apart is a connection that has been taken from net/http while its client waits: at
// first for the answer of a long poll, then with its next request. In net/http it would
// hold buffers of 10 KiB. Here it has two goroutines with the smallest stack that there
// is: one reads, the other waits. When there is something to do, the second does it and
// leaves the waiting to a new one, because its stack has grown.
type apart struct {
	conn *conn
	web  *http.Server // to which it goes back
	// came is closed when the next request begins, with ahead, or the client is gone.
	came  chan struct{}
	ahead []byte

	request *http.Request
	route   *Route
	call    *Call
	end     <-chan struct{} // ends the waiting for an answer: came, or nil when that was a request
}

// takeApart takes the connection of a long poll from net/http and goes on with it
// elsewhere, or reports that it cannot: a test without a connection, or a request that is
// the last of its connection or has a body.
func (s *Server) takeApart(w http.ResponseWriter, r *http.Request, route *Route, call *Call) bool {
	own, ok := r.Context().Value(connKey{}).(*conn)
	if !ok || r.Close || !r.ProtoAtLeast(1, 1) || r.Body != http.NoBody {
		return false
	}
	s.apart.Add(1) // before net/http counts it no more
	_, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		s.apart.Done()
		return false
	}
	own.forgetHead()
	web, _ := r.Context().Value(http.ServerContextKey).(*http.Server) // net/http has set it
	ahead, _ := buffered.Reader.Peek(buffered.Reader.Buffered())      // that much is there
	a := &apart{conn: own, web: web, came: make(chan struct{}), ahead: bytes.Clone(ahead), request: r, route: route, call: call}
	a.end = a.came
	go a.read()
	go s.waitApart(a)
	return true
}

// read waits for what the client sends after its request.
func (a *apart) read() {
	if len(a.ahead) == 0 {
		var b [1]byte
		n, _ := a.conn.Read(b[:]) // after an error there is nothing
		a.ahead = b[:n]
	}
	close(a.came)
}

// waitApart waits for a reason to look.
func (s *Server) waitApart(a *apart) {
	s.lookApart(a, a.call.wait.reason(s.stopping, a.end))
}

// lookApart looks for the answer, and gives it or waits on.
func (s *Server) lookApart(a *apart, why Reason) {
	defer func() {
		if p := recover(); p != nil {
			s.Log.Error("not answered", "op", a.route.Op, "err", panicked(p))
			s.closeApart(a)
		}
	}()
	if why == gone && len(a.ahead) > 0 {
		a.end = nil // it is not gone, and only does not wait for the answer
		go s.waitApart(a)
		return
	}
	answer, err := a.call.look(context.WithoutCancel(a.request.Context()), why)
	if answer == nil && err == nil {
		a.call.Pause()
		go s.waitApart(a)
		return
	}
	w := &apartWriter{conn: a.conn, header: http.Header{"Date": {s.Now().UTC().Format(http.TimeFormat)}}}
	if why == Stopping {
		w.header.Set("Connection", "close")
	}
	s.endPoll(&timedWriter{w, s.Now}, a.request, a.route, a.call, answer, err)
	db.ReleaseWakes(a.request.Context())
	if err := a.conn.SetReadDeadline(s.Now().Add(idleTimeout)); w.err != nil || err != nil {
		s.closeApart(a)
		return
	}
	a.request, a.route, a.call = nil, nil, nil
	go s.awaitNext(a)
}

// awaitNext waits for the next request.
func (s *Server) awaitNext(a *apart) {
	select {
	case <-a.came:
		s.giveBack(a)
	case <-s.stopping:
		s.closeApart(a)
	}
}

// giveBack gives the connection to net/http, unless the client is gone, has sent nothing
// for too long, or the server stops.
func (s *Server) giveBack(a *apart) {
	if len(a.ahead) > 0 {
		a.conn.ahead = a.ahead
		a.conn.expectHead()
		l := &listenOnce{conn: a.conn}
		_ = a.web.Serve(l) // it ends when it has accepted the connection, or does not want it
		if l.conn == nil {
			s.apart.Done()
			return
		}
	}
	s.closeApart(a)
}

func (s *Server) closeApart(a *apart) {
	_ = a.conn.Close() // it is of no more use
	s.apart.Done()
}

// listenOnce is a listener of one connection, which has been there for long.
type listenOnce struct{ conn net.Conn }

// Accept gives the connection.
func (l *listenOnce) Accept() (net.Conn, error) {
	c := l.conn
	if l.conn = nil; c == nil {
		return nil, net.ErrClosed
	}
	return c, nil
}

// Close does nothing: there is nothing to end.
func (l *listenOnce) Close() error { return nil }

// Addr is the server's end.
func (l *listenOnce) Addr() net.Addr { return l.conn.LocalAddr() }

// apartWriter writes an answer whose body is written at once, to a connection that is
// not with net/http.
type apartWriter struct {
	conn   *conn
	header http.Header
	status int
	err    error
}

// Header gives the headers, to be set before Write.
func (w *apartWriter) Header() http.Header { return w.header }

// WriteHeader keeps the status for Write.
func (w *apartWriter) WriteHeader(status int) { w.status = status }

// Write writes head and body.
func (w *apartWriter) Write(body []byte) (int, error) {
	var b bytes.Buffer
	b.Grow(len(body) + 1024)
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", w.status, http.StatusText(w.status))
	_ = w.header.Write(&b) // a buffer takes all
	b.WriteString("\r\n")
	b.Write(body)
	if _, w.err = w.conn.Write(b.Bytes()); w.err != nil {
		return 0, w.err
	}
	return len(body), nil
}

// SetWriteDeadline is for [http.ResponseController].
func (w *apartWriter) SetWriteDeadline(t time.Time) error { return w.conn.SetWriteDeadline(t) }
