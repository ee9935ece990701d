package qr_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/narthex-matrix/narthex/signin/qr"
)

// A meetingPlace is a server of rendezvous sessions, written from the proposals. It
// has one session.
type meetingPlace struct {
	*httptest.Server

	mu       sync.Mutex
	payload  string
	revision int
	gone     bool
	asked    []string // "PUT 202"

	// fault, if set, may answer a request in place of the server, which it says, or
	// do something before.
	fault func(w http.ResponseWriter, r *http.Request) bool

	// tag, if set, is what a proxy makes of an entity tag.
	tag func(string) string

	lost int // so many answers to writes are lost on the way
}

const (
	path2024   = "/_matrix/client/unstable/org.matrix.msc4108/rendezvous"
	path2025   = "/_matrix/client/v1/rendezvous"
	path4388   = "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	sessionID  = "e8da6355-550b-4a32-a193-1619d9830668"
	expiresFor = 2 * time.Minute
)

func newPlace(t *testing.T, handler func(p *meetingPlace) http.Handler) *meetingPlace {
	p := &meetingPlace{revision: 1}
	h := handler(p)
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		defer p.mu.Unlock()
		seen := &statusWriter{ResponseWriter: w, status: 200}
		if p.fault == nil || !p.fault(seen, r) {
			h.ServeHTTP(seen, r)
		}
		p.asked = append(p.asked, fmt.Sprint(r.Method, " ", seen.status))
		if p.lost > 0 && r.Method == "PUT" && seen.status/100 == 2 {
			p.lost--
			panic(http.ErrAbortHandler)
		}
	}))
	t.Cleanup(p.Close)
	return p
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

// options waits for nobody, and counts the waits. Connections are not kept, because
// over an old one net/http itself asks again.
func (p *meetingPlace) options(waits *[]time.Duration) qr.RendezvousOptions {
	n := 0
	return qr.RendezvousOptions{HTTP: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, Wait: func(ctx context.Context, d time.Duration) error {
		if n++; n > 100 {
			return errors.New("the test waits for ever")
		}
		if waits != nil {
			*waits = append(*waits, d)
		}
		return ctx.Err()
	}}
}

func (p *meetingPlace) requests() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.asked)
}

// answers makes a fault that gives these answers in turn to requests of a method,
// and then lets the server answer.
func answers(method string, faults ...func(w http.ResponseWriter)) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || len(faults) == 0 {
			return false
		}
		fault := faults[0]
		faults = faults[1:]
		fault(w)
		return true
	}
}

func answer(status int, body string, header ...string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

func matrix(status int, code string) func(http.ResponseWriter) {
	return answer(status, fmt.Sprintf(`{"errcode":%q,"error":"no"}`, code), "Content-Type", "application/json")
}

// place2024 is MSC4108 of 2024.
func place2024(p *meetingPlace) http.Handler {
	mux := http.NewServeMux()
	headers := func(w http.ResponseWriter) {
		tag := fmt.Sprintf(`"r%d"`, p.revision)
		if p.tag != nil {
			tag = p.tag(tag)
		}
		if tag != "" {
			w.Header().Set("ETag", tag)
		}
		now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		w.Header().Set("Date", now.Format(http.TimeFormat))
		w.Header().Set("Expires", now.Add(expiresFor).Format(http.TimeFormat))
		w.Header().Set("Last-Modified", now.Format(http.TimeFormat))
		w.Header().Set("Cache-Control", "no-store, no-transform")
	}
	mux.HandleFunc("POST "+path2024, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Type") != "text/plain" || r.Header.Get("Content-Length") != "0" && r.ContentLength != 0 || len(r.TransferEncoding) > 0 {
			matrix(400, "M_INVALID_PARAM")(w)
			return
		}
		headers(w)
		answer(201, fmt.Sprintf(`{"url":%q}`, p.URL+path2024+"/"+sessionID), "Content-Type", "application/json")(w)
	})
	mux.HandleFunc("GET "+path2024+"/"+sessionID, func(w http.ResponseWriter, r *http.Request) {
		switch match := r.Header.Get("If-None-Match"); {
		case p.gone:
			matrix(404, "M_NOT_FOUND")(w)
		case match == fmt.Sprintf(`"r%d"`, p.revision):
			headers(w)
			w.WriteHeader(304)
		default:
			headers(w)
			answer(200, p.payload, "Content-Type", "text/plain")(w)
		}
	})
	mux.HandleFunc("PUT "+path2024+"/"+sessionID, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch match := r.Header.Get("If-Match"); {
		case p.gone:
			matrix(404, "M_NOT_FOUND")(w)
		case r.Header.Get("Content-Type") != "text/plain" || match == "":
			matrix(400, "M_MISSING_PARAM")(w)
		case len(body) > 4096:
			matrix(413, "M_TOO_LARGE")(w)
		case match != fmt.Sprintf(`"r%d"`, p.revision):
			headers(w)
			answer(412, `{"errcode":"M_UNKNOWN","org.matrix.msc4108.errcode":"M_CONCURRENT_WRITE","error":"no"}`)(w)
		default:
			p.write(string(body))
			headers(w)
			answer(202, "", "Content-Type", "text/plain")(w)
		}
	})
	mux.HandleFunc("DELETE "+path2024+"/"+sessionID, p.delete(204, ""))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { matrix(404, "M_UNRECOGNIZED")(w) })
	return mux
}

