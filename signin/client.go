package signin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	requestTime = 30 * time.Second
	answerSize  = 256 << 10
)

// A Client is how this package reaches the world. Its zero value works; tests set
// the fields. It may be used by several goroutines, and copied.
type Client struct {
	// HTTP sends the requests; nil is a client of its own. Redirects are judged by
	// this package whatever HTTP says.
	HTTP *http.Client

	// Now is the clock; nil is time.Now.
	Now func() time.Time

	// Wait waits for a time, or until the context ends, whose error it returns. Nil
	// is a timer.
	Wait func(ctx context.Context, d time.Duration) error
}

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) wait(ctx context.Context, d time.Duration) error {
	if c.Wait != nil {
		return c.Wait(ctx, d)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// An answer is a whole HTTP answer.
type answer struct {
	url    string
	status int
	header http.Header
	body   []byte
}

// get asks for JSON. token may be empty.
func (c *Client) get(ctx context.Context, url, token string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return answer{}, err
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return c.do(req, token == "")
}

// postForm sends what OAuth calls a request.
func (c *Client) postForm(ctx context.Context, url string, form url.Values) (answer, error) {
	return c.post(ctx, url, "application/x-www-form-urlencoded", form.Encode())
}

func (c *Client) post(ctx context.Context, url, mediaType, body string) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", mediaType)
	return c.do(req, false)
}

// do sends a request and reads the answer within the limits. Redirects are
// followed only where nothing secret is sent.
func (c *Client) do(req *http.Request, follow bool) (answer, error) {
	ctx, cancel := context.WithTimeout(req.Context(), requestTime)
	defer cancel()
	req.Header.Set("Accept", "application/json")
	resp, err := c.sender(follow).Do(req.WithContext(ctx))
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	a := answer{url: req.URL.Redacted(), status: resp.StatusCode, header: resp.Header}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, answerSize+1))
	if err != nil {
		return answer{}, fmt.Errorf("reading the answer of %s: %w", a.url, err)
	}
	if len(a.body) > answerSize {
		return answer{}, a.problem("is longer than %d bytes", answerSize)
	}
	return a, nil
}

func (c *Client) sender(follow bool) *http.Client {
	sender := http.Client{}
	if c.HTTP != nil {
		sender = *c.HTTP
	}
	sender.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case !follow:
			return http.ErrUseLastResponse
		case len(via) >= 5:
			return errors.New("the server redirects in circles")
		}
		return checkURL(req.URL.String(), isLoopback(via[0].URL.Hostname()))
	}
	return &sender
}

// object decodes the answer, which has to be a JSON object.
func (a answer) object(into any) error {
	if trimmed := strings.TrimLeft(string(a.body), " \t\r\n"); !strings.HasPrefix(trimmed, "{") {
		return a.problem("is not a JSON object")
	}
	if err := json.Unmarshal(a.body, into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return a.problem("has %s of the wrong type", wrong.Field)
		}
		return a.problem("is not a JSON object")
	}
	return nil
}

func (a answer) ok() bool { return a.status/100 == 2 }

func (a answer) problem(format string, args ...any) error {
	return &AnswerError{URL: a.url, Status: a.status, Problem: fmt.Sprintf(format, args...), RetryAfter: a.retryAfter()}
}

// retryAfter reads the header in seconds. The form with a date is ignored: clocks
// differ.
func (a answer) retryAfter() time.Duration {
	seconds, err := strconv.ParseUint(a.header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// patience is how long Register and StartDevice wait when the server has too much to
// do and says for how long.
const patience = 30 * time.Second

// politely sends a request again when the server is ready for it, at most twice.
func (c *Client) politely(ctx context.Context, send func() (answer, error)) (answer, error) {
	a, err := send()
	for range 2 {
		after := a.retryAfter()
		if err != nil || a.status != http.StatusTooManyRequests || after == 0 || after > patience {
			break
		}
		if err = c.wait(ctx, after); err != nil {
			break
		}
		a, err = send()
	}
	return a, err
}

// oauthError reads a refusal of an OAuth endpoint.
func (a answer) oauthError() error {
	var refusal struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
		Errcode     string `json:"errcode"`
	}
	if err := a.object(&refusal); err != nil || refusal.Error == "" {
		return a.problem("is not an OAuth 2.0 error%s", a.hint())
	}
	if refusal.Errcode != "" { // a Matrix error: its "error" is a sentence, not a code
		return &MatrixError{Code: refusal.Errcode, Message: refusal.Error, Status: a.status, RetryAfter: a.retryAfter()}
	}
	return &OAuthError{Code: refusal.Error, Description: refusal.Description, Status: a.status, RetryAfter: a.retryAfter()}
}

// matrixError reads a refusal of the client-server API.
func (a answer) matrixError() error {
	var refusal struct {
		Code       string `json:"errcode"`
		Message    string `json:"error"`
		SoftLogout bool   `json:"soft_logout"`
	}
	if err := a.object(&refusal); err != nil || refusal.Code == "" {
		return a.problem("is not a Matrix error%s", a.hint())
	}
	return &MatrixError{Code: refusal.Code, Message: refusal.Message, Status: a.status, SoftLogout: refusal.SoftLogout, RetryAfter: a.retryAfter()}
}

// hint says what else an answer may be.
func (a answer) hint() string {
	switch kind, _, _ := mime.ParseMediaType(a.header.Get("Content-Type")); {
	case a.status/100 == 3:
		return " but a redirect, which is not followed here"
	case kind == "text/html":
		return " but a web page"
	}
	return ""
}
