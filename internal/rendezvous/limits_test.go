package rendezvous_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/internal/apitest"
	"github.com/narthex-matrix/narthex/internal/config"
	"github.com/narthex-matrix/narthex/internal/db"
	"github.com/narthex-matrix/narthex/internal/errcode"
)

// limitedTo makes a server that limits rates, to as many requests at once.
func limitedTo(t *testing.T, requests int) *apitest.Server {
	return apitest.New(t, open, func(c *config.Config) {
		c.Dev = false
		c.TrustedProxies = []string{"127.0.0.0/8"}
		budget := config.Rate{PerSecond: 0.001, Burst: requests}
		c.RateLimits = config.RateLimits{Enabled: true, Cheap: budget, Expensive: budget}
	})
}

// comesBack fails the test unless a refusal says when to come back.
func comesBack(t *testing.T, r *apitest.Response) {
	t.Helper()
	var body struct {
		Errcode string `json:"errcode"`
		After   int64  `json:"retry_after_ms"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Fatal(err)
	}
	seconds, err := strconv.ParseInt(r.Header.Get("Retry-After"), 10, 64)
	if err != nil || seconds < 1 || body.After != seconds*1000 {
		t.Errorf("Retry-After is %q, and the body %s", r.Header.Get("Retry-After"), r.Body)
	}
}

func TestRZ4_Z22_Rates(t *testing.T) {
	srv := limitedTo(t, 1)
	session, etag := created(t, srv, unstableETag, "first")
	status(t, srv.Anyone().Do(t, "GET", session, nil), 200)
	for _, e := range []endpoint{{"POST", unstableETag}, {"POST", stable}, {"GET", session}, {"PUT", session}, {"DELETE", session}} {
		var body any
		if e.method != "GET" {
			body = strings.Repeat("x", 20_000) // RZ-4 before RZ-6
		}
		comesBack(t, fails(t, with(plain(srv), "If-Match", etag), e.method, e.path, body, errcode.RendezvousLimit))
	}
	for _, e := range append(jsonEndpoints, stableEndpoints...) {
		comesBack(t, fails(t, with(srv.Anyone(), "Content-Type", "application/json"), e.method, e.path, nil, errcode.LimitExceeded))
	}
}

func TestRZ30_SessionsOfOneNetwork(t *testing.T) {
	srv := limitedTo(t, 1000)
	from := func(address string) *apitest.Client { return with(plain(srv), "X-Forwarded-For", address) }
	var sessions []string
	for i := range 10 {
		status(t, from("192.0.2.1").Do(t, "POST", unstableETag, ""), 201)
		r := status(t, from(fmt.Sprintf("2001:db8::%d", i+1)).Do(t, "POST", stable, ""), 201)
		var body struct{ URL string }
		decode(t, r, &body)
		sessions = append(sessions, strings.TrimPrefix(body.URL, srv.URL))
	}
	comesBack(t, fails(t, from("192.0.2.1"), "POST", unstableETag, "", errcode.RendezvousLimit))
	comesBack(t, fails(t, from("2001:db8::ffff:ffff"), "POST", stable, "", errcode.RendezvousLimit))
	json := with(from("2001:db8::99"), "Content-Type", "application/json")
	comesBack(t, fails(t, json, "POST", stable, object{"data": ""}, errcode.LimitExceeded))
	comesBack(t, fails(t, json, "POST", unstableJSON, object{"data": ""}, errcode.LimitExceeded))
	status(t, from("192.0.2.2").Do(t, "POST", unstableETag, ""), 201)
	status(t, from("2001:db8:0:1::1").Do(t, "POST", unstableETag, ""), 201)
	for _, s := range sessions {
		status(t, srv.Anyone().Do(t, "GET", s, nil), 200) // none was given up
	}
	status(t, srv.Anyone().Do(t, "DELETE", sessions[0], nil), 204)
	status(t, from("2001:db8::1").Do(t, "POST", stable, ""), 201)
	fails(t, from("2001:db8::1"), "POST", stable, "", errcode.RendezvousLimit)
	srv.Advance(301 * time.Second)
	status(t, from("2001:db8::1").Do(t, "POST", stable, ""), 201)
}

func TestRZ30_SessionsOfAll(t *testing.T) {
	srv := apitest.New(t, open) // under --dev: no cap for one network, but this one
	var first string
	for range 11 {
		first, _ = created(t, srv, unstableETag, "first")
	}
	err := srv.App.DB.Write(t.Context(), func(tx *db.Tx) error {
		ends := tx.Now.Add(5 * time.Minute).UnixMilli()
		for i := range 989 {
			if _, err := tx.Exec(`INSERT INTO rendezvous_sessions VALUES ($1, 'msc4108', TRUE, '', $2, '', 0, 0, 0, $3, $3)`, strconv.Itoa(i), []byte{}, ends); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	comesBack(t, fails(t, plain(srv), "POST", unstableETag, "", errcode.RendezvousLimit))
	comesBack(t, fails(t, srv.Anyone(), "POST", stable, object{"data": ""}, errcode.LimitExceeded))
	status(t, srv.Anyone().Do(t, "GET", first, nil), 200)
	status(t, srv.Anyone().Do(t, "DELETE", first, nil), 204)
	created(t, srv, unstableETag, "")
	srv.Advance(301 * time.Second)
	created(t, srv, unstableETag, "") // the expired count no more, swept or not
	srv.RunJobs(t)
	created(t, srv, unstableETag, "")
}

func TestWritesOfOneSession(t *testing.T) {
	srv := apitest.New(t, open)
	session, etag := created(t, srv, unstableETag, "")
	m := makeMailbox(t, srv.Anyone(), stable, "")
	for i := range 32 {
		etag = put(t, srv, session, etag, strconv.Itoa(i))
		srv.Anyone().Do(t, "PUT", stable+"/"+m.ID, object{"data": strconv.Itoa(i), "sequence_token": m.SequenceToken}).OK(t, &m)
	}
	comesBack(t, fails(t, with(plain(srv), "If-Match", etag), "PUT", session, "x", errcode.RendezvousLimit))
	for _, at := range []string{stable, unstableJSON} {
		comesBack(t, fails(t, srv.Anyone(), "PUT", at+"/"+m.ID, object{"data": "x", "sequence_token": m.SequenceToken}, errcode.LimitExceeded))
	}
	if r := srv.Anyone().Do(t, "GET", session, nil); string(r.Body) != "31" || readMailbox(t, srv, stable+"/"+m.ID).Data != "31" {
		t.Errorf("what was refused has been written: %s", r.Body)
	}
}

func TestBytesOfOneSession(t *testing.T) {
	srv := apitest.New(t)
	large := strings.Repeat("x", 10240)
	session, etag := created(t, srv, unstableETag, large)
	for range 15 {
		etag = put(t, srv, session, etag, large)
	}
	comesBack(t, fails(t, with(plain(srv), "If-Match", etag), "PUT", session, "x", errcode.RendezvousLimit))
	put(t, srv, session, etag, "")
}

// TestRZ5to6_BeforeTheBody writes heads whose bodies never come. The answers come
// nevertheless, and end the connection.
func TestRZ5to6_BeforeTheBody(t *testing.T) {
	srv := apitest.New(t)
	session, etag := created(t, srv, unstableETag, "first")
	for _, request := range []string{"POST " + unstableETag, "POST " + stable, "PUT " + session} {
		head := request + " HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nIf-Match: " + etag + "\r\n"
		for _, c := range []struct {
			name, rest, code string
			status           int
		}{
			{"RZ-5 no length", "\r\n", "M_MISSING_PARAM", 400},
			{"RZ-5 chunked", "Transfer-Encoding: chunked\r\n\r\n", "M_MISSING_PARAM", 400},
			{"RZ-6 too large", "Content-Length: 10241\r\n\r\n", "M_TOO_LARGE", 413},
			{"RZ-6 too large, and asks first", "Content-Length: 10241\r\nExpect: 100-continue\r\n\r\n", "M_TOO_LARGE", 413},
			{"RZ-6 endless", "Content-Length: 9223372036854775807\r\n\r\n", "M_TOO_LARGE", 413},
		} {
			t.Run(request+" "+c.name, func(t *testing.T) {
				conn, err := net.Dial("tcp", strings.TrimPrefix(srv.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				if _, err := io.WriteString(conn, head+c.rest); err != nil {
					t.Fatal(err)
				}
				in := bufio.NewReader(conn)
				r, err := http.ReadResponse(in, nil)
				if err != nil {
					t.Fatal(err)
				}
				defer r.Body.Close()
				body, err := io.ReadAll(r.Body)
				if err != nil || r.StatusCode != c.status || !strings.Contains(string(body), c.code) || !r.Close {
					t.Errorf("got %s %s, closing: %v, %v", r.Status, body, r.Close, err)
				}
				// net/http waits for a little of the body, so that the answer is not lost.
				if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
					t.Fatal(err)
				}
				if _, err := in.ReadByte(); err != io.EOF {
					t.Errorf("the connection goes on: %v", err)
				}
			})
		}
	}
	if r := srv.Anyone().Do(t, "GET", session, nil); string(r.Body) != "first" {
		t.Errorf("got %s", r.Body)
	}
}