// place2025 is MSC4388, at a path.
func place2025(path string) func(p *meetingPlace) http.Handler {
	return func(p *meetingPlace) http.Handler {
		mux := http.NewServeMux()
		reply := func(w http.ResponseWriter, status int, fields map[string]any) {
			body, _ := json.Marshal(fields)
			answer(status, string(body), "Content-Type", "application/json")(w)
		}
		token := func() string { return fmt.Sprintf("t%d", p.revision) }
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			reply(w, 200, map[string]any{"create_available": r.Header.Get("Authorization") == "Bearer secret"})
		})
		mux.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Authorization") != "Bearer secret" {
				matrix(401, "M_MISSING_TOKEN")(w)
				return
			}
			reply(w, 200, map[string]any{"id": sessionID, "sequence_token": token(), "expires_in_ms": expiresFor.Milliseconds()})
		})
		mux.HandleFunc("GET "+path+"/"+sessionID, func(w http.ResponseWriter, r *http.Request) {
			if p.gone {
				matrix(404, "M_NOT_FOUND")(w)
				return
			}
			reply(w, 200, map[string]any{"data": p.payload, "sequence_token": token(), "expires_in_ms": 1000})
		})
		mux.HandleFunc("PUT "+path+"/"+sessionID, func(w http.ResponseWriter, r *http.Request) {
			var write struct {
				Data  *string
				Token *string `json:"sequence_token"`
			}
			switch err := json.NewDecoder(r.Body).Decode(&write); {
			case err != nil || write.Data == nil || write.Token == nil || r.Header.Get("Content-Type") != "application/json":
				matrix(400, "M_INVALID_PARAM")(w)
			case p.gone:
				matrix(404, "M_NOT_FOUND")(w)
			case len(*write.Data) > 4096:
				matrix(413, "M_TOO_LARGE")(w)
			case *write.Token == token():
				p.write(*write.Data)
				reply(w, 200, map[string]any{"sequence_token": token()})
			case *write.Data == p.payload:
				reply(w, 200, map[string]any{"sequence_token": token()})
			default:
				matrix(409, "M_CONCURRENT_WRITE")(w)
			}
		})
		mux.HandleFunc("DELETE "+path+"/"+sessionID, p.delete(200, "{}"))
		mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { matrix(404, "M_UNRECOGNIZED")(w) })
		return mux
	}
}

func (p *meetingPlace) delete(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if p.gone {
			matrix(404, "M_NOT_FOUND")(w)
			return
		}
		p.gone = true
		answer(status, body)(w)
	}
}

func (p *meetingPlace) write(payload string) {
	p.payload = payload
	p.revision++
}

// elsewhere is the other side, which writes now.
func (p *meetingPlace) elsewhere(payload string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(payload)
}

func (p *meetingPlace) content() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.payload
}

func receive(t *testing.T, m qr.Mailbox, want string) {
	t.Helper()
	got, err := m.Receive(t.Context())
	if err != nil || got != want {
		t.Fatalf("Receive() = %q, %v, want %q", got, err, want)
	}
}

func send(t *testing.T, m qr.Mailbox, payload string) {
	t.Helper()
	if err := m.Send(t.Context(), payload); err != nil {
		t.Fatalf("Send(%q): %v", payload, err)
	}
}

func must[T any](v T, err error) func(t *testing.T) T {
	return func(t *testing.T) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

var long = strings.Repeat("x", 4097)
