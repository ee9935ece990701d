package rendezvous

import (
	"context"
	"errors"
	"io"
	"mime"
	"net/http"

	"github.com/go-json-experiment/json"

	"github.com/narthex-matrix/narthex/internal/errcode"
	"github.com/narthex-matrix/narthex/internal/httpapi"
)

// createByStablePath makes a session of either generation: both have this path, and
// the type of the body tells them apart.
func (s *Service) createByStablePath(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && media == "application/json" {
		if err := call.Spend(httpapi.Expensive); err != nil {
			return httpapi.Reply{}, err
		}
		return s.createBySequence(ctx, call, r)
	}
	return s.createByETag(ctx, call, r, true)
}

func (s *Service) createByUnstablePath(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	return s.createByETag(ctx, call, r, false)
}

type createdByETag struct {
	URL string `json:"url"`
}

func (s *Service) createByETag(ctx context.Context, call *httpapi.Call, r *http.Request, stable bool) (httpapi.Reply, error) {
	notStored(call)
	if s.cfg.DelegateTo != "" {
		return httpapi.Reply{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {s.cfg.DelegateTo}}}, nil
	}
	if err := s.barred(call); err != nil {
		return httpapi.Reply{}, err
	}
	if err := call.Spend(httpapi.Expensive); err != nil {
		return httpapi.Reply{}, limited(err)
	}
	data, err := s.payload(call, r)
	if err != nil {
		return httpapi.Reply{}, err
	}
	made, err := s.create(ctx, call, msc4108, stable, data)
	if err != nil {
		return httpapi.Reply{}, limited(err)
	}
	setHeaders(call, made)
	return jsonReply(http.StatusCreated, createdByETag{s.sessionURL(made.id)})
}

func (s *Service) readByETag(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	notStored(call)
	if err := call.Spend(httpapi.Cheap); err != nil {
		return httpapi.Reply{}, limited(err)
	}
	if navigated(r.Header) {
		return httpapi.Reply{}, forPrograms()
	}
	known, err := entityTag(r.Header, "If-None-Match")
	if err != nil {
		return httpapi.Reply{}, err
	}
	found, err := s.read(ctx, msc4108, r.PathValue("sessionId"))
	if err != nil {
		return httpapi.Reply{}, err
	}
	setHeaders(call, found)
	if known == found.tag {
		return httpapi.Reply{Status: http.StatusNotModified}, nil
	}
	return plain(http.StatusOK, found.data), nil
}

func (s *Service) writeByETag(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	notStored(call)
	if err := call.Spend(httpapi.Cheap); err != nil {
		return httpapi.Reply{}, limited(err)
	}
	data, err := s.payload(call, r)
	if err != nil {
		return httpapi.Reply{}, err
	}
	tag, err := entityTag(r.Header, "If-Match")
	if err != nil {
		return httpapi.Reply{}, err
	}
	if tag == "" {
		return httpapi.Reply{}, missing("If-Match")
	}
	now, written, err := s.write(ctx, msc4108, r.PathValue("sessionId"), tag, data)
	if err != nil {
		return httpapi.Reply{}, limited(err)
	}
	setHeaders(call, now)
	if !written {
		code := errcode.StaleETagUnstable
		if now.stable {
			code = errcode.StaleETag
		}
		return httpapi.Reply{}, code.New("The other device has written meanwhile. Read the session first.")
	}
	return plain(http.StatusAccepted, nil), nil
}

func (s *Service) removeByETag(ctx context.Context, call *httpapi.Call, r *http.Request) (httpapi.Reply, error) {
	notStored(call)
	if err := call.Spend(httpapi.Cheap); err != nil {
		return httpapi.Reply{}, limited(err)
	}
	if err := s.remove(ctx, msc4108, r.PathValue("sessionId")); err != nil {
		return httpapi.Reply{}, err
	}
	return httpapi.Reply{Status: http.StatusNoContent}, nil
}

// payload reads a message. What the headers say is checked before any of the body
// is read, and what would be too large is never read: the connection ends instead.
func (s *Service) payload(call *httpapi.Call, r *http.Request) ([]byte, error) {
	if r.ContentLength < 0 || r.Header.Get("Content-Length") == "" {
		call.SetHeader("Connection", "close")
		return nil, missing("Content-Length")
	}
	if r.ContentLength > int64(s.cfg.MaxPayload) {
		call.SetHeader("Connection", "close")
		return nil, errcode.TooLarge.New("A message may have %d bytes at most.", s.cfg.MaxPayload)
	}
	kinds := r.Header.Values("Content-Type")
	if len(kinds) == 0 || kinds[0] == "" {
		return nil, missing("Content-Type")
	}
	if media, _, err := mime.ParseMediaType(kinds[0]); err != nil || media != "text/plain" || len(kinds) > 1 {
		return nil, errcode.InvalidParam.New("The Content-Type must be text/plain.").With("param", "Content-Type")
	}
	data, err := io.ReadAll(r.Body) // net/http ends it at Content-Length
	if err != nil {
		return nil, errcode.InvalidParam.Wrap(err, "The body ended before it was complete.")
	}
	return data, nil
}

// plain is a message. Clients compare the whole Content-Type, which has no
// parameters for that reason; without one, some networks drop the ETag.
func plain(status int, data []byte) httpapi.Reply {
	return httpapi.Reply{Status: status, Header: http.Header{"Content-Type": {"text/plain"}}, Body: data}
}

func jsonReply(status int, answer any) (httpapi.Reply, error) {
	body, err := json.Marshal(answer)
	return httpapi.Reply{Status: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: body}, err
}

// limited words a limit as MSC4108 does.
func limited(err error) error {
	var e *errcode.Error
	if !errors.As(err, &e) || e.Code != errcode.LimitExceeded {
		return err
	}
	other := *e
	other.Code = errcode.RendezvousLimit
	return &other
}

func missing(header string) error {
	return errcode.MissingParam.New("The header %s is missing.", header).With("param", header)
}
