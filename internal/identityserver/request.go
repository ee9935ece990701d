package identityserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/errcode"
)

// request is one request to an identity server.
type request struct {
	method, server, path string
	authorization        string
	body                 any // nil sends none
}

// refusal is an answer of the statuses 4xx.
type refusal struct {
	server string
	status int
	errorBody
}

// errorBody is the body of an error (client-server API, "Standard error response").
type errorBody struct {
	Errcode      string `json:"errcode"`
	Text         string `json:"error"`
	RetryAfterMS int64  `json:"retry_after_ms"`
	UserID       string `json:"mxid"` // of ThreepidInUse
}

// Error is for logs.
func (r *refusal) Error() string {
	return fmt.Sprintf("%s refused with status %d %.100q", r.server, r.status, r.Errcode)
}

// do makes a request and reads the JSON of the answer into a value. It fails with a *refusal if the
// identity server refuses.
func (s *Service) do(ctx context.Context, r request, into any) error {
	var body []byte
	if r.body != nil {
		var err error
		if body, err = json.Marshal(r.body); err != nil {
			return err
		}
	}
	return s.send(ctx, r, body, into)
}

// send is do with a body that is JSON already.
func (s *Service) send(ctx context.Context, r request, body []byte, into any) error {
	call, err := http.NewRequestWithContext(ctx, r.method, "https://"+r.server+r.path, bytes.NewReader(body))
	if err != nil {
		return errors.New("the name of the identity server makes no address")
	}
	call.Header.Set("Authorization", r.authorization)
	if body != nil {
		call.Header.Set("Content-Type", "application/json")
	}
	return s.ask(call, into)
}

// ask makes a request and reads the answer, which the client limits. An error names
// no URL, since a URL may hold a secret.
func (s *Service) ask(call *http.Request, into any) error {
	server := call.URL.Host
	resp, err := s.client.Do(call)
	if err != nil {
		if named, ok := errors.AsType[*url.Error](err); ok {
			err = named.Err
		}
		return fmt.Errorf("%s: %w", server, err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", server, err)
	case resp.StatusCode >= 400 && resp.StatusCode < 500:
		refused := &refusal{server: server, status: resp.StatusCode}
		_ = json.Unmarshal(answer, &refused.errorBody) // one that cannot be read says no more than its status
		return refused
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("%s: status %d", server, resp.StatusCode)
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s: an answer that cannot be read: %w", server, err)
	}
	return nil
}

func bearer(token string) string { return "Bearer " + token }

// maxRetryAfter is the longest time that a client is told to wait because an identity
// server says so.
const maxRetryAfter = time.Hour

// passOn makes the failure of a request one for the client: a refusal under the code
// that the identity server gives, if it is one of those that the operation knows;
// Unknown otherwise. Whatever the identity server calls a token that it does not take,
// it is IdentityUnauthorized here: a client that read M_UNKNOWN_TOKEN would sign out of
// the homeserver.
func passOn(err error, known ...*errcode.Code) error {
	refused, ok := errors.AsType[*refusal](err)
	if !ok {
		return errcode.Unknown.Wrap(err, "The identity server could not be reached, or gave an answer that makes no sense. Try again later.")
	}
	if refused.status == http.StatusTooManyRequests {
		wait := min(time.Duration(refused.RetryAfterMS)*time.Millisecond, maxRetryAfter)
		return errcode.TooManyRequests(wait)
	}
	code := refused.code(known)
	if code == nil {
		return errcode.Unknown.Wrap(err, "The identity server refused this. Ask the administrator of this server to look into its log.")
	}
	e := code.Wrap(err, "%s", refused.text())
	if code == errcode.ThreepidInUse && refused.UserID != "" {
		e = e.With("mxid", refused.UserID)
	}
	return e
}

// code finds the row of a refusal: the one with its status, if several have its
// errcode.
func (r *refusal) code(known []*errcode.Code) (found *errcode.Code) {
	if r.status == http.StatusUnauthorized {
		return errcode.IdentityUnauthorized
	}
	for _, code := range known {
		if code.Name == r.Errcode && (found == nil || code.Status == r.status) {
			found = code
		}
	}
	return found
}

const maxText = 300 // characters of an identity server's text that are passed on

// text is what the identity server says to the person, if it can be shown.
func (r *refusal) text() string {
	text := strings.TrimSpace(r.Text)
	if text == "" || utf8.RuneCountInString(text) > maxText || strings.ContainsFunc(text, unicode.IsControl) {
		return "The identity server refused this and gave no reason that can be shown."
	}
	return text
}
