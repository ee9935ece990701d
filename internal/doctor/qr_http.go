package doctor

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
)

// question is a request as a client in a browser sends it.
type question struct {
	method string // "" is GET
	url    string
	body   string
	header http.Header
}

// reply is a whole answer.
type reply struct {
	status int
	header http.Header
	body   string
}

// someOrigin is what the questions pretend to come from.
const someOrigin = "https://app.example.org"

// ask sends a question. Answers are taken as they are: not decompressed, and no
// redirect is followed.
func (e *examination) ask(ctx context.Context, q question) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, 2*fetchTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return reply{}, err
	}
	for name, values := range q.header {
		req.Header[name] = values
	}
	req.Header.Set("Origin", someOrigin)
	if req.Header.Get("Accept-Encoding") == "" {
		req.Header.Set("Accept-Encoding", "gzip, br") // as browsers do
	}
	var sender http.Client
	if e.Web != nil {
		sender = *e.Web
	}
	sender.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := sender.Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, 4*fetchLimit))
	return reply{status: resp.StatusCode, header: resp.Header, body: string(raw)}, err
}

// preflight asks what a browser asks before a request that is not simple.
func (e *examination) preflight(ctx context.Context, url, method, headers string) (reply, error) {
	return e.ask(ctx, question{method: http.MethodOptions, url: url, header: http.Header{
		"Access-Control-Request-Method": {method}, "Access-Control-Request-Headers": {headers}}})
}

func (a reply) ok() bool { return a.status/100 == 2 }

// cors tells whether any origin may read the answer.
func (a reply) cors() bool {
	values := a.header.Values("Access-Control-Allow-Origin")
	return len(values) == 1 && (values[0] == "*" || values[0] == someOrigin)
}

// lists tells whether a header that is a list has the word.
func (a reply) lists(name, word string) bool {
	for _, value := range a.header.Values(name) {
		for part := range strings.SplitSeq(value, ",") {
			if part = strings.TrimSpace(part); part == "*" || strings.EqualFold(part, word) {
				return true
			}
		}
	}
	return false
}

func (a reply) object(into any) bool {
	return json.Unmarshal([]byte(a.body), into) == nil
}

// errcode is the Matrix error of the answer, or "".
func (a reply) errcode() string {
	var e struct {
		Code string `json:"errcode"`
	}
	a.object(&e)
	return e.Code
}

// lifetime is the time until the header Expires by the server's own clock.
func (a reply) lifetime() (time.Duration, bool) {
	expires, err := http.ParseTime(a.header.Get("Expires"))
	if err != nil {
		return 0, false
	}
	date, err := http.ParseTime(a.header.Get("Date"))
	return expires.Sub(date), err == nil
}
