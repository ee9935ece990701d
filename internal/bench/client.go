package bench

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// A homeserver is the server that is measured, as its clients see it.
type homeserver struct {
	url       string
	transport *http.Transport
	unique    string // begins the names of all that is made
	requests  atomic.Int64
}

// connections is more than any scenario keeps open.
const connections = 16384

func newHomeserver(base string) *homeserver {
	return &homeserver{
		url:       strings.TrimRight(base, "/"),
		transport: &http.Transport{MaxIdleConns: connections, MaxIdleConnsPerHost: connections, DisableCompression: true, IdleConnTimeout: 2 * time.Minute, ResponseHeaderTimeout: studyLimit},
		unique:    "b" + strings.ToLower(rand.Text()[:10]),
	}
}

// onLoopback refuses a URL of another machine: measuring is an attack on whoever has
// not asked for it.
func onLoopback(base string) error {
	u, err := url.Parse(base)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return fmt.Errorf("%q is not the URL of a homeserver; write http://127.0.0.1:8008", base)
	}
	if ip := net.ParseIP(u.Hostname()); u.Hostname() != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return fmt.Errorf("%q is not on this machine; only servers on a loopback address are measured", u.Hostname())
	}
	return nil
}

// A refusal is any answer but success.
type refusal struct {
	request string // method and path
	status  int
	text    string
}

func (r *refusal) Error() string {
	return fmt.Sprintf("%s answered %d: %.200s", r.request, r.status, r.text)
}

// refused turns the one refusal that is expected into success, and all else into an
// error.
func refused(status int, err error) error {
	var r *refusal
	switch {
	case errors.As(err, &r) && r.status == status:
		return nil
	case err == nil:
		return fmt.Errorf("succeeded, where %d was expected", status)
	default:
		return err
	}
}

// A user is one account with one device.
type user struct {
	*homeserver
	name, token string
}

// ask makes a request and decodes the answer into what is given, if anything is. It
// gives the size of the answer.
func (u *user) ask(ctx context.Context, method, path string, body, into any) (size int64, err error) {
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, u.url+path, payload)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if u.token != "" {
		req.Header.Set("Authorization", "Bearer "+u.token)
	}
	resp, err := u.transport.RoundTrip(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusOK && into == nil {
		return io.Copy(io.Discard, resp.Body) // reading all of it lets the connection be used again
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusOK {
		return 0, &refusal{method + " " + req.URL.Path, resp.StatusCode, string(raw)}
	}
	return int64(len(raw)), json.Unmarshal(raw, into)
}

func (u *user) get(ctx context.Context, path string) (size int64, err error) {
	return u.ask(ctx, http.MethodGet, path, nil, nil)
}

const password = "correct horse battery staple"

// register makes an account by the dummy stage, in one request where the server
// allows that.
func (h *homeserver) register(ctx context.Context, name string) (*user, error) {
	u := &user{homeserver: h, name: h.unique + "-" + name}
	auth := map[string]string{"type": "m.login.dummy"}
	body := map[string]any{"username": u.name, "password": password, "auth": auth}
	var session struct {
		Token string `json:"access_token"`
	}
	_, err := u.ask(ctx, http.MethodPost, "/_matrix/client/v3/register", body, &session)
	var r *refusal
	if errors.As(err, &r) && r.status == http.StatusUnauthorized {
		var interactive struct {
			Session string `json:"session"`
		}
		if json.Unmarshal([]byte(r.text), &interactive) == nil && interactive.Session != "" {
			auth["session"] = interactive.Session
			_, err = u.ask(ctx, http.MethodPost, "/_matrix/client/v3/register", body, &session)
		}
	}
	if err == nil && session.Token == "" {
		err = errors.New("the answer has no access token")
	}
	u.token = session.Token
	return u, err
}

func (u *user) login(ctx context.Context) error {
	_, err := (&user{homeserver: u.homeserver}).ask(ctx, http.MethodPost, "/_matrix/client/v3/login", map[string]any{
		"type": "m.login.password", "identifier": map[string]string{"type": "m.id.user", "user": u.name}, "password": password,
	}, nil)
	return err
}

func (u *user) whoami(ctx context.Context) error {
	_, err := u.get(ctx, "/_matrix/client/v3/account/whoami")
	return err
}

// createRoom makes a public room, with more in the request.
func (u *user) createRoom(ctx context.Context, more map[string]any) (roomID string, err error) {
	body := map[string]any{"preset": "public_chat", "name": "Benchmark"}
	for name, value := range more {
		body[name] = value
	}
	var room struct {
		ID string `json:"room_id"`
	}
	_, err = u.ask(ctx, http.MethodPost, "/_matrix/client/v3/createRoom", body, &room)
	return room.ID, err
}

func (u *user) join(ctx context.Context, room string) error {
	_, err := u.ask(ctx, http.MethodPost, "/_matrix/client/v3/join/"+url.PathEscape(room), struct{}{}, nil)
	return err
}

// send puts a message into a room.
func (u *user) send(ctx context.Context, room, text string) error {
	path := inRoom(room, "/send/m.room.message/"+u.unique+strconv.FormatInt(u.requests.Add(1), 10))
	_, err := u.ask(ctx, http.MethodPut, path, map[string]string{"msgtype": "m.text", "body": text}, nil)
	return err
}

// stateType is that of the state events that fill a room.
const stateType = "org.example.benchmark"

func (u *user) setState(ctx context.Context, room string, stateKey, value int) error {
	_, err := u.ask(ctx, http.MethodPut, inRoom(room, "/state/"+stateType+"/k"+strconv.Itoa(stateKey)),
		map[string]any{"value": value, "note": "one of very many"}, nil)
	return err
}

func inRoom(room, rest string) string {
	return "/_matrix/client/v3/rooms/" + url.PathEscape(room) + rest
}

// message is the text of a message of usual length.
func message(i int) string {
	return "message " + strconv.Itoa(i) + ": the quick brown fox jumps over the lazy dog"
}

// news is what a scenario wants of an answer of /sync.
type news struct {
	NextBatch string `json:"next_batch"`
	Rooms     struct {
		Join map[string]struct {
			Timeline struct {
				Events []struct {
					Content struct {
						Body string `json:"body"`
					} `json:"content"`
				} `json:"events"`
			} `json:"timeline"`
		} `json:"join"`
	} `json:"rooms"`
}

// Filters of /sync, as they stand in its path.
const (
	everything  = ""
	manyAtOnce  = `{"room":{"timeline":{"limit":100}}}`
	lazyMembers = `{"room":{"timeline":{"limit":20},"state":{"lazy_load_members":true}}}`
	nearNothing = `{"room":{"timeline":{"limit":1},"state":{"lazy_load_members":true}}}`
)

func syncPath(since, filter string, wait time.Duration) string {
	q := url.Values{"timeout": {strconv.FormatInt(wait.Milliseconds(), 10)}}
	if since != "" {
		q.Set("since", since)
	}
	if filter != "" {
		q.Set("filter", filter)
	}
	return "/_matrix/client/v3/sync?" + q.Encode()
}

func (u *user) sync(ctx context.Context, since, filter string, wait time.Duration) (n news, err error) {
	_, err = u.ask(ctx, http.MethodGet, syncPath(since, filter, wait), nil, &n)
	return n, err
}
