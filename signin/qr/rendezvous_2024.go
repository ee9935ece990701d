package qr

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"strings"
	"time"
)

// Mailbox2024 is a [Mailbox] in the generation of 2024: one payload at a URL, and
// HTTP entity tags to notice who wrote last (MSC4108 of 2024).
type Mailbox2024 struct {
	options   RendezvousOptions
	url       string
	tag       string // of the payload that this side wrote or read last
	payload   string // that one
	written   string // what this side wrote last
	held      string // was read and not yet handed out
	mangled   bool
	remaining time.Duration
}

// Create2024 creates a session at a homeserver. It asks at the path that clients
// use, and then at the one that the proposal reserves. The server may redirect it
// to a server for sessions (307). It fails with [ErrNoRendezvous] if there is
// neither, with [ErrETagMissing], and with a *signin.MatrixError or
// *signin.AnswerError.
func Create2024(ctx context.Context, baseURL string, o RendezvousOptions) (*Mailbox2024, error) {
	baseURL = trimBase(baseURL)
	if problem := checkURL(baseURL); problem != 0 {
		return nil, &PayloadError{Problem: problem}
	}
	m := &Mailbox2024{options: o}
	err := m.create(ctx, baseURL+"/_matrix/client/unstable/org.matrix.msc4108/rendezvous")
	if errors.Is(err, ErrNoRendezvous) {
		err = m.create(ctx, baseURL+"/_matrix/client/v1/rendezvous")
	}
	if err != nil {
		return nil, fmt.Errorf("creating the sign-in session: %w", err)
	}
	return m, nil
}

func (m *Mailbox2024) create(ctx context.Context, url string) error {
	r, _, err := m.options.persist(ctx, request{method: http.MethodPost, url: url,
		header: http.Header{"Content-Type": {"text/plain"}}, redirect: true})
	if err != nil {
		return err
	}
	if !r.ok() {
		return r.noSessions()
	}
	var answered struct {
		URL string `json:"url"`
	}
	if err := r.object(&answered); err != nil {
		return err
	}
	if checkURL(answered.URL) != 0 {
		return r.problem("names no URL for the session that can be used")
	}
	m.url = answered.URL
	return m.readHeader(r)
}

// Open2024 joins the session at a URL that a QR code names, and reads it once. It
// fails with [ErrMailboxGone] if there is no such session.
func Open2024(ctx context.Context, sessionURL string, o RendezvousOptions) (*Mailbox2024, error) {
	if problem := checkURL(sessionURL); problem != 0 {
		return nil, &PayloadError{Problem: problem}
	}
	m := &Mailbox2024{options: o, url: sessionURL}
	r, err := m.get(ctx, nil)
	if err == nil {
		m.held, _, err = m.read(r)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the sign-in session: %w", err)
	}
	return m, nil
}

// URL is the address of the session, for the QR code.
func (m *Mailbox2024) URL() string { return m.url }

// Remaining is how long the server last said that the session will live; 0 if it
// did not say. Some servers prolong it with each message.
func (m *Mailbox2024) Remaining() time.Duration { return m.remaining }

// SealToken is empty: messages of 2024 are not bound to their place.
func (m *Mailbox2024) SealToken() string { return "" }

// OpenToken is empty: messages of 2024 are not bound to their place.
func (m *Mailbox2024) OpenToken() string { return "" }

// Send replaces the payload. If the answer is lost it sends again, and recognizes
// what it wrote before. A conflict that is no conflict, because only the entity tag
// was rewritten on the way, is mended if the session can be read with a better one.
func (m *Mailbox2024) Send(ctx context.Context, payload string) error {
	err := m.put(ctx, payload)
	if errors.Is(err, errStaleTag) {
		err = m.put(ctx, payload)
	}
	if errors.Is(err, errStaleTag) {
		return fmt.Errorf("%w (%w)", ErrMailboxConflict, ErrETagMangled)
	}
	return err
}

// errStaleTag says that the session refused a tag though nobody wrote.
var errStaleTag = errors.New("the tag is not the session's")

func (m *Mailbox2024) put(ctx context.Context, payload string) error {
	r, lost, err := m.options.persist(ctx, request{method: http.MethodPut, url: m.url, body: payload,
		header: http.Header{"Content-Type": {"text/plain"}, "If-Match": {m.tag}}})
	if lost || err == nil && r.ok() {
		m.written = payload // perhaps; Receive must not take it for the other side's
	}
	switch {
	case err != nil:
		return err
	case r.status == http.StatusPreconditionFailed:
		return m.conflict(ctx, payload)
	case !r.ok():
		return r.refusal()
	}
	m.payload = payload
	return m.readHeader(r)
}

