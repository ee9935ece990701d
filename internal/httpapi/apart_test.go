package httpapi_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// waitingRoom is a server on loopback with long polls whose connections are soon taken
// from net/http.
type waitingRoom struct {
	*httpapi.Server
	t       *testing.T
	web     *http.Server
	address string
	news    chan struct{} // wakes a poll
	apart   chan struct{} // receives when a connection has been taken
	turned  chan struct{} // receives when a poll has looked without being told
	ended   chan struct{} // receives when the waiting of a poll is over
	turn    time.Duration
}

type pollRequest struct {
	Since string `query:"since"`
}

func openWaitingRoom(t *testing.T, connections int) *waitingRoom {
	t.Helper()
	w := &waitingRoom{
		t: t, turn: time.Hour, turned: make(chan struct{}), news: make(chan struct{}), apart: make(chan struct{}, 1000), ended: make(chan struct{}, 1000),
		Server: &httpapi.Server{Now: time.Now, Log: slog.New(slog.DiscardHandler), Patience: time.Nanosecond},
	}
	w.Handle([]httpapi.Route{
		httpapi.JSON("POST /echo", "echo", httpapi.Anyone, httpapi.Unlimited, func(_ context.Context, _ *httpapi.Call, req echoRequest) (echoResponse, error) {
			return echoResponse(req), nil
		}),
		httpapi.JSON("GET /sync", "sync", httpapi.Anyone, httpapi.Unlimited, w.poll).Waits(),
	})
	w.web = w.HTTPServer()
	state := w.web.ConnState
	w.web.ConnState = func(c net.Conn, s http.ConnState) {
		state(c, s)
		if s == http.StateHijacked {
			w.apart <- struct{}{}
		}
	}
	w.address = open(t, w.web, httpapi.NewGate(connections, nil))
	return w
}

func (w *waitingRoom) poll(_ context.Context, call *httpapi.Call, req pollRequest) (echoResponse, error) {
	call.Await(&httpapi.Wait{
		News: w.news, Turn: w.turn, Most: time.Hour, End: func() { w.ended <- struct{}{} },
		Look: func(ctx context.Context, why httpapi.Reason) (any, error) {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			switch {
			case why == httpapi.TurnOver:
				select {
				case w.turned <- struct{}{}:
				default:
				}
				return nil, nil
			case req.Since == "over":
				return nil, errcode.UnknownToken.New("The session is over.")
			case req.Since == "unwritable":
				return unwritable{}, nil
			case req.Since == "panic":
				panic("as it was told")
			case why == httpapi.Stopping:
				return echoResponse{"stopping"}, nil
			}
			return echoResponse{"news since " + req.Since}, nil
		},
	})
	return echoResponse{}, nil
}

// unwritable is an answer that cannot be written.
type unwritable struct{}

// AppendJSON panics.
func (unwritable) AppendJSON([]byte) []byte { panic("as it was told") }

// visitor is a client with one connection.
type visitor struct {
	t *testing.T
	net.Conn
	r *bufio.Reader
}

func (w *waitingRoom) visit() *visitor {
	w.t.Helper()
	c, err := net.Dial("tcp", w.address)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	return &visitor{w.t, c, bufio.NewReader(c)}
}

func (v *visitor) send(text string) {
	v.t.Helper()
	if _, err := io.WriteString(v, text); err != nil {
		v.t.Fatal(err)
	}
}

func (v *visitor) expect(status int, body string) *http.Response {
	v.t.Helper()
	resp, err := http.ReadResponse(v.r, nil)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != status || !strings.Contains(string(got), body) {
		v.t.Errorf("got %s %s (%v), want %d %s", resp.Status, got, err, status, body)
	}
	return resp
}

// expectEnd holds that the server has closed the connection.
func (v *visitor) expectEnd() {
	v.t.Helper()
	if n, err := v.r.Read(make([]byte, 1)); err != io.EOF {
		v.t.Errorf("the connection is not closed: %d bytes, %v", n, err)
	}
}

