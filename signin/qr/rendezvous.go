package qr

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/narthex-matrix/narthex/signin"
)

const (
	pollInterval   = time.Second
	requestTime    = 15 * time.Second
	answerSize     = 256 << 10 // the largest payload of any generation is 100 KB
	attempts       = 5
	longestBackOff = 8 * time.Second
)

// RendezvousOptions says how a mailbox reaches its server. The zero value works.
type RendezvousOptions struct {
	// HTTP sends the requests; nil is a client of its own. Redirects are judged by
	// this package whatever HTTP says.
	HTTP *http.Client

	// Wait waits between two questions, or until the context ends, whose error it
	// returns. Nil is a timer.
	Wait func(ctx context.Context, d time.Duration) error

	// AccessToken is sent when a session of 2025 is created, and when the server is
	// asked whether it may be; a server may demand it. It is sent nowhere else.
	AccessToken string

	// Unstable picks the paths of io.element.msc4388 in the generation of 2025, as
	// [Payload.Unstable] does. That of 2024 finds out by itself.
	Unstable bool

	// Warn is told of faults that could be mended, once each: [ErrETagMangled].
	Warn func(error)
}

var (
	// ErrNoRendezvous says that the homeserver has no rendezvous sessions of this
	// generation.
	ErrNoRendezvous = errors.New("the homeserver offers no place for the two devices to meet (rendezvous session)")

	// ErrETagMissing says that an answer lacks the entity tag, without which no
	// message can be sent (2024 only). Often a proxy removed it.
	ErrETagMissing = errors.New("the answer has no ETag header; something between this device and the homeserver removes it")

	// ErrETagMangled says that something between this device and the homeserver
	// rewrites entity tags, as compressing proxies do (2024 only). As a warning it
	// says that the tag could be read all the same. Together with
	// [ErrMailboxConflict] it says that this is the likely cause of the conflict.
	ErrETagMangled = errors.New("something between this device and the homeserver rewrites ETag headers; let the proxy pass rendezvous sessions uncompressed")

	errRedirect = errors.New("the homeserver redirects to where a rendezvous session cannot be")
)

// A request is what a mailbox asks.
type request struct {
	method, url, body string
	header            http.Header
	redirect          bool // a 307 may be followed
}

// A reply is a whole HTTP answer.
type reply struct {
	url    string
	status int
	header http.Header
	body   []byte
}

// call sends one request. The header Accept-Encoding keeps proxies from compressing
// the answer and, with that, from rewriting its entity tag.
func (o *RendezvousOptions) call(ctx context.Context, q request) (reply, error) {
	ctx, cancel := context.WithTimeout(ctx, requestTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, q.url, strings.NewReader(q.body))
	if err != nil {
		return reply{}, err
	}
	maps.Copy(req.Header, q.header)
	req.Header.Set("Accept-Encoding", "identity")
	resp, err := o.sender(q.redirect).Do(req)
	if err != nil {
		return reply{}, err
	}
	defer resp.Body.Close()
	r := reply{url: req.URL.Redacted(), status: resp.StatusCode, header: resp.Header}
	if r.body, err = io.ReadAll(io.LimitReader(resp.Body, answerSize+1)); err != nil {
		return reply{}, err
	}
	if len(r.body) > answerSize {
		return reply{}, r.problem("is longer than %d bytes", answerSize)
	}
	return r, nil
}

// sender follows redirects where the proposal of 2024 has them: 307 when a session
// is created.
func (o *RendezvousOptions) sender(redirect bool) *http.Client {
	sender := http.Client{}
	if o.HTTP != nil {
		sender = *o.HTTP
	}
	sender.CheckRedirect = func(req *http.Request, via []*http.Request) error {
		switch {
		case !redirect:
			return http.ErrUseLastResponse
		case req.Response.StatusCode != http.StatusTemporaryRedirect, len(via) > 3, checkURL(req.URL.String()) != 0:
			return errRedirect
		}
		return nil
	}
	return &sender
}

// persist sends a request again while the server cannot be reached or is too busy,
// and waits longer each time. lost says that an attempt may have been carried out
// though its answer was lost.
func (o *RendezvousOptions) persist(ctx context.Context, q request) (r reply, lost bool, err error) {
	pause := pollInterval
	for n := 1; ; n++ {
		r, err = o.call(ctx, q)
		var unusable *signin.AnswerError
		switch {
		case ctx.Err() != nil:
			return reply{}, lost, ctx.Err()
		case errors.Is(err, errRedirect) || errors.As(err, &unusable):
			return reply{}, lost, err
		case err == nil && r.status < 500 && r.status != http.StatusTooManyRequests:
			return r, lost, nil
		case n == attempts:
			return r, lost, err
		}
		lost = lost || err != nil || r.status >= 500
		if err := o.wait(ctx, max(pause, r.retryAfter())); err != nil {
			return reply{}, lost, err
		}
		pause = min(2*pause, longestBackOff)
	}
}

func (o *RendezvousOptions) wait(ctx context.Context, d time.Duration) error {
	if o.Wait != nil {
		return o.Wait(ctx, d)
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

func (r reply) ok() bool { return r.status/100 == 2 }

// refusal turns an answer that is no success into an error.
func (r reply) refusal() error {
	var said struct {
		Code    string `json:"errcode"`
		Message string `json:"error"`
	}
	if json.Unmarshal(r.body, &said) != nil || said.Code == "" {
		if r.status == http.StatusNotFound {
			return ErrMailboxGone
		}
		return r.problem("is not a Matrix error")
	}
	switch {
	case said.Code == "M_UNRECOGNIZED":
		return ErrNoRendezvous
	case r.status == http.StatusNotFound:
		return ErrMailboxGone
	}
	return &signin.MatrixError{Code: said.Code, Message: said.Message, Status: r.status, RetryAfter: r.retryAfter()}
}

// noSessions reads a refusal of the path that creates sessions, where 404 and 405
// say that there is no such path.
func (r reply) noSessions() error {
	err := r.refusal()
	if errors.Is(err, ErrMailboxGone) || r.status == http.StatusMethodNotAllowed {
		return ErrNoRendezvous
	}
	return err
}

func (r reply) problem(format string, args ...any) error {
	return &signin.AnswerError{URL: r.url, Status: r.status, Problem: fmt.Sprintf(format, args...), RetryAfter: r.retryAfter()}
}

// object decodes the answer, which has to be a JSON object.
func (r reply) object(into any) error {
	if !strings.HasPrefix(strings.TrimLeft(string(r.body), " \t\r\n"), "{") || json.Unmarshal(r.body, into) != nil {
		return r.problem("is not the JSON object that a rendezvous session answers with")
	}
	return nil
}

func (r reply) retryAfter() time.Duration {
	seconds, err := strconv.ParseUint(r.header.Get("Retry-After"), 10, 16)
	if err != nil {
		return 0
	}
	return time.Duration(seconds) * time.Second
}
