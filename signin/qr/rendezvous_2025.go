package qr

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Mailbox2025 is a [Mailbox] in the generation of 2025: one payload at an ID of the
// homeserver, and sequence tokens to notice who wrote last (MSC4388).
type Mailbox2025 struct {
	options   RendezvousOptions
	base, id  string
	token     string // of the payload that this side wrote or read last
	seal      string
	open      string
	written   string // what this side wrote last
	held      string // was read and not yet handed out
	remaining time.Duration
}

type session2025 struct {
	ID        string  `json:"id"`
	Data      *string `json:"data"`
	Token     string  `json:"sequence_token"`
	ExpiresMS int64   `json:"expires_in_ms"`
}

type write2025 struct {
	Token string `json:"sequence_token,omitempty"`
	Data  string `json:"data"`
}

// CanCreate2025 asks a homeserver whether a session can be created with the access
// token of the options, or without one if that is empty. It fails with
// [ErrNoRendezvous] if the server has none of this generation.
func CanCreate2025(ctx context.Context, baseURL string, o RendezvousOptions) (bool, error) {
	m, err := at(baseURL, o)
	if err != nil {
		return false, err
	}
	r, _, err := o.persist(ctx, request{method: http.MethodGet, url: m.collection(), header: m.authorization()})
	var answered struct {
		Available bool `json:"create_available"`
	}
	switch {
	case err != nil:
		return false, err
	case r.status == http.StatusUnauthorized && o.AccessToken == "":
		return false, nil
	case !r.ok():
		return false, r.noSessions()
	}
	err = r.object(&answered)
	return answered.Available, err
}

// Create2025 creates a session at a homeserver. It fails with [ErrNoRendezvous] if
// the server has none of this generation at these paths, with a
// *signin.MatrixError such as M_MISSING_TOKEN if it wants an access token, and with
// a *signin.AnswerError.
func Create2025(ctx context.Context, baseURL string, o RendezvousOptions) (*Mailbox2025, error) {
	m, err := at(baseURL, o)
	if err != nil {
		return nil, err
	}
	r, _, err := m.write(ctx, http.MethodPost, m.collection(), write2025{}, m.authorization())
	if err == nil && !r.ok() {
		err = r.noSessions()
	}
	var answered session2025
	if err == nil {
		err = r.object(&answered)
	}
	if err == nil && (!isOpaque(answered.ID) || answered.Token == "") {
		err = r.problem("lacks an id or a sequence_token")
	}
	if err != nil {
		return nil, fmt.Errorf("creating the sign-in session: %w", err)
	}
	m.id, m.token, m.seal, m.open = answered.ID, answered.Token, answered.Token, answered.Token
	m.remaining = milliseconds(answered.ExpiresMS)
	return m, nil
}

// Open2025 joins the session that a QR code names, and reads it once. It fails with
// [ErrMailboxGone] if there is no such session.
func Open2025(ctx context.Context, baseURL, id string, o RendezvousOptions) (*Mailbox2025, error) {
	m, err := at(baseURL, o)
	if err != nil {
		return nil, err
	}
	if !isOpaque(id) {
		return nil, &PayloadError{Problem: BadID}
	}
	m.id = id
	if m.held, _, err = m.poll(ctx); err != nil {
		return nil, fmt.Errorf("opening the sign-in session: %w", err)
	}
	return m, nil
}

func at(baseURL string, o RendezvousOptions) (*Mailbox2025, error) {
	baseURL = trimBase(baseURL)
	if problem := checkURL(baseURL); problem != 0 {
		return nil, &PayloadError{Problem: problem}
	}
	return &Mailbox2025{options: o, base: baseURL}, nil
}

// ID names the session at [Mailbox2025.BaseURL], for the QR code.
func (m *Mailbox2025) ID() string { return m.id }

// BaseURL is the homeserver that has the session, without a slash at the end.
func (m *Mailbox2025) BaseURL() string { return m.base }

// Remaining is how long the server last said that the session will live; 0 if it
// did not say.
func (m *Mailbox2025) Remaining() time.Duration { return m.remaining }