func poll(since string) string {
	return "GET /sync?timeout=1000&since=" + since + " HTTP/1.1\r\nHost: a\r\n"
}

const (
	end    = "\r\n"
	toEcho = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
	hello  = toEcho + "Content-Length: 14\r\n\r\n" + `{"text":"hey"}`
)

// TestLongPollsApart holds that a long poll whose connection has been taken from net/http
// is answered as any other, and that the connection then is one like others.
func TestLongPollsApart(t *testing.T) {
	w := openWaitingRoom(t, 1)
	v := w.visit()
	for i := range 3 {
		v.send(poll(fmt.Sprint(i)) + end)
		<-w.apart
		w.news <- struct{}{}
		resp := v.expect(200, fmt.Sprintf(`{"text":"news since %d"}`, i))
		for name, want := range map[string]string{
			"Content-Type": "application/json", "Content-Length": "23", "Access-Control-Allow-Origin": "*", "X-Content-Type-Options": "nosniff", "Connection": "",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		if date, err := http.ParseTime(resp.Header.Get("Date")); err != nil || time.Since(date).Abs() > time.Hour {
			t.Errorf("Date: %q (%v)", resp.Header.Get("Date"), err)
		}
		<-w.ended
		v.send(hello)
		v.expect(200, `{"text":"hey"}`)
	}
	v.send(poll("4") + end)
	<-w.apart
	w.news <- struct{}{}
	v.expect(200, "since 4")
	v.send(toEcho + "Transfer-Encoding: chunked\r\n\r\ne\r\n" + `{"text":"hey"}` + "\r\n0\r\n\r\n")
	v.expect(200, `{"text":"hey"}`)
	for since, status := range map[string]int{"over": 401, "panic": 500} {
		v.send(poll(since) + end)
		<-w.apart
		w.news <- struct{}{}
		v.expect(status, "errcode")
	}
	// What may be read in two ways is refused on such a connection as well.
	v.send(poll("0") + end)
	<-w.apart
	w.news <- struct{}{}
	v.expect(200, "news")
	v.send(toEcho + "Content-Length: 14\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
	v.expect(400, "M_NOT_JSON")
	v.expectEnd()
}

// TestNextRequestBeforeTheAnswer holds that requests that are sent without waiting for
// an answer have theirs in order.
func TestNextRequestBeforeTheAnswer(t *testing.T) {
	w := openWaitingRoom(t, 1)
	v := w.visit()
	v.send(poll("1") + end + poll("2") + end + hello)
	for _, since := range []string{"1", "2"} {
		<-w.apart
		w.news <- struct{}{}
		v.expect(200, "since "+since)
	}
	v.expect(200, "hey")
	v.send(poll("3") + end)
	<-w.apart
	v.send(hello[:20]) // which does not end the poll before
	w.news <- struct{}{}
	v.expect(200, "since 3")
	v.send(hello[20:])
	v.expect(200, "hey")
}

// TestClientsGoAway holds that of a client who has gone nothing is left: its poll ends,
// and its place is another's.
func TestClientsGoAway(t *testing.T) {
	w := openWaitingRoom(t, 1)
	for range 3 {
		v := w.visit()
		v.send(poll("1") + end)
		<-w.apart
		v.Close()
		<-w.ended

		v = w.visit() // the only place is free again
		v.send(poll("2") + end)
		<-w.apart
		w.news <- struct{}{}
		v.expect(200, "since 2")
		<-w.ended
		v.Close() // instead of another request
	}
}

// TestAnAnswerThatCannotBeWritten holds that it costs its connection, and nobody else.
func TestAnAnswerThatCannotBeWritten(t *testing.T) {
	w := openWaitingRoom(t, 1)
	v := w.visit()
	v.send(poll("unwritable") + end)
	<-w.apart
	w.news <- struct{}{}
	v.expectEnd()
	<-w.ended
	v = w.visit()
	v.send(hello)
	v.expect(200, "hey")
}

// TestNotTakenApart holds that a request after which its connection ends, or of which
// there is more to read, waits as well.
func TestNotTakenApart(t *testing.T) {
	w := openWaitingRoom(t, 10)
	w.turn = time.Millisecond
	for name, request := range map[string]string{
		"the last":  poll("1") + "Connection: close\r\n" + end,
		"HTTP/1.0":  strings.Replace(poll("1"), "1.1", "1.0", 1) + end,
		"kept open": strings.Replace(poll("1"), "1.1", "1.0", 1) + "Connection: keep-alive\r\n" + end,
		"with body": poll("1") + "Content-Length: 14\r\n\r\nGET / HTTP/1.1",
	} {
		v := w.visit()
		v.send(request)
		<-w.turned // which is after its patience
		w.news <- struct{}{}
		resp := v.expect(200, "since 1")
		if resp.Close {
			v.expectEnd()
		} else {
			v.send(hello)
			v.expect(200, "hey")
		}
		if ends := name == "the last" || name == "HTTP/1.0"; resp.Close != ends {
			t.Errorf("%s: the connection ends: %t", name, resp.Close)
		}
		<-w.ended
	}
	if n := len(w.apart); n > 0 {
		t.Errorf("%d connections were taken", n)
	}
}

// TestShutdownAnswersLongPolls holds that a server that stops answers whoever waits before
// Shutdown returns, and closes the connections of those who have been answered.
func TestShutdownAnswersLongPolls(t *testing.T) {
	w := openWaitingRoom(t, 10)
	answered := w.visit()
	answered.send(poll("1") + end)
	<-w.apart
	w.news <- struct{}{}
	answered.expect(200, "since 1")
	waiting := w.visit()
	waiting.send(poll("2") + end)
	<-w.apart
	if err := w.Shutdown(t.Context(), w.web); err != nil {
		t.Fatal(err)
	}
	if len(w.ended) < 2 {
		t.Errorf("somebody still waits")
	}
	if resp := waiting.expect(200, "stopping"); !resp.Close {
		t.Errorf("no word that the connection ends: %v", resp.Header)
	}
	waiting.expectEnd()
	answered.expectEnd()
}

// TestShutdownHasATime holds that what waits for longer than the server will is left.
func TestShutdownHasATime(t *testing.T) {
	w := openWaitingRoom(t, 10)
	looking, on := make(chan struct{}), make(chan struct{})
	w.Handle([]httpapi.Route{httpapi.JSON("GET /sync", "sync", httpapi.Anyone, httpapi.Unlimited, func(_ context.Context, call *httpapi.Call, _ nothing) (who whoIs, err error) {
		call.Await(&httpapi.Wait{News: w.news, Turn: time.Hour, Most: time.Hour, End: func() {}, Look: func(context.Context, httpapi.Reason) (any, error) {
			close(looking)
			<-on
			return who, nil
		}})
		return who, nil
	}).Waits()})
	v := w.visit()
	v.send(poll("1") + end)
	<-w.apart
	w.news <- struct{}{}
	<-looking
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Shutdown(ctx, w.web); err != context.Canceled {
		t.Errorf("got %v", err)
	}
	close(on)
	v.expect(200, "user_id")
}

// TestManyApartAtOnce holds that very many who poll and go are each answered in turn.
func TestManyApartAtOnce(t *testing.T) {
	const clients, polls = 40, 20
	w := openWaitingRoom(t, clients)
	stop := make(chan struct{})
	go func() {
		for {
			select {
			case w.news <- struct{}{}:
			case <-w.apart:
			case <-w.ended:
			case <-stop:
				return
			}
		}
	}()
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			v := w.visit()
			for n := range polls {
				since := fmt.Sprintf("%d.%d", i, n)
				v.send(poll(since) + end)
				if n%7 == 6 { // it has not the patience
					v.Close()
					v = w.visit()
					continue
				}
				v.expect(200, "since "+since+`"`)
			}
			v.Close()
		})
	}
	group.Wait()
	close(stop)
	if err := w.Shutdown(t.Context(), w.web); err != nil {
		t.Error(err)
	}
}
