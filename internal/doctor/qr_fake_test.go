package doctor_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// fake is a homeserver that does all of sign-in by QR code as it should.
type fake struct {
	mu       sync.Mutex
	base     string
	data     string
	revision int
	live     bool
	second   bool // a session of 2025 is there
}

// newFake starts a homeserver behind what breaks it.
func newFake(breaks func(http.Handler) http.Handler) *httptest.Server {
	f := &fake{}
	var handler http.Handler = f
	if breaks != nil {
		handler = breaks(f)
	}
	srv := httptest.NewServer(handler)
	f.base = srv.URL
	return srv
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type object map[string]any

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Access-Control-Expose-Headers", "ETag")
	h.Set("Access-Control-Allow-Methods", "GET, PUT, POST, DELETE, OPTIONS")
	h.Set("Access-Control-Allow-Headers", "Content-Type, If-Match, If-None-Match, Authorization")
	if r.Method == http.MethodOptions {
		return
	}
	switch path := r.URL.Path; {
	case path == "/_matrix/client/versions":
		reply(w, 200, object{"versions": []string{"v1.15"}, "unstable_features": object{"org.matrix.msc4108": true}})
	case path == "/_matrix/client/v1/auth_metadata":
		reply(w, 200, f.metadata())
	case path == "/register":
		reply(w, 201, object{"client_id": "c1", "grant_types": []string{"urn:ietf:params:oauth:grant-type:device_code"}})
	case path == "/device":
		reply(w, 200, object{"device_code": "d", "user_code": "ABCD", "verification_uri": f.base + "/link", "expires_in": 600, "interval": 5})
	case path == "/token":
		reply(w, 400, object{"error": "authorization_pending"})
	case path == "/link":
		_, _ = io.WriteString(w, "<p>")
	case path == "/_matrix/client/unstable/org.matrix.msc4108/rendezvous" && r.Method == http.MethodPost:
		f.live, f.data, f.revision = true, "", f.revision+1
		f.first(w)
		reply(w, 201, object{"url": f.base + "/session"})
	case path == "/session":
		f.session(w, r)
	case strings.HasPrefix(path, "/_matrix/client/unstable/io.element.msc4388/rendezvous"):
		f.session2025(w, r)
	default:
		reply(w, 404, object{"errcode": "M_UNRECOGNIZED", "error": "no"})
	}
}

func (f *fake) metadata() object {
	return object{
		"issuer": f.base + "/", "authorization_endpoint": f.base + "/authorize", "token_endpoint": f.base + "/token",
		"revocation_endpoint": f.base + "/revoke", "registration_endpoint": f.base + "/register", "device_authorization_endpoint": f.base + "/device",
		"response_types_supported": []string{"code"}, "response_modes_supported": []string{"query", "fragment"},
		"grant_types_supported":            []string{"authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"},
		"code_challenge_methods_supported": []string{"S256"},
	}
}

// first sets the headers of every answer of a session of 2024.
func (f *fake) first(w http.ResponseWriter) {
	h := w.Header()
	h.Set("ETag", fmt.Sprintf(`"revision-%d"`, f.revision))
	h.Set("Expires", time.Now().Add(5*time.Minute).UTC().Format(http.TimeFormat))
	h.Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
	h.Set("Cache-Control", "no-store, no-transform")
}

func (f *fake) session(w http.ResponseWriter, r *http.Request) {
	if !f.live {
		reply(w, 404, object{"errcode": "M_NOT_FOUND", "error": "gone"})
		return
	}
	f.first(w)
	tag := w.Header().Get("ETag")
	switch {
	case r.Method == http.MethodGet && r.Header.Get("If-None-Match") == tag:
		w.WriteHeader(304)
	case r.Method == http.MethodGet:
		w.Header().Set("Content-Type", "text/plain")
		_, _ = io.WriteString(w, f.data)
	case r.Method == http.MethodPut && r.Header.Get("If-Match") != tag:
		reply(w, 412, object{"errcode": "M_UNKNOWN", "error": "late"})
	case r.Method == http.MethodPut:
		raw, _ := io.ReadAll(r.Body)
		f.data, f.revision = string(raw), f.revision+1
		f.first(w)
		w.Header().Set("Content-Type", "text/plain")
		w.WriteHeader(202)
	case r.Method == http.MethodDelete:
		f.live = false
		w.WriteHeader(204)
	}
}

func (f *fake) session2025(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Data  string `json:"data"`
		Token string `json:"sequence_token"`
	}
	_ = json.NewDecoder(r.Body).Decode(&in)
	token := func() string { return fmt.Sprintf("t%d", f.revision) }
	switch id := strings.HasSuffix(r.URL.Path, "/s1"); {
	case !id && r.Method == http.MethodGet:
		reply(w, 200, object{"create_available": true})
	case !id:
		f.second, f.data, f.revision = true, in.Data, f.revision+1
		reply(w, 200, object{"id": "s1", "sequence_token": token(), "expires_in_ms": 300000})
	case !f.second:
		reply(w, 404, object{"errcode": "M_NOT_FOUND", "error": "gone"})
	case r.Method == http.MethodGet:
		reply(w, 200, object{"data": f.data, "sequence_token": token(), "expires_in_ms": 1})
	case r.Method == http.MethodDelete:
		f.second = false
		reply(w, 200, object{})
	case in.Token != token():
		reply(w, 409, object{"errcode": "IO_ELEMENT_MSC4388_CONCURRENT_WRITE", "error": "late"})
	default:
		f.data, f.revision = in.Data, f.revision+1
		reply(w, 200, object{"sequence_token": token()})
	}
}