// SealToken is the token of the last read that found something: the other side's
// last payload, or the state in which this side found or created the session. The
// other side opens with the token of its last write, which is the same one. Reading
// one's own payload changes nothing, therefore.
func (m *Mailbox2025) SealToken() string { return m.seal }

// OpenToken is the token of this side's last write, which includes creating the
// session. It is empty before the first write of the side that joined.
func (m *Mailbox2025) OpenToken() string { return m.open }

// Send replaces the payload. If the answer is lost it sends again; the server
// recognizes what it has.
func (m *Mailbox2025) Send(ctx context.Context, payload string) error {
	r, lost, err := m.write(ctx, http.MethodPut, m.address(), write2025{Token: m.token, Data: payload}, http.Header{})
	if lost || err == nil && r.ok() {
		m.written = payload // perhaps; Receive must not take it for the other side's
	}
	switch {
	case err != nil:
		return err
	case r.status == http.StatusConflict:
		return ErrMailboxConflict
	case !r.ok():
		return r.refusal()
	}
	var answered session2025
	if err := r.object(&answered); err != nil {
		return err
	}
	if answered.Token == "" {
		return r.problem("lacks a sequence_token")
	}
	m.token, m.open = answered.Token, answered.Token
	return nil
}

// Receive waits for a payload of the other side. It asks at once, then every
// second.
func (m *Mailbox2025) Receive(ctx context.Context) (string, error) {
	if payload := m.held; payload != "" {
		m.held = ""
		return payload, nil
	}
	for {
		payload, isNew, err := m.poll(ctx)
		if err != nil || isNew {
			return payload, err
		}
		if err := m.options.wait(ctx, pollInterval); err != nil {
			return "", err
		}
	}
}

// poll reads once. isNew says that there is a payload of the other side: not an
// empty one, not one that was read before, not this side's own.
func (m *Mailbox2025) poll(ctx context.Context) (payload string, isNew bool, err error) {
	r, _, err := m.options.persist(ctx, request{method: http.MethodGet, url: m.address()})
	if err != nil {
		return "", false, err
	}
	if !r.ok() {
		return "", false, r.refusal()
	}
	var found session2025
	if err := r.object(&found); err != nil {
		return "", false, err
	}
	if found.Data == nil || found.Token == "" {
		return "", false, r.problem("lacks data or a sequence_token")
	}
	m.remaining = milliseconds(found.ExpiresMS)
	switch {
	case found.Token == m.token:
		return "", false, nil
	case m.written != "" && *found.Data == m.written: // the answer to the write was lost
		m.token, m.open = found.Token, found.Token
		return "", false, nil
	}
	m.token, m.seal = found.Token, found.Token
	return *found.Data, *found.Data != "", nil
}

// Close deletes the session.
func (m *Mailbox2025) Close(ctx context.Context) error {
	r, err := m.options.call(ctx, request{method: http.MethodDelete, url: m.address()})
	switch {
	case err != nil:
		return err
	case r.ok() || r.status == http.StatusNotFound:
		return nil
	}
	return r.refusal()
}

func (m *Mailbox2025) collection() string {
	if m.options.Unstable {
		return m.base + "/_matrix/client/unstable/io.element.msc4388/rendezvous"
	}
	return m.base + "/_matrix/client/v1/rendezvous"
}

func (m *Mailbox2025) address() string { return m.collection() + "/" + url.PathEscape(m.id) }

func (m *Mailbox2025) write(ctx context.Context, method, url string, body write2025, header http.Header) (r reply, lost bool, err error) {
	encoded, err := json.Marshal(body)
	if err != nil {
		return reply{}, false, err
	}
	header.Set("Content-Type", "application/json")
	return m.options.persist(ctx, request{method: method, url: url, body: string(encoded), header: header})
}

func (m *Mailbox2025) authorization() http.Header {
	if m.options.AccessToken == "" {
		return http.Header{}
	}
	return http.Header{"Authorization": {"Bearer " + m.options.AccessToken}}
}

func milliseconds(n int64) time.Duration { return max(0, time.Duration(n)*time.Millisecond) }