// conflict finds out why a write was refused. It is no error if the session already
// holds what was to be written: then the answer was lost, or a proxy sent the
// request twice. It is errStaleTag if nobody wrote.
func (m *Mailbox2024) conflict(ctx context.Context, payload string) error {
	r, err := m.get(ctx, nil)
	if err != nil {
		return err
	}
	switch string(r.body) {
	case payload:
		m.written, m.payload = payload, payload
		return m.readHeader(r)
	case m.payload:
		if err := m.readHeader(r); err != nil {
			return err
		}
		return errStaleTag
	}
	return ErrMailboxConflict // the next Receive gives what the other side wrote
}

// Receive waits for a payload of the other side. It asks at once, then every
// second.
func (m *Mailbox2024) Receive(ctx context.Context) (string, error) {
	if payload := m.held; payload != "" {
		m.held = ""
		return payload, nil
	}
	for {
		r, err := m.get(ctx, http.Header{"If-None-Match": {m.tag}})
		if err != nil {
			return "", err
		}
		payload, isNew, err := m.read(r)
		if err != nil || isNew {
			return payload, err
		}
		if err := m.options.wait(ctx, pollInterval); err != nil {
			return "", err
		}
	}
}

func (m *Mailbox2024) get(ctx context.Context, header http.Header) (reply, error) {
	r, _, err := m.options.persist(ctx, request{method: http.MethodGet, url: m.url, header: header})
	switch {
	case err != nil:
		return reply{}, err
	case r.status != http.StatusOK && r.status != http.StatusNotModified:
		return reply{}, r.refusal()
	}
	return r, nil
}

// read takes an answer to GET. isNew says that it holds a payload of the other side:
// not an empty one, not one that was read before, not this side's own.
func (m *Mailbox2024) read(r reply) (payload string, isNew bool, err error) {
	if r.status == http.StatusNotModified {
		m.readRemaining(r)
		return "", false, nil // whatever its tag: it says that ours is the current one
	}
	if kind, _, err := mime.ParseMediaType(r.header.Get("Content-Type")); err != nil || kind != "text/plain" {
		return "", false, r.problem("is not text/plain, so it is not from a rendezvous session")
	}
	before := m.tag
	if err := m.readHeader(r); err != nil {
		return "", false, err
	}
	payload = string(r.body)
	isNew = payload != "" && payload != m.written && m.tag != before
	m.payload = payload
	if !isNew {
		return "", false, nil
	}
	return payload, true, nil
}

// Close deletes the session.
func (m *Mailbox2024) Close(ctx context.Context) error {
	r, err := m.options.call(ctx, request{method: http.MethodDelete, url: m.url})
	switch {
	case err != nil:
		return err
	case r.ok() || r.status == http.StatusNotFound:
		return nil
	}
	return r.refusal()
}

func (m *Mailbox2024) readHeader(r reply) error {
	m.readRemaining(r)
	tag, mangled := cleanTag(r.header.Get("ETag"))
	if tag == "" {
		return ErrETagMissing
	}
	if mangled && !m.mangled && m.options.Warn != nil {
		m.options.Warn(ErrETagMangled)
	}
	m.tag, m.mangled = tag, m.mangled || mangled
	return nil
}

// readRemaining goes by the server's clock alone.
func (m *Mailbox2024) readRemaining(r reply) {
	expires, err := http.ParseTime(r.header.Get("Expires"))
	if err != nil {
		return
	}
	if now, err := http.ParseTime(r.header.Get("Date")); err == nil {
		m.remaining = max(0, expires.Sub(now))
	}
}

// cleanTag undoes what proxies do to an entity tag when they compress, or might
// have: nginx makes it weak, Apache and others add a suffix. A tag without quotes is
// as the example of the proposal has it, and stays.
func cleanTag(raw string) (tag string, mangled bool) {
	tag = strings.TrimSpace(raw)
	if strings.HasPrefix(tag, "W/") || strings.HasPrefix(tag, "w/") {
		tag, mangled = tag[2:], true
	}
	if len(tag) < 2 || tag[0] != '"' || tag[len(tag)-1] != '"' {
		return tag, mangled
	}
	inner := tag[1 : len(tag)-1]
	for _, suffix := range []string{"--gzip", "-gzip", ";gzip", ":gzip", "-br", ";br", "-zstd", "-deflate"} {
		if cut, found := strings.CutSuffix(inner, suffix); found && cut != "" {
			return `"` + cut + `"`, true
		}
	}
	return tag, mangled
}
