package httpapi

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// The times after which a connection is given up. There is none for a whole
// answer, because a long poll may wait: each write has its own instead.
const (
	headTimeout  = 10 * time.Second
	idleTimeout  = 2 * time.Minute
	bodyTimeout  = time.Minute
	writeTimeout = 30 * time.Second
	// slowestRead is how many bytes a second a client must take.
	slowestRead = 16 << 10
)

type connKey struct{}

// HTTPServer gives the server for listeners that a [Gate] guards. It speaks
// HTTP/1.1: HTTP/2 and TLS are for the proxy before it.
func (s *Server) HTTPServer() *http.Server {
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Server{
		Handler:           http.HandlerFunc(s.guard),
		Protocols:         &protocols,
		ReadHeaderTimeout: headTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHead - 4096, // net/http adds 4096
		// What it logs is the misfortune of single connections.
		ErrorLog: slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
		ConnContext: func(ctx context.Context, c net.Conn) context.Context {
			return context.WithValue(ctx, connKey{}, c)
		},
		ConnState: func(c net.Conn, state http.ConnState) {
			if own, ok := c.(*conn); ok && state == http.StateIdle {
				own.expectHead()
			}
		},
	}
}

// Stop ends the waiting of long polls, present and future. It is called once.
func (s *Server) Stop() { close(s.stopping) }

// Shutdown stops, and returns when the requests to a server made by [Server.HTTPServer]
// have been answered, or with an error when the context ends before.
func (s *Server) Shutdown(ctx context.Context, web *http.Server) error {
	s.Stop()
	if err := web.Shutdown(ctx); err != nil {
		return err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.apart.Wait() // by now no connection joins them
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// guard refuses ambiguous requests and gives each its deadlines.
func (s *Server) guard(w http.ResponseWriter, r *http.Request) {
	s.takeTurns()
	w = &timedWriter{w, s.Now}
	c, ok := r.Context().Value(connKey{}).(*conn)
	if ok && c.ambiguous(len(r.TransferEncoding) > 0, r.RequestURI) {
		w.Header().Set("Connection", "close")
		s.refuse(w, r, errcode.NotJSON.New("The request must say its length once, by Content-Length or by Transfer-Encoding, and have each header on one line."))
		return
	}
	if r.Body != nil && r.Body != http.NoBody {
		s.timeBody(w, r)
	}
	s.ServeHTTP(w, r)
}

// takeTurns lets the requests go first that came before this one, while hardly anything
// is worked on: Go does not ask what the network has made ready while a processor has a
// goroutine to run, or hardly, so that three clients who ask without a pause kept a fourth
// waiting for 0.2 s. With more processors another one asks. Under load, requests wait
// for each other anyway, and it would only be later that one is refused.
func (s *Server) takeTurns() {
	if runtime.GOMAXPROCS(0) == 1 && s.Admission.quiet() {
		runtime.Gosched()
	}
}

// timeBody gives the reading of a body its time.
func (s *Server) timeBody(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	// An error says that the connection is gone, which reading or writing will show.
	_ = control.SetWriteDeadline(s.Now().Add(bodyTimeout + writeTimeout)) // for 100 Continue
	_ = control.SetReadDeadline(s.Now().Add(bodyTimeout))
	r.Body = &timedBody{ReadCloser: r.Body, control: control}
}

// timedBody lifts the deadline when the body has been read, since the handler may
// take longer and net/http goes on reading to notice a client that goes away.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

func (b *timedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		_ = b.control.SetReadDeadline(time.Time{}) // as in guard
	}
	return n, err
}

// timedWriter gives each write its own deadline, by its length.
type timedWriter struct {
	http.ResponseWriter
	now func() time.Time
}

func (w *timedWriter) Write(p []byte) (int, error) {
	allowed := writeTimeout + time.Duration(len(p)/slowestRead)*time.Second
	_ = http.NewResponseController(w.ResponseWriter).SetWriteDeadline(w.now().Add(allowed)) // as in guard
	return w.ResponseWriter.Write(p)
}

// Unwrap is for http.ResponseController.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
